//! `record`: a statement, a serial number, a seal number or a photograph's digest, as somebody says it or
//! reads it off.

use serde::Deserialize;

use super::{OnPaper, Rules};
use crate::digest::Digest;
use crate::plan::Seats;
use crate::policy::ProfileFile;
use crate::record::{Event, Role, State, StatementKind};

/// Write down what somebody says, reads off or measured.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// What it is.
    pub kind: StatementKind,
    /// Of what.
    pub label: String,
    /// What that person is to do; without it, what the kind asks for.
    pub ask: Option<String>,
    /// Who says it.
    #[serde(default = "operator")]
    pub by: Role,
}

fn operator() -> Role {
    Role::Operator
}

/// The longest statement, in characters.
const LONGEST_STATEMENT: usize = 500;
/// The longest number, in characters.
const LONGEST_NUMBER: usize = 64;

impl Record {
    /// What is asked for.
    pub fn ask(&self) -> &str {
        self.ask.as_deref().unwrap_or(match self.kind {
            StatementKind::Statement => "say it aloud and type what you state, in one line",
            StatementKind::Serial => "read the serial number aloud and type it",
            StatementKind::Seal => "read the number of the seal aloud and type it",
            StatementKind::PhotographSha256 => "type the SHA-256 of the photograph",
        })
    }

    /// What was typed, as it is written down.
    ///
    /// # Errors
    /// Why it cannot be.
    pub fn value(&self, typed: &str) -> Result<String, String> {
        match self.kind {
            StatementKind::PhotographSha256 => {
                let digits: String = typed.chars().filter(|c| !c.is_whitespace()).collect();
                digits.parse::<Digest>().map(|digest| digest.to_string())
            }
            StatementKind::Statement => bounded(typed, LONGEST_STATEMENT),
            StatementKind::Serial | StatementKind::Seal => bounded(typed, LONGEST_NUMBER),
        }
    }
}

fn bounded(typed: &str, longest: usize) -> Result<String, String> {
    match typed.chars().count() {
        0 => Err("nothing was typed".into()),
        length if length > longest => Err(format!("{length} characters, at most {longest}")),
        _ if typed.chars().any(char::is_control) => Err("a control character is in it".into()),
        _ => Ok(typed.to_owned()),
    }
}

impl Rules for Record {
    fn may_recur(&self) -> bool {
        true
    }

    fn may_follow_release(&self) -> bool {
        true
    }

    fn labels(&self) -> Vec<&str> {
        vec![&self.label]
    }

    fn check(&self, seats: &Seats, _: &ProfileFile) -> Result<(), String> {
        let printable = |text: &str| text.bytes().all(|b| matches!(b, b' '..=b'~'));
        let Self { label, ask, by, .. } = self;
        if seats.of(*by) == 0 {
            return Err(format!("by is {}, [people] has none", by.as_str()));
        }
        if label.is_empty() || label.len() > 60 || !printable(label) {
            return Err(format!("label {label:?} is not 1 to 60 printable ASCII characters"));
        }
        match ask {
            Some(ask) if ask.is_empty() || ask.len() > 300 || !printable(ask) => {
                Err(format!("ask {ask:?} is not 1 to 300 printable ASCII characters"))
            }
            _ => Ok(()),
        }
    }

    fn is_confirmed(&self) -> bool {
        false
    }

    fn explanation(&self) -> &'static str {
        "Writes down what one of you says or reads off."
    }

    fn paper(&self) -> OnPaper {
        let paper = OnPaper::new([self.ask().to_owned()], ["What was written down"], ["The same"]);
        let facts = vec![
            ("What", format!("{} of {}", self.kind.as_str(), self.label)),
            ("Said by", self.by.as_str().to_owned()),
            ("As it was said", String::new()),
            ("", String::new()),
        ];
        OnPaper { facts, ..paper }
    }

    fn allows(&self, event: &Event) -> Result<(), String> {
        match event {
            Event::Statement(found)
                if (found.kind, &found.label, found.role) == (self.kind, &self.label, self.by) =>
            {
                Ok(())
            }
            event => super::not_asked(event),
        }
    }

    fn is_done(&self, _: &State, events: &[&Event]) -> Result<(), String> {
        match events.iter().any(|event| matches!(event, Event::Statement(_))) {
            true => Ok(()),
            false => Err("nothing was written down".into()),
        }
    }
}
