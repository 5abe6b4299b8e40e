//! Answers from a file: strict TOML, one entry per prompt; `accept` means the answer that the prompt asks for.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::room::{Answer, Question, Reply, Wanted};
use crate::failure::Failure;
use crate::record::{Person, Prompt, Role};

/// Answers from a file.
#[derive(Clone, Debug, Deserialize)]
pub struct Answers {
    #[serde(default)]
    people: BTreeMap<Role, Vec<String>>,
    #[serde(default)]
    record: BTreeMap<String, String>,
    #[serde(flatten)]
    prompts: BTreeMap<String, String>,
}

impl Answers {
    /// Parses an answers file.
    ///
    /// # Errors
    /// [`Failure::usage`] when the TOML is malformed or a key is not a prompt.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let answers: Self = toml::from_str(text)
            .map_err(|e| Failure::usage(format!("answers: {}", e.to_string().trim_end())))?;
        match answers.prompts.keys().find(|key| !Prompt::IDS.contains(&key.as_str())) {
            None => Ok(answers),
            Some(key) => Err(Failure::usage(format!(
                "answers: {key:?} is not a prompt; prompts are {}, tables are people and record",
                Prompt::IDS.join(", ")
            ))),
        }
    }

    /// Returns the answer to a question.
    ///
    /// # Errors
    /// [`Failure::stopped`] when there is none, or one that the prompt does not accept.
    pub fn answer(&self, question: &Question) -> Result<Reply, Failure> {
        let none = |what: &str| Err(Failure::stopped(format!("answers: {what} has no answer")));
        let text = match &question.wanted {
            Answer::To(prompt) => return self.to(prompt),
            Answer::Name(role, number) => self.name(*role, *number),
            Answer::Value(label) => self.record.get(label).map(String::as_str),
            Answer::Text => None,
        };
        match text {
            Some(text) => Ok(Reply::of(text)),
            None => none(&question.text),
        }
    }

    /// Accepts "accept", an option in full or by its first word, or the whole digest.
    fn to(&self, prompt: &Prompt) -> Result<Reply, Failure> {
        let (id, options) = (prompt.id(), prompt.options());
        let given = self.prompts.get(id).map(|given| given.trim());
        let given = given.ok_or_else(|| Failure::stopped(format!("answers: {id} has no answer")))?;
        let choice = options.len() > 1 || matches!(prompt, Prompt::FoundKey(_));
        let is = |option: &&String| *option == given || (choice && option.split(' ').next() == Some(given));
        let chosen = match given {
            "accept" => prompt.accepted(),
            _ if prompt.whole().as_deref() == Some(given) => options.first().cloned(),
            _ => options.iter().find(is).cloned(),
        };
        let wanted = prompt.whole().unwrap_or_else(|| options.join(" or "));
        chosen.map(Reply::Text).ok_or_else(|| {
            Failure::stopped(format!("answers: {id} is {given:?}, the ceremony expects {wanted:?}"))
        })
    }

    fn name(&self, role: Role, number: usize) -> Option<&str> {
        self.people.get(&role)?.get(number.checked_sub(1)?).map(String::as_str)
    }

    /// Returns the first answer that a script will ask for and that is missing or invalid here.
    pub fn lacks(&self, wanted: &Wanted<'_>) -> Option<String> {
        if let Some(id) = wanted.prompts.iter().find(|id| !self.prompts.contains_key(**id)) {
            return Some(format!("the script will ask for {id:?}, which the answers file lacks"));
        }
        if let Some(label) = wanted.labels.iter().find(|label| !self.record.contains_key(**label)) {
            return Some(format!("the script records {label:?}, which the answers file lacks in [record]"));
        }
        let mut present: Vec<Person> = Vec::new();
        for (role, number) in wanted.roles.all() {
            let Some(name) = self.name(role, number) else {
                return Some(format!(
                    "the script requires {} {}, but the answers file names {} in [people]",
                    wanted.roles.of(role),
                    role.as_str(),
                    number - 1
                ));
            };
            let person = match Person::new(role, name) {
                Ok(person) => person,
                Err(wrong) => return Some(format!("answers: {} {number}: {wrong}", role.as_str())),
            };
            if let Some(conflict) = wanted.roles.conflict(&present, &person) {
                return Some(format!("answers: {conflict}"));
            }
            present.push(person);
        }
        None
    }
}
