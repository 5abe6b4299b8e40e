//! An object in JSON whose first member is a list of any length: written entry by entry, each on a line of its
//! own, so that memory stays flat.

use serde::Serialize;

use super::output::say;
use crate::failure::Failure;

/// Writes the object.
pub struct JsonList {
    name: &'static str,
    empty: bool,
}

impl JsonList {
    /// A list of this name.
    pub fn new(name: &'static str) -> Self {
        Self { name, empty: true }
    }

    /// Writes the next entry.
    pub fn entry(&mut self, entry: &impl Serialize) -> Result<(), Failure> {
        let before =
            if std::mem::take(&mut self.empty) { format!("{{\"{}\":[\n", self.name) } else { ",".to_owned() };
        say(&format!("{before}{}", serde_json::to_string(entry).map_err(unencoded)?));
        Ok(())
    }

    /// Ends the list and writes the other members: those of `rest`, which is an object.
    pub fn end(self, rest: &impl Serialize) -> Result<(), Failure> {
        let before = if self.empty { format!("{{\"{}\":[\n", self.name) } else { String::new() };
        let rest = serde_json::to_string(rest).map_err(unencoded)?;
        say(&format!("{before}],{}", rest.trim_start_matches('{')));
        Ok(())
    }
}

fn unencoded(error: serde_json::Error) -> Failure {
    Failure::fault(error.to_string())
}
