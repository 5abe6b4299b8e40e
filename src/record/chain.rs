//! The chain: JSON Lines, each record carrying the digest of the line before.

use std::io::{self, BufRead, BufReader, Read};

use schemars::JsonSchema;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::Event;
use crate::digest::Digest;

/// What the first record of a ledger carries in place of the digest of a line before it.
pub const FIRST: Digest = Digest::ZERO;

/// The longest line of a transcript, in octets with its line feed. The longest that a ceremony writes is a
/// record of refusals, which stays below half of it.
pub const LONGEST_LINE: u64 = 8 << 20;

/// One record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Record {
    /// Number within the ceremony, from 1.
    pub number: u64,
    /// When it was written, UTC (RFC 3339, to the second).
    pub time: String,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
    /// SHA-256 over the line before, without its line feed.
    pub previous: Digest,
}

/// A record without its event: all that the chain needs, whatever the event is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Link {
    number: u64,
    time: String,
    #[serde(rename = "event")]
    _event: String,
    #[serde(rename = "data")]
    _data: IgnoredAny,
    previous: Digest,
}

impl Record {
    /// Reads one line, without its line feed.
    ///
    /// # Errors
    /// What is wrong with it; an event that this version does not know is.
    pub fn read(line: &str) -> Result<Self, String> {
        let Link { number, time, previous, .. } = serde_json::from_str(line).map_err(|e| e.to_string())?;
        if time.parse::<der::DateTime>().is_err() {
            return Err(format!("{time:?} is not a time in UTC"));
        }
        let event = serde_json::from_str(line).map_err(|e| e.to_string())?;
        Ok(Self { number, time, event, previous })
    }

    /// The record as a line, without its line feed.
    ///
    /// # Errors
    /// What serde_json says, which is nothing for events of this program.
    pub fn line(&self) -> Result<String, String> {
        serde_json::to_string(self).map_err(|e| e.to_string())
    }
}

/// A check of numbers and digests, line by line.
#[derive(Clone, Debug, Default)]
pub struct Chain {
    lines: u64,
    head: Option<Digest>,
}

impl Chain {
    /// Takes in the next line, without its line feed.
    ///
    /// # Errors
    /// Why it does not follow the lines before it.
    pub fn line(&mut self, line: &str) -> Result<(), String> {
        self.lines += 1;
        let wrong = |what: &str| format!("transcript line {}: {what}", self.lines);
        let link: Link = serde_json::from_str(line).map_err(|e| wrong(&e.to_string()))?;
        if link.number != self.lines {
            return Err(wrong(&format!("has number {}", link.number)));
        }
        if self.head.is_some_and(|head| head != link.previous) {
            return Err(wrong("does not carry the digest of the line before"));
        }
        self.head = Some(Digest::of(line.as_bytes()));
        Ok(())
    }

    /// SHA-256 over the last line, by which the manifest points at the transcript.
    ///
    /// # Errors
    /// There was no line.
    pub fn head(self) -> Result<Digest, String> {
        self.head.ok_or_else(|| "transcript is empty".into())
    }
}

/// Gives each line of a transcript, without its line feed; `whole` is false for a last line that has none,
/// or for one that is longer than [`LONGEST_LINE`]. What is not UTF-8 is replaced, and so no longer chained.
///
/// # Errors
/// Whatever `from` fails with.
pub fn lines(from: impl Read, each: &mut dyn FnMut(&str, bool)) -> io::Result<()> {
    let mut reader = BufReader::with_capacity(1 << 16, from);
    let mut line = Vec::new();
    loop {
        line.clear();
        if (&mut reader).take(LONGEST_LINE).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let whole = line.last() == Some(&b'\n');
        if whole {
            line.pop();
        }
        each(&String::from_utf8_lossy(&line), whole);
    }
}
