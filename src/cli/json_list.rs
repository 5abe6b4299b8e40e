//! A JSON object whose first member is a list, streamed one entry per line in constant memory.

use serde::Serialize;

use super::output::say;
use crate::failure::Failure;

pub struct JsonList {
    name: &'static str,
    empty: bool,
}

impl JsonList {
    pub fn new(name: &'static str) -> Self {
        Self { name, empty: true }
    }

    fn start(&self) -> String {
        format!("{{\"{}\":[\n", self.name)
    }

    pub fn entry(&mut self, entry: &impl Serialize) -> Result<(), Failure> {
        let before = if std::mem::take(&mut self.empty) { self.start() } else { ",".to_owned() };
        say(&format!("{before}{}", serde_json::to_string(entry).map_err(unencoded)?));
        Ok(())
    }

    /// Ends the list and writes the members of the object `rest` after it.
    pub fn end(self, rest: &impl Serialize) -> Result<(), Failure> {
        let before = if self.empty { self.start() } else { String::new() };
        let rest = serde_json::to_string(rest).map_err(unencoded)?;
        say(&format!("{before}],{}", rest.trim_start_matches('{')));
        Ok(())
    }
}

fn unencoded(error: serde_json::Error) -> Failure {
    Failure::fault(error.to_string())
}
