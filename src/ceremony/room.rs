//! The room: shows text to people and returns what they type.

use secrecy::SecretString;

use crate::failure::Failure;
use crate::plan::Roles;
use crate::record::{Prompt, Role, TokenFacts};
use crate::signing::Progress;

/// A question to one person.
#[derive(Clone, Debug)]
pub struct Question {
    /// Text of the question, escaped.
    pub text: String,
    /// Expected answer.
    pub wanted: Answer,
}

/// Expected kind of answer.
#[derive(Clone, Debug)]
pub enum Answer {
    /// An answer that the prompt accepts.
    To(Prompt),
    /// Name of the person with this role and number, counted from 1.
    Name(Role, usize),
    /// Value recorded under this label.
    Value(String),
    /// Free text.
    Text,
}

impl Question {
    /// Asks for a value to record under `label`.
    pub fn value(label: &str, text: String) -> Self {
        Self { text, wanted: Answer::Value(label.to_owned()) }
    }

    /// Whether this line is an acceptable answer.
    pub fn accepts(&self, typed: &str) -> bool {
        match &self.wanted {
            Answer::To(prompt) => prompt.chosen(typed).is_some(),
            _ => true,
        }
    }
}

/// Reply to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A line, trimmed, with runs of whitespace collapsed to one space.
    Text(String),
    /// "stop": stop at this prompt.
    Stop,
    /// "exception": record an exception.
    Exception,
}

impl Reply {
    /// Parses a typed line.
    pub fn of(line: &str) -> Self {
        let text = line.split_whitespace().collect::<Vec<_>>().join(" ");
        match text.to_ascii_lowercase().as_str() {
            "stop" => Self::Stop,
            "exception" => Self::Exception,
            _ => Self::Text(text),
        }
    }
}

/// Reply to a request for a secret.
#[derive(Debug)]
pub enum SecretReply {
    /// The secret.
    Secret(SecretString),
    /// The person has none.
    None,
    /// As [`Reply::Stop`].
    Stop,
    /// As [`Reply::Exception`].
    Exception,
}

impl SecretReply {
    /// Returns the meaning of a line that is "stop" or "exception" instead of a secret. The line is not
    /// copied.
    pub fn of_word(line: &str) -> Option<Self> {
        let is = |word: &str| line.trim().eq_ignore_ascii_case(word);
        match () {
            () if is("stop") => Some(Self::Stop),
            () if is("exception") => Some(Self::Exception),
            () => None,
        }
    }
}

/// Everything that a script will ask for.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// IDs of the prompts.
    pub prompts: Vec<&'static str>,
    /// Required people.
    pub roles: &'a Roles,
    /// Labels of the values to record.
    pub labels: Vec<&'a str>,
}

/// A secret to ask for; a share names the person's title.
#[derive(Clone, Copy, Debug)]
pub enum Secret<'a> {
    /// PIN of this token.
    Pin(&'a TokenFacts),
    /// This person's share of the PIN.
    Share(&'a str),
    /// The share that was just shown to this person, typed back from paper.
    ShareBack(&'a str),
}

/// Where a ceremony is performed: at a terminal with people, or with a file that answers for them.
pub trait Room {
    /// Shows escaped lines.
    fn show(&mut self, text: &str);

    /// Shows escaped lines page by page.
    ///
    /// # Errors
    /// As [`Room::ask`].
    fn show_pages(&mut self, text: &str) -> Result<Reply, Failure>;

    /// Asks once and returns the reply.
    ///
    /// # Errors
    /// [`Failure::stopped`] when nobody can answer any more.
    fn ask(&mut self, question: &Question) -> Result<Reply, Failure>;

    /// Asks for a secret once.
    ///
    /// # Errors
    /// [`Failure::fault`] or [`Failure::stopped`] when there is none.
    fn secret(&mut self, secret: Secret<'_>) -> Result<SecretReply, Failure>;

    /// Shows a share to one person until that person is done, then clears the screen.
    ///
    /// # Errors
    /// [`Failure::fault`] or [`Failure::stopped`] when it cannot be shown.
    fn hand_out(&mut self, person: &str, share: &str) -> Result<Reply, Failure>;

    /// Shows progress.
    fn progress(&mut self, progress: &Progress);

    /// Whether a file answers.
    fn unattended(&self) -> bool;

    /// Whether a person types the PIN, each time it is asked for.
    fn types_pin(&self) -> bool;

    /// Whether shares come from a file, so that the record does not prove that a custodian gave one.
    fn shares_from_file(&self) -> bool;

    /// Whether new shares can be handed out.
    fn can_hand_out(&self) -> bool;

    /// Returns what the answers file, if any, lacks of this.
    fn lacks(&self, wanted: &Wanted<'_>) -> Option<String>;
}
