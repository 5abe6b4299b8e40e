//! Writes the transcript: pending records are on disk before people type anything, before a PIN is tried, and
//! before the token makes or signs anything.

use der::DateTime;

use crate::digest::Digest;
use crate::failure::Failure;
use crate::ledger::{Error as LedgerError, Ledger, Line};
use crate::record::{Event, FIRST, Record, State};

/// The transcript of one ceremony being written, and the state that it results in.
#[derive(Clone, Debug)]
pub struct Transcript {
    ceremony: i64,
    number: u64,
    head: Digest,
    pending: Vec<Line>,
    state: State,
}

impl Transcript {
    /// Continues after the ledger's last record.
    pub fn open(ledger: &Ledger, ceremony: i64) -> Result<Self, Failure> {
        let head = ledger.last_line()?.map_or(FIRST, |line| Digest::of(line.as_bytes()));
        let (state, number) = ledger.state(ceremony)?;
        Ok(Self { ceremony, number, head, pending: Vec::new(), state })
    }

    /// Adds a pending record, written by [`Transcript::write`] or with another write to the ledger.
    pub fn note(&mut self, now: DateTime, event: Event) -> Result<(), Failure> {
        let number = self.number + 1;
        let record = Record { number, time: now.to_string(), event, previous: self.head };
        let text = record.line().map_err(Failure::fault)?;
        self.state.apply(&record).map_err(|e| Failure::fault(format!("internal: record {number} {e}")))?;
        self.number = number;
        self.head = Digest::of(text.as_bytes());
        self.pending.push(Line { ceremony: self.ceremony, number, text });
        Ok(())
    }

    /// Returns the state after all records, including pending ones.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Returns the pending records; they stay pending until [`Transcript::mark_written`].
    pub fn pending(&self) -> &[Line] {
        &self.pending
    }

    /// Notes that all pending records are on disk.
    pub fn mark_written(&mut self) {
        self.pending.clear();
    }

    /// Ends a write to the ledger that included the pending records: on failure the transcript is rolled back
    /// to `before`.
    pub fn settle<T>(&mut self, before: Self, result: Result<T, LedgerError>) -> Result<T, Failure> {
        match &result {
            Ok(_) => self.mark_written(),
            Err(_) => *self = before,
        }
        Ok(result?)
    }

    /// Writes and syncs the pending records.
    pub fn write(&mut self, ledger: &mut Ledger) -> Result<(), Failure> {
        ledger.append(&self.pending)?;
        self.mark_written();
        Ok(())
    }

    /// Returns the SHA-256 over the last line.
    pub fn head(&self) -> Digest {
        self.head
    }
}
