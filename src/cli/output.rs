//! What is written to standard output and standard error.

use std::io::{IsTerminal, Write};

use serde::Serialize;

use super::wrap::{WIDTH, wrap};
use crate::failure::Failure;
use crate::media::shown;

/// Writes a line to standard output. A reader that went away is no reason to stop signing.
pub fn say(text: &str) {
    let mut out = std::io::stdout();
    let _ = match out.is_terminal() {
        true => writeln!(out, "{}", wrap(text, WIDTH)),
        false => writeln!(out, "{text}"),
    };
}

/// Writes an error to standard error.
pub fn complain(text: &str) {
    let mut out = std::io::stderr();
    // What came from outside may stand in it, quoted by whoever read it.
    let text = &text.split('\n').map(shown).collect::<Vec<_>>().join("\n");
    let _ = match out.is_terminal() {
        true => writeln!(out, "{}", wrap(&format!("keyrite: {text}"), WIDTH)),
        false => writeln!(out, "keyrite: {text}"),
    };
}

/// Writes a value as JSON.
pub fn say_json(value: &impl Serialize) -> Result<(), Failure> {
    say(&serde_json::to_string_pretty(value).map_err(|e| Failure::fault(e.to_string()))?);
    Ok(())
}
