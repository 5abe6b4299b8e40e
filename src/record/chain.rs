//! The hash chain: JSON Lines in which each record contains the digest of the previous line.

use std::io::{self, BufRead, BufReader, Read};

use schemars::JsonSchema;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::Event;
use crate::digest::Digest;

/// The `previous` digest of the first record of a ledger.
pub const FIRST: Digest = Digest::ZERO;

/// Maximum length of a transcript line, in octets including its line feed. The longest line that a ceremony
/// writes, a record of refusals, stays below half of this.
pub const LONGEST_LINE: u64 = 8 << 20;

/// A record: one line of a transcript.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Record {
    /// Number within the ceremony, from 1.
    pub number: u64,
    /// Time of writing, UTC (RFC 3339, to the second).
    pub time: String,
    /// The event.
    #[serde(flatten)]
    pub event: Event,
    /// SHA-256 of the previous line, without its line feed.
    pub previous: Digest,
}

/// A record whose event is not interpreted: the chain covers unknown events too.
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
    /// Parses one line, without its line feed.
    ///
    /// # Errors
    /// The defect, which includes an event that this version does not know.
    pub fn read(line: &str) -> Result<Self, String> {
        let Link { number, time, previous, .. } = serde_json::from_str(line).map_err(|e| e.to_string())?;
        if time.parse::<der::DateTime>().is_err() {
            return Err(format!("time {time:?} is not of the form YYYY-MM-DDThh:mm:ssZ"));
        }
        let event = serde_json::from_str(line).map_err(|e| e.to_string())?;
        Ok(Self { number, time, event, previous })
    }

    /// Serializes the record as a line, without a line feed.
    ///
    /// # Errors
    /// The error of serde_json, which does not occur with the events of this program.
    pub fn line(&self) -> Result<String, String> {
        serde_json::to_string(self).map_err(|e| e.to_string())
    }
}

/// Verifies numbers and digests, line by line.
#[derive(Clone, Debug, Default)]
pub struct Chain {
    lines: u64,
    head: Option<Digest>,
}

impl Chain {
    /// Verifies the next line, given without its line feed.
    ///
    /// # Errors
    /// Why the line does not continue the chain.
    pub fn line(&mut self, line: &str) -> Result<(), String> {
        self.lines += 1;
        let wrong = |what: &str| format!("transcript line {}: {what}", self.lines);
        let link: Link = serde_json::from_str(line).map_err(|e| wrong(&e.to_string()))?;
        if link.number != self.lines {
            return Err(wrong(&format!("has number {}, expected {}", link.number, self.lines)));
        }
        if self.head.is_some_and(|head| head != link.previous) {
            return Err(wrong("does not contain the digest of the previous line"));
        }
        self.head = Some(Digest::of(line.as_bytes()));
        Ok(())
    }

    /// Returns SHA-256 of the last line, the head to which the manifest refers.
    ///
    /// # Errors
    /// The transcript is empty.
    pub fn head(self) -> Result<Digest, String> {
        self.head.ok_or_else(|| "transcript is empty".into())
    }
}

/// Passes each line of a transcript to `each`, without its line feed. The flag is false for a last line that
/// has no line feed and for a line longer than [`LONGEST_LINE`]. Invalid UTF-8 is replaced, which breaks the
/// chain.
///
/// # Errors
/// Any error of `from`.
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
