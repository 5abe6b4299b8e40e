//! People: what they do in a ceremony, and the name by which they signed in.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::media::shown;

/// What somebody does in a ceremony.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Leads the ceremony and answers for the script.
    Administrator,
    /// Types.
    Operator,
    /// Attests what was seen and holds nothing.
    Witness,
    /// Holds a share of the PIN.
    Custodian,
}

impl Role {
    /// All roles, in the order in which people sign in.
    pub const ALL: [Self; 4] = [Self::Administrator, Self::Operator, Self::Witness, Self::Custodian];

    /// The word for it in scripts, transcripts and on the screen.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Operator => "operator",
            Self::Witness => "witness",
            Self::Custodian => "custodian",
        }
    }
}

/// Somebody who signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
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
    /// Why that is not a name; what was typed is not repeated, for it may have been a PIN.
    pub fn new(role: Role, name: &str) -> Result<Self, String> {
        let allowed = |c: char| c.is_alphanumeric() || " .,'-()".contains(c);
        let length = name.chars().count();
        if !(2..=LONGEST_NAME).contains(&length) || !name.chars().all(allowed) {
            return Err(format!("a name has 2 to {LONGEST_NAME} letters, digits, spaces and .,'-()"));
        }
        let letters = name.chars().filter(|c| c.is_alphabetic()).count();
        if letters <= name.chars().filter(|c| c.is_numeric()).count() {
            return Err("that is not a name: a name has more letters than digits".into());
        }
        if NO_NAMES.iter().any(|word| name.eq_ignore_ascii_case(word)) {
            return Err("that is not a name".into());
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
