//! `record`: a statement, a serial number, a seal number or a photograph's digest.

use serde::Deserialize;

use super::{OnPaper, Rules};
use crate::digest::Digest;
use crate::plan::Roles;
use crate::policy::ProfileFile;
use crate::record::{Event, Role, State, StatementKind};

/// Records what a person states or reads off.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Kind of statement.
    pub kind: StatementKind,
    /// What the statement is about.
    pub label: String,
    /// Instruction to the person; the default depends on the kind.
    pub ask: Option<String>,
    /// Role of the person.
    #[serde(default = "operator")]
    pub by: Role,
}

fn operator() -> Role {
    Role::Operator
}

/// Maximum length of a statement, in characters.
const LONGEST_STATEMENT: usize = 500;
/// Maximum length of a number, in characters.
const LONGEST_NUMBER: usize = 64;

impl Record {
    /// Returns the instruction to the person.
    pub fn ask(&self) -> &str {
        self.ask.as_deref().unwrap_or(match self.kind {
            StatementKind::Statement => "say your statement aloud and type it, in one line",
            StatementKind::Serial => "read the serial number aloud and type it",
            StatementKind::Seal => "read the number of the seal aloud and type it",
            StatementKind::PhotographSha256 => "type the SHA-256 of the photograph",
        })
    }

    /// Normalizes the input for the record.
    ///
    /// # Errors
    /// Why the input is invalid.
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
        0 => Err("empty input".into()),
        length if length > longest => Err(format!("{length} characters, must be at most {longest}")),
        _ if typed.chars().any(char::is_control) => Err("contains a control character".into()),
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

    fn check(&self, roles: &Roles, _: &ProfileFile) -> Result<(), String> {
        let printable = |text: &str| text.bytes().all(|b| matches!(b, b' '..=b'~'));
        let Self { label, ask, by, .. } = self;
        if roles.of(*by) == 0 {
            return Err(format!("by is {}, but [people] has none", by.as_str()));
        }
        if label.is_empty() || label.len() > 60 || !printable(label) {
            return Err(format!("label {label:?} must be 1 to 60 printable ASCII characters"));
        }
        match ask {
            Some(ask) if ask.is_empty() || ask.len() > 300 || !printable(ask) => {
                Err(format!("ask {ask:?} must be 1 to 300 printable ASCII characters"))
            }
            _ => Ok(()),
        }
    }

    fn is_confirmed(&self) -> bool {
        false
    }

    fn explanation(&self) -> &'static str {
        "Records what one of you states or reads off."
    }

    fn paper(&self) -> OnPaper {
        let paper = OnPaper::new([self.ask().to_owned()], ["The recorded text"], ["The same"]);
        let facts = vec![
            ("What", format!("{} of {}", self.kind.as_str(), self.label)),
            ("Stated by", self.by.as_str().to_owned()),
            ("Statement", String::new()),
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
        if events.iter().any(|event| matches!(event, Event::Statement(_))) {
            Ok(())
        } else {
            Err("nothing was recorded".into())
        }
    }
}
