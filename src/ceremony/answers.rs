//! Answers from a file: strict TOML, prompt by prompt; `accept` stands for what the prompt asks for.

use crate::failure::Failure;
use std::collections::BTreeMap;

use serde::Deserialize;

use super::Reply;
use super::people::{Answer, PROMPTS, Person, Question};
use super::seats::{Role, Seats};

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
    /// Reads an answers file.
    ///
    /// # Errors
    /// [`Failure::usage`] when a key is no prompt.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let answers: Self = toml::from_str(text)
            .map_err(|e| Failure::usage(format!("answers: {}", e.to_string().trim_end())))?;
        match answers.prompts.keys().find(|key| !PROMPTS.contains(&key.as_str())) {
            None => Ok(answers),
            Some(key) => Err(Failure::usage(format!(
                "answers: {key:?} is no prompt; prompts are {}, tables are people and record",
                PROMPTS.join(", ")
            ))),
        }
    }

    /// The answer to a question.
    ///
    /// # Errors
    /// [`Failure::stopped`] when there is none or another one.
    pub fn answer(&self, question: &Question) -> Result<Reply, Failure> {
        let none = |what: &str| Err(Failure::stopped(format!("answers: {what} has no answer")));
        let text = match &question.wanted {
            Answer::Exactly { id, expected, whole } => return self.exactly(id, expected, whole.as_deref()),
            Answer::OneOf { id, options, accept } => return self.one_of(id, options, accept.as_ref()),
            Answer::Name(role, number) => self.name(*role, *number),
            Answer::Value(label) => self.record.get(label).map(String::as_str),
            Answer::Text => None,
        };
        match text {
            Some(text) => Ok(Reply::of(text)),
            None => none(&question.text),
        }
    }

    fn exactly(&self, id: &str, expected: &str, whole: Option<&str>) -> Result<Reply, Failure> {
        let given = self.prompts.get(id).map(|given| given.trim());
        match given {
            Some(text) if text == "accept" || text == expected || Some(text) == whole => {
                Ok(Reply::Text(expected.to_owned()))
            }
            Some(text) => Err(Failure::stopped(format!(
                "answers: {id} is {text:?}, the ceremony asks for {:?}",
                whole.unwrap_or(expected)
            ))),
            None => Err(Failure::stopped(format!("answers: {id} has no answer"))),
        }
    }

    /// The option that is given, in full or by its first word.
    fn one_of(&self, id: &str, options: &[String], accept: Option<&String>) -> Result<Reply, Failure> {
        let given = self.prompts.get(id).map(|given| given.trim());
        let given = given.ok_or_else(|| {
            Failure::stopped(format!("answers: {id} has no answer; it takes {}", options.join(" or ")))
        })?;
        let is = |option: &&String| *option == given || option.split(' ').next() == Some(given);
        let chosen = if given == "accept" { accept } else { options.iter().find(is) };
        chosen.map(|chosen| Reply::Text(chosen.clone())).ok_or_else(|| {
            Failure::stopped(format!(
                "answers: {id} is {given:?}, the ceremony takes {}",
                options.join(" or ")
            ))
        })
    }

    fn name(&self, role: Role, number: usize) -> Option<&str> {
        self.people.get(&role)?.get(number.checked_sub(1)?).map(String::as_str)
    }

    /// What is missing here, or cannot be, of what a script will ask for.
    pub fn lacks(&self, wanted: &Wanted<'_>) -> Option<String> {
        if let Some(id) = wanted.prompts.iter().find(|id| !self.prompts.contains_key(**id)) {
            return Some(format!("the script will ask for {id:?}, which the answers file lacks"));
        }
        if let Some(label) = wanted.labels.iter().find(|label| !self.record.contains_key(**label)) {
            return Some(format!("the script records {label:?}, which the answers file lacks in [record]"));
        }
        let mut seated: Vec<Person> = Vec::new();
        for (role, number) in wanted.seats.all() {
            let Some(name) = self.name(role, number) else {
                return Some(format!(
                    "the script wants {} {}, the answers file names {} in [people]",
                    wanted.seats.of(role),
                    role.as_str(),
                    number - 1
                ));
            };
            let person = match Person::new(role, name) {
                Ok(person) => person,
                Err(wrong) => return Some(format!("answers: {} {number}: {wrong}", role.as_str())),
            };
            if let Some(taken) = wanted.seats.taken(&seated, &person) {
                return Some(format!("answers: {taken}"));
            }
            seated.push(person);
        }
        None
    }
}
