//! The transcript's form: JSON Lines, each record carrying the digest of the line before.

use serde::de::IgnoredAny;
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

/// One record as the chain needs it: its particulars are passed over, for no memory is worth them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Link {
    number: u64,
    #[serde(rename = "time")]
    _time: String,
    #[serde(rename = "event")]
    _event: String,
    #[serde(rename = "data")]
    _data: IgnoredAny,
    previous: String,
}

/// The digest by which the next line, and the manifest, point at this one.
pub fn chain_head(line: &str) -> String {
    Digest::of(line.as_bytes()).to_string()
}

/// A check of numbers and chain, line by line.
#[derive(Debug, Default)]
pub struct Chain {
    lines: u64,
    head: Option<String>,
}

impl Chain {
    /// Takes in the next line, without its line feed.
    ///
    /// # Errors
    /// [`Error`] when it does not fit.
    pub fn line(&mut self, line: &str) -> Result<(), Error> {
        self.lines += 1;
        let wrong = |what: &str| Error(format!("transcript line {}: {what}", self.lines));
        let record: Link = serde_json::from_str(line).map_err(|e| wrong(&e.to_string()))?;
        if record.number != self.lines {
            return Err(wrong(&format!("has number {}", record.number)));
        }
        if self.head.as_ref().is_some_and(|head| *head != record.previous) {
            return Err(wrong("does not carry the digest of the line before"));
        }
        self.head = Some(chain_head(line));
        Ok(())
    }

    /// The digest of the last line.
    ///
    /// # Errors
    /// [`Error`] when there was none.
    pub fn head(self) -> Result<String, Error> {
        self.head.ok_or_else(|| Error("transcript is empty".into()))
    }
}
