//! Claims: one sentence each, with what was compared and what came out.

use schemars::JsonSchema;
use serde::Serialize;

use crate::media::shown;

/// What came out of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It is so.
    Holds,
    /// It is not so.
    Fails,
    /// What was given does not tell.
    CannotBeTold,
}

impl Outcome {
    /// The words for it.
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
    /// Its ID, which never changes its meaning.
    pub id: &'static str,
    /// What came out.
    pub outcome: Outcome,
    /// What was compared, with both values where they differ.
    pub text: String,
}

/// The claims about one source.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Section {
    /// What it is.
    pub source: String,
    /// What it says of itself.
    pub notes: Vec<String>,
    /// The claims, in the order in which they were examined.
    pub claims: Vec<Claim>,
}

impl Section {
    /// Nothing claimed yet.
    pub fn new(source: String) -> Self {
        Self { source, ..Self::default() }
    }

    /// Notes something that is no claim.
    pub fn note(&mut self, text: impl AsRef<str>) {
        self.notes.push(shown(text.as_ref()));
    }

    fn claim(&mut self, id: &'static str, outcome: Outcome, text: &str) {
        self.claims.push(Claim { id, outcome, text: shown(text) });
    }

    /// Notes a comparison: the text of what holds, or of what is wrong.
    pub fn compared(&mut self, id: &'static str, result: Result<String, String>) {
        match result {
            Ok(text) => self.claim(id, Outcome::Holds, &text),
            Err(text) => self.claim(id, Outcome::Fails, &text),
        }
    }

    /// Notes that a comparison lacks one side.
    pub fn untold(&mut self, id: &'static str, text: impl AsRef<str>) {
        self.claim(id, Outcome::CannotBeTold, text.as_ref());
    }
}

/// All claims.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Source by source; the last is what they say together.
    pub sections: Vec<Section>,
}

impl Report {
    /// How many claims came out so.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.sections
            .iter()
            .flat_map(|section| &section.claims)
            .filter(|claim| claim.outcome == outcome)
            .count()
    }
}
