//! The room: what is shown to the people in it, and what they type.

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

/// A secret that is asked for.
#[derive(Clone, Copy, Debug)]
pub enum Secret<'a> {
    /// The PIN of this token.
    Pin(&'a TokenFacts),
    /// This person's share of it.
    Share(&'a str),
    /// The share that this person was just shown, typed back from the paper.
    ShareBack(&'a str),
}

/// Where a ceremony is performed: a terminal with people at it, or a file that answers for them.
pub trait Room {
    /// Shows lines, which are escaped already.
    fn show(&mut self, text: &str);

    /// Shows lines that people read through, a screenful at a time.
    ///
    /// # Errors
    /// As [`Room::ask`].
    fn show_pages(&mut self, text: &str) -> Result<Reply, Failure>;

    /// Asks once, and returns what was typed.
    ///
    /// # Errors
    /// [`Failure::stopped`] when nobody can answer any more.
    fn ask(&mut self, question: &Question) -> Result<Reply, Failure>;

    /// Asks for a secret once.
    ///
    /// # Errors
    /// [`Failure::fault`] or [`Failure::stopped`] when there is none.
    fn secret(&mut self, secret: Secret<'_>) -> Result<SecretReply, Failure>;

    /// Shows a share to one person until that person is done, and clears the screen.
    ///
    /// # Errors
    /// [`Failure::fault`] or [`Failure::stopped`] when nobody can see it.
    fn hand_out(&mut self, person: &str, share: &str) -> Result<Reply, Failure>;

    /// Shows the progress of long work.
    fn progress(&mut self, progress: &Progress);

    /// Whether a file answers.
    fn unattended(&self) -> bool;

    /// Whether shares come from a file, so that the record does not show that anybody gave one.
    fn shares_from_file(&self) -> bool;

    /// Whether shares that are handed out reach anybody.
    fn can_hand_out(&self) -> bool;

    /// What an answers file lacks of this, when one answers.
    fn lacks(&self, wanted: &Wanted<'_>) -> Option<String>;
}
