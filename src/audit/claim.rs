//! Claims: one sentence each, with what was compared and the outcome.

use schemars::JsonSchema;
use serde::Serialize;

use crate::media::shown;

/// Outcome of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Both sides agree.
    Holds,
    /// The sides differ.
    Fails,
    /// Unknown: one side was not given.
    CannotBeTold,
}

impl Outcome {
    /// Returns the outcome in words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Fails => "FAILS",
            Self::CannotBeTold => "cannot be told",
        }
    }
}

/// One claim.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Claim {
    /// ID; its meaning never changes.
    pub id: &'static str,
    /// Outcome.
    pub outcome: Outcome,
    /// What was compared, with both values if they differ.
    pub text: String,
}

/// The claims about one source.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Section {
    /// Name of the source.
    pub source: String,
    /// Facts that the source states about itself.
    pub notes: Vec<String>,
    /// Claims in the order of examination.
    pub claims: Vec<Claim>,
}

impl Section {
    /// Returns a section without claims.
    pub fn new(source: String) -> Self {
        Self { source, ..Self::default() }
    }

    /// Adds a note.
    pub fn note(&mut self, text: impl AsRef<str>) {
        self.notes.push(shown(text.as_ref()));
    }

    fn claim(&mut self, id: &'static str, outcome: Outcome, text: &str) {
        self.claims.push(Claim { id, outcome, text: shown(text) });
    }

    /// Adds a comparison: the text of what holds or of what is wrong.
    pub fn compared(&mut self, id: &'static str, result: Result<String, String>) {
        match result {
            Ok(text) => self.claim(id, Outcome::Holds, &text),
            Err(text) => self.claim(id, Outcome::Fails, &text),
        }
    }

    /// Adds a comparison that lacks one side.
    pub fn unknown(&mut self, id: &'static str, text: impl AsRef<str>) {
        self.claim(id, Outcome::CannotBeTold, text.as_ref());
    }
}

/// All claims.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// One section per source, then what the sources say together, then the witnesses.
    pub sections: Vec<Section>,
}

impl Report {
    /// Returns the number of claims with this outcome.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.sections
            .iter()
            .flat_map(|section| &section.claims)
            .filter(|claim| claim.outcome == outcome)
            .count()
    }
}
