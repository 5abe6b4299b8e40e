//! The transcript's form: JSON Lines, each record carrying the digest of the line before.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Error;
use crate::digest::Digest;

/// What stands for the line before the first one of a ledger.
pub const FIRST: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// One record.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Number within the ceremony, from 1.
    pub number: u64,
    /// When it was written, UTC.
    pub time: String,
    /// What happened.
    pub event: String,
    /// The particulars.
    pub data: Value,
    /// SHA-256 over the line before, without its line feed.
    pub previous: String,
}

/// The digest by which the next line, and the manifest, point at this one.
pub fn chain_head(line: &str) -> String {
    Digest::of(line.as_bytes()).to_string()
}

/// Checks numbers and chain of a whole transcript; returns the head.
///
/// # Errors
/// [`Error`] names the first line that does not fit.
pub fn check_chain(text: &str) -> Result<String, Error> {
    let mut head: Option<String> = None;
    for (at, line) in text.lines().enumerate() {
        let wrong = |what: &str| Error(format!("transcript line {}: {what}", at + 1));
        let record: Record = serde_json::from_str(line).map_err(|e| wrong(&e.to_string()))?;
        if record.number != at as u64 + 1 {
            return Err(wrong(&format!("has number {}", record.number)));
        }
        if head.as_ref().is_some_and(|head| *head != record.previous) {
            return Err(wrong("does not carry the digest of the line before"));
        }
        head = Some(chain_head(line));
    }
    head.ok_or_else(|| Error("transcript is empty".into()))
}
