//! The people: who they are, what is shown to them and what they type.

use secrecy::SecretString;

use crate::failure::Failure;
use crate::plan::Seats;
use crate::record::{Prompt, Role, TokenFacts};
use crate::signing::Progress;

/// A question to one person.
#[derive(Clone, Debug)]
pub struct Question {
    /// What is asked, safe to show.
    pub text: String,
    /// What the answer is to be.
    pub wanted: Answer,
}

/// What an answer is to be.
#[derive(Clone, Debug)]
pub enum Answer {
    /// What a prompt asks for.
    To(Prompt),
    /// The name of somebody.
    Name(Role, usize),
    /// What is to be recorded under this label.
    Value(String),
    /// Anything.
    Text,
}

impl Question {
    /// Asks for a value to be recorded.
    pub fn value(label: &str, text: String) -> Self {
        Self { text, wanted: Answer::Value(label.to_owned()) }
    }

    /// Whether this answers it.
    pub fn accepts(&self, typed: &str) -> bool {
        match &self.wanted {
            Answer::To(prompt) => prompt.chosen(typed).is_some(),
            _ => true,
        }
    }
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A line, without spaces around it, each inner space single.
    Text(String),
    /// Somebody wants to stop.
    Stop,
    /// Somebody wants an exception written down.
    Exception,
}

impl Reply {
    /// What a typed line means.
    pub fn of(line: &str) -> Self {
        let text = line.split_whitespace().collect::<Vec<_>>().join(" ");
        match text.to_ascii_lowercase().as_str() {
            "stop" => Self::Stop,
            "exception" => Self::Exception,
            _ => Self::Text(text),
        }
    }
}

/// What came back where a secret was asked for.
#[derive(Debug)]
pub enum SecretReply {
    /// The secret.
    Secret(SecretString),
    /// There is none from this person.
    None,
    /// As [`Reply`].
    Stop,
    /// As [`Reply`].
    Exception,
}

impl SecretReply {
    /// What a typed line means that is no secret, but a word that can be typed at every prompt. Nothing of
    /// the line is copied.
    pub fn of_word(line: &str) -> Option<Self> {
        let is = |word: &str| line.trim().eq_ignore_ascii_case(word);
        match () {
            () if is("stop") => Some(Self::Stop),
            () if is("exception") => Some(Self::Exception),
            () => None,
        }
    }
}

/// What a script will ask for.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// Prompts by name.
    pub prompts: Vec<&'static str>,
    /// Who must be there.
    pub seats: &'a Seats,
    /// Labels of what is recorded.
    pub labels: Vec<&'a str>,
}

/// Those who perform a ceremony.
pub trait People {
    /// Shows lines that are safe to show.
    fn show(&mut self, text: &str);

    /// Shows lines that people read through: so many at a time as stand on the screen.
    ///
    /// # Errors
    /// As [`People::ask`].
    fn show_pages(&mut self, text: &str) -> Result<Reply, Failure>;

    /// Asks once, and returns what was typed.
    ///
    /// # Errors
    /// [`Failure::stopped`] when nobody can answer any more.
    fn ask(&mut self, question: &Question) -> Result<Reply, Failure>;

    /// The PIN of this token.
    ///
    /// # Errors
    /// [`Failure::fault`] or [`Failure::stopped`] when there is none.
    fn pin(&mut self, token: &TokenFacts) -> Result<SecretReply, Failure>;

    /// A share of this person's, as it is typed or, where [`People::shares_from_file`] says so, as
    /// a file has it; None when there is none.
    ///
    /// # Errors
    /// As [`People::pin`].
    fn share(&mut self, person: &str) -> Result<SecretReply, Failure>;

    /// A share that this person just took, typed back from the paper.
    ///
    /// # Errors
    /// As [`People::pin`].
    fn share_back(&mut self, person: &str) -> Result<SecretReply, Failure>;

    /// Shows a secret to one person until that person is done, and clears the screen.
    ///
    /// # Errors
    /// [`Failure::fault`] or [`Failure::stopped`] when nobody can see it.
    fn hand_out(&mut self, person: &str, secret: &str) -> Result<Reply, Failure>;

    /// Whether somebody types the PIN, and may take the time for it.
    fn types_pin(&self) -> bool;

    /// Whether shares that are handed out reach anybody.
    fn can_hand_out(&self) -> bool;

    /// Whether shares come from a file, so that nobody is shown to have given one.
    fn shares_from_file(&self) -> bool;

    /// Whether a file answers.
    fn unattended(&self) -> bool;

    /// What an answers file lacks of this, when one answers.
    fn lacks(&self, wanted: &Wanted<'_>) -> Option<String>;

    /// Tells how far long work has come.
    fn progress(&mut self, progress: &Progress);
}
