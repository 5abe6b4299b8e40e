//! People: their roles in a ceremony, and the names with which they sign in.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::media::shown;

/// The role of a person in a ceremony.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Leads the ceremony and is responsible for the script.
    Administrator,
    /// Operates the terminal.
    Operator,
    /// Attests to what happened and holds no share.
    Witness,
    /// Holds a share of the PIN.
    Custodian,
}

impl Role {
    /// All roles, in the order in which people sign in.
    pub const ALL: [Self; 4] = [Self::Administrator, Self::Operator, Self::Witness, Self::Custodian];

    /// Returns the role's name in scripts, transcripts and on screen.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Operator => "operator",
            Self::Witness => "witness",
            Self::Custodian => "custodian",
        }
    }
}

/// A person who signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// The person's role.
    pub role: Role,
    /// The name as typed.
    pub name: String,
}

/// Maximum length of a name, in characters.
const LONGEST_NAME: usize = 60;
/// Words that people type at prompts, which are not accepted as names.
const RESERVED_WORDS: [&str; 17] = [
    "again", "back", "cancel", "continue", "done", "enter", "exit", "help", "next", "no", "none", "ok",
    "quit", "show", "start", "written", "yes",
];

impl Person {
    /// Creates a person after validating the name.
    ///
    /// # Errors
    /// Why the name is invalid. The input is not repeated, because it may have been a PIN.
    pub fn new(role: Role, name: &str) -> Result<Self, String> {
        let allowed = |c: char| c.is_alphanumeric() || " .,'-()".contains(c);
        let length = name.chars().count();
        if !(2..=LONGEST_NAME).contains(&length) || !name.chars().all(allowed) {
            return Err(format!(
                "a name must be 2 to {LONGEST_NAME} characters: letters, digits, spaces and .,'-()"
            ));
        }
        let letters = name.chars().filter(|c| c.is_alphabetic()).count();
        if letters <= name.chars().filter(|c| c.is_numeric()).count() {
            return Err("a name must have more letters than digits".into());
        }
        if RESERVED_WORDS.iter().any(|word| name.eq_ignore_ascii_case(word)) {
            return Err("this word is not accepted as a name".into());
        }
        Ok(Self { role, name: name.to_owned() })
    }

    /// Whether both names are the same, ignoring case, spaces and punctuation.
    pub fn is(&self, other: &Self) -> bool {
        let plain = |name: &str| {
            name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>()
        };
        plain(&self.name) == plain(&other.name)
    }

    /// Returns name and role, escaped for display.
    pub fn title(&self) -> String {
        format!("{} ({})", shown(&self.name), self.role.as_str())
    }
}
