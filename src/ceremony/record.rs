//! The step record: a statement, a serial number, a seal number or a photograph's digest, as
//! somebody says it or reads it off.

use crate::failure::Failure;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::conductor::Conductor;
use super::people::Question;
use super::script::Step;
use super::seats::Role;
use crate::digest::Digest;
use crate::media::shown;

/// What is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// What somebody says.
    Statement,
    /// A serial number.
    Serial,
    /// The number of a seal or of a tamper-evident bag.
    Seal,
    /// SHA-256 of a photograph.
    PhotographSha256,
}

/// The longest statement, in characters.
const LONGEST_STATEMENT: usize = 500;
/// The longest number, in characters.
const LONGEST_NUMBER: usize = 64;

impl Kind {
    /// The word for it in scripts and transcripts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Statement => "statement",
            Self::Serial => "serial",
            Self::Seal => "seal",
            Self::PhotographSha256 => "photograph-sha256",
        }
    }

    /// What is asked for where the script does not say it.
    pub fn question(self) -> &'static str {
        match self {
            Self::Statement => "say it aloud and type what you state, in one line",
            Self::Serial => "read the serial number aloud and type it",
            Self::Seal => "read the number of the seal aloud and type it",
            Self::PhotographSha256 => "type the SHA-256 of the photograph",
        }
    }

    /// What was typed as it is written down.
    fn read(self, typed: &str) -> Result<String, String> {
        match self {
            Self::PhotographSha256 => {
                let digits: String = typed.chars().filter(|c| !c.is_whitespace()).collect();
                digits.parse::<Digest>().map(|digest| digest.to_string())
            }
            Self::Statement => bounded(typed, LONGEST_STATEMENT),
            Self::Serial | Self::Seal => bounded(typed, LONGEST_NUMBER),
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

/// Checks label and wording of a step.
pub fn check(label: &str, ask: Option<&str>) -> Result<(), String> {
    let printable = |text: &str| text.bytes().all(|b| matches!(b, b' '..=b'~'));
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

/// Checks that no two records have one label: it is their name in an answers file.
pub fn check_labels(steps: &[Step]) -> Result<(), String> {
    let labels: Vec<&str> = labels(steps).collect();
    for (at, label) in labels.iter().enumerate() {
        if labels.iter().take(at).any(|before| before == label) {
            return Err(format!("step record: label {label:?} stands there twice"));
        }
    }
    Ok(())
}

/// The labels of all records.
pub fn labels(steps: &[Step]) -> impl Iterator<Item = &str> {
    steps.iter().filter_map(|step| match step {
        Step::Record { label, .. } => Some(label.as_str()),
        _ => None,
    })
}

impl Conductor<'_> {
    /// Has it typed, a number twice, and writes it down.
    pub(super) fn record_step(
        &mut self,
        kind: Kind,
        label: &str,
        ask: Option<&str>,
        by: Role,
    ) -> Result<(), Failure> {
        let person = self.seat(by)?;
        let what = ask.unwrap_or_else(|| kind.question());
        self.people.show(&format!("  {}: {}", kind.as_str(), shown(label)));
        let mut question = Question::value(label, format!("{}: {}", person.title(), shown(what)));
        let value = loop {
            let typed = self.answer(&question, None)?;
            let value = match kind.read(&typed) {
                Ok(value) => value,
                Err(wrong) if self.people.unattended() => {
                    return Err(Failure::usage(format!("answers: record {label:?}: {wrong}")));
                }
                Err(wrong) => {
                    self.people.show(&format!("  That cannot be written down: {}.", shown(&wrong)));
                    continue;
                }
            };
            if kind == Kind::Statement || self.people.unattended() {
                break value;
            }
            question.text = format!("{}: type it once more, from the thing itself", person.title());
            let again = self.answer(&question, None)?;
            question.text = format!("{}: {}", person.title(), shown(what));
            if kind.read(&again).is_ok_and(|again| again == value) {
                break value;
            }
            self.people.show("  The two differ; nothing was written down. Once more from the start.");
        };
        self.people.show(&format!("  written down: {}", shown(&value)));
        self.record(
            "statement",
            json!({ "kind": kind, "label": label, "value": value, "by": person.name, "role": person.role }),
        )
    }
}
