//! The people: who they are, what is shown to them and what they type.

use crate::failure::Failure;
use secrecy::SecretString;

use super::answers::Wanted;
use super::seats::Role;
use crate::media::shown;
use crate::token::TokenFacts;

/// A question with the one answer that lets the ceremony go on.
#[derive(Clone, Debug)]
pub struct Prompt {
    /// Its name in an answers file.
    pub id: &'static str,
    /// What is asked.
    pub question: String,
    /// What must be typed.
    pub expected: String,
}

/// Names of all prompts.
pub const PROMPTS: [&str; 9] =
    ["plan", "clock", "create", "found-key", "bundle", "review", "manifest", "custody", "go-on"];

/// Somebody who signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// What that person does here.
    pub role: Role,
    /// The name, as it was typed.
    pub name: String,
}

/// The longest name, in characters.
const LONGEST_NAME: usize = 60;
/// Words that people type at prompts, and that are nobody's name.
const NO_NAMES: [&str; 17] = [
    "again", "back", "cancel", "continue", "done", "enter", "exit", "help", "next", "no", "none", "ok",
    "quit", "show", "start", "written", "yes",
];

impl Person {
    /// Somebody of this role and name.
    ///
    /// # Errors
    /// Why that is no name; what was typed is not repeated, for it may have been a PIN.
    pub fn new(role: Role, name: &str) -> Result<Self, String> {
        let allowed = |c: char| c.is_alphanumeric() || " .,'-()".contains(c);
        let length = name.chars().count();
        if !(2..=LONGEST_NAME).contains(&length) || !name.chars().all(allowed) {
            return Err(format!("a name has 2 to {LONGEST_NAME} letters, digits, spaces and .,'-()"));
        }
        let letters = name.chars().filter(|c| c.is_alphabetic()).count();
        if letters <= name.chars().filter(|c| c.is_numeric()).count() {
            return Err("that is no name: a name has more letters than digits".into());
        }
        if NO_NAMES.iter().any(|word| name.eq_ignore_ascii_case(word)) {
            return Err("that is no name".into());
        }
        Ok(Self { role, name: name.to_owned() })
    }

    /// Whether the two are one person: case, spaces and punctuation do not tell people apart.
    pub fn is(&self, other: &Self) -> bool {
        let plain = |name: &str| {
            name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>()
        };
        plain(&self.name) == plain(&other.name)
    }

    /// Name and role, safe to show.
    pub fn title(&self) -> String {
        format!("{} ({})", shown(&self.name), self.role.as_str())
    }
}

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
    /// One text; an answers file may give another that stands for it.
    Exactly {
        /// The prompt's name in an answers file.
        id: &'static str,
        /// What must be typed.
        expected: String,
        /// What an answers file may give instead: the whole of what is compared.
        whole: Option<String>,
    },
    /// One of several texts.
    OneOf {
        /// The prompt's name in an answers file.
        id: &'static str,
        /// What can be typed.
        options: Vec<String>,
        /// What "accept" in an answers file stands for; nothing is destroyed by it.
        accept: Option<String>,
    },
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
            Answer::Exactly { expected, .. } => typed.eq_ignore_ascii_case(expected),
            Answer::OneOf { options, .. } => options.iter().any(|one| typed.eq_ignore_ascii_case(one)),
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

/// How far long work has come.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// What is being done with requests: checked, issued, written.
    pub doing: &'static str,
    /// How many are done.
    pub done: usize,
    /// How many there are in all, when that is known.
    pub all: Option<usize>,
    /// How many are refused so far.
    pub refused: usize,
}
