//! `pause`: people leave the room and come back.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{BLANKS, OnPaper, Record, Rules};
use crate::plan::Roles;
use crate::policy::ProfileFile;
use crate::record::{Event, Prompt, Role, State, StatementKind, question};

/// People leave the room and come back; afterwards seals and transcript must be unchanged.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pause {
    /// Labels of the seals whose numbers are recorded on leaving and compared on return.
    #[serde(default)]
    pub seals: Vec<String>,
    /// Role of the person who reads the numbers.
    #[serde(default = "operator")]
    pub by: Role,
}

fn operator() -> Role {
    Role::Operator
}

impl Pause {
    /// Returns the statement to record for each seal.
    pub fn records(&self) -> impl Iterator<Item = Record> {
        let seal = |label: &String| (StatementKind::Seal, label.clone(), self.by);
        let record = |(kind, label, by)| Record { kind, label, ask: None, by };
        self.seals.iter().map(seal).map(record)
    }
}

impl Rules for Pause {
    fn may_recur(&self) -> bool {
        true
    }

    fn labels(&self) -> Vec<&str> {
        self.seals.iter().map(String::as_str).collect()
    }

    fn check(&self, roles: &Roles, profiles: &ProfileFile) -> Result<(), String> {
        self.records().try_for_each(|record| record.check(roles, profiles))
    }

    fn asks(&self) -> Option<&'static str> {
        Some("head")
    }

    fn is_asked(&self, prompt: &Prompt, state: &State) -> bool {
        matches!(prompt, Prompt::Head(compared) if Some(compared.sha256) == state.left)
    }

    fn explanation(&self) -> &'static str {
        "You leave the room and come back. Write the head of the transcript on paper, and take the paper along."
    }

    fn paper(&self) -> OnPaper {
        let paper = OnPaper::new(
            [
                "Read the number of each seal, and write down the head of the transcript".into(),
                "Leave, and come back together".into(),
                "Sign in again, and read the numbers of the seals once more".into(),
                question::compare("head", &BLANKS),
                "Open the token again".into(),
            ],
            ["The head of the transcript in groups of digits and in words, before and after"],
            ["The number of each seal, and the head of the transcript"],
        );
        let facts = vec![
            ("Seals", if self.seals.is_empty() { "none".to_owned() } else { self.seals.join(", ") }),
            ("Left, UTC", String::new()),
            ("Back, UTC", String::new()),
        ];
        OnPaper { facts, ..paper }
    }

    fn allows(&self, event: &Event) -> Result<(), String> {
        if self.records().any(|record| record.allows(event).is_ok()) {
            Ok(())
        } else {
            super::not_asked(event)
        }
    }

    fn is_done(&self, _: &State, events: &[&Event]) -> Result<(), String> {
        let mut numbers: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for event in events {
            if let Event::Statement(seal) = event {
                numbers.entry(&seal.label).or_default().push(&seal.value);
            }
        }
        let same = |label: &String| match numbers.get(label.as_str()).map(Vec::as_slice) {
            Some([.., left, back]) => left == back,
            _ => false,
        };
        match self.seals.iter().find(|label| !same(label)) {
            None => Ok(()),
            Some(label) => Err(format!("the number of the seal {label:?} changed")),
        }
    }
}
