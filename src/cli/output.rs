//! Output to standard output and standard error.

use std::io::{IsTerminal, Write};

use serde::Serialize;

use super::wrap::{width, wrap};
use crate::failure::Failure;
use crate::media::shown;

/// Writes a line to standard output. Errors are ignored: a closed pipe must not stop signing.
pub fn say(text: &str) {
    let mut out = std::io::stdout();
    let _ = if out.is_terminal() {
        writeln!(out, "{}", wrap(text, width(&out)))
    } else {
        writeln!(out, "{text}")
    };
}

/// Writes an error to standard error.
pub fn complain(text: &str) {
    let mut out = std::io::stderr();
    // It may quote external input.
    let text = text.split('\n').map(shown).collect::<Vec<_>>().join("\n");
    let text = format!("keyrite: {text}");
    let _ = if out.is_terminal() {
        writeln!(out, "{}", wrap(&text, width(&out)))
    } else {
        writeln!(out, "{text}")
    };
}

/// Writes a value as JSON.
pub fn say_json(value: &impl Serialize) -> Result<(), Failure> {
    say(&serde_json::to_string_pretty(value).map_err(|e| Failure::fault(e.to_string()))?);
    Ok(())
}
