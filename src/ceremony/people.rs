//! The people: what is shown to them and what they type.

use std::collections::BTreeMap;

use secrecy::SecretString;

use super::Error;
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
pub const PROMPTS: [&str; 4] = ["plan", "clock", "create", "review"];

/// Those who perform a ceremony.
pub trait People {
    /// Shows lines that are safe to show.
    fn show(&mut self, text: &str);

    /// Asks, and returns what was typed once it is what was expected.
    ///
    /// # Errors
    /// [`Error::Stopped`] when people do not confirm.
    fn confirm(&mut self, prompt: &Prompt) -> Result<String, Error>;

    /// The PIN of this token.
    ///
    /// # Errors
    /// [`Error::Fault`] or [`Error::Stopped`] when there is none.
    fn pin(&mut self, token: &TokenFacts) -> Result<SecretString, Error>;

    /// Whether a file answers.
    fn unattended(&self) -> bool;

    /// Which of these prompts has no answer, when a file answers.
    fn unanswered(&self, ids: &[&'static str]) -> Option<&'static str>;

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

/// Answers from a file: strict TOML, prompt by prompt; `accept` stands for what the prompt asks for.
#[derive(Clone, Debug)]
pub struct Answers(BTreeMap<String, String>);

impl Answers {
    /// Reads an answers file.
    ///
    /// # Errors
    /// [`Error::Wrong`] when a key is no prompt.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let map: BTreeMap<String, String> = toml::from_str(text)
            .map_err(|e| Error::Wrong(format!("answers: {}", e.to_string().trim_end())))?;
        match map.keys().find(|key| !PROMPTS.contains(&key.as_str())) {
            None => Ok(Self(map)),
            Some(key) => Err(Error::Wrong(format!(
                "answers: {key:?} is no prompt; prompts are {}",
                PROMPTS.join(", ")
            ))),
        }
    }

    /// The answer to a prompt.
    ///
    /// # Errors
    /// [`Error::Stopped`] when there is none or another one.
    pub fn answer(&self, prompt: &Prompt) -> Result<String, Error> {
        match self.0.get(prompt.id) {
            Some(text) if text == "accept" || *text == prompt.expected => Ok(prompt.expected.clone()),
            Some(text) => Err(Error::Stopped(format!(
                "answers: {} is {text:?}, the ceremony asks for {:?}",
                prompt.id, prompt.expected
            ))),
            None => Err(Error::Stopped(format!("answers: {} has no answer", prompt.id))),
        }
    }

    /// Which of these prompts has no answer.
    pub fn unanswered(&self, ids: &[&'static str]) -> Option<&'static str> {
        ids.iter().find(|id| !self.0.contains_key(**id)).copied()
    }
}
