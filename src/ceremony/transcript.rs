//! Writing the transcript: what was noted is on disk before people type anything, before a PIN is tried, and
//! before the token makes or signs anything.

use der::DateTime;

use crate::digest::Digest;
use crate::failure::Failure;
use crate::ledger::{Error as LedgerError, Ledger, Line};
use crate::record::{Event, FIRST, Record, State};

/// The transcript of one ceremony, being written, and what it adds up to.
#[derive(Clone, Debug)]
pub struct Transcript {
    ceremony: i64,
    number: u64,
    head: Digest,
    noted: Vec<Line>,
    state: State,
}

impl Transcript {
    /// Goes on where the ledger's transcripts end.
    pub fn open(ledger: &Ledger, ceremony: i64) -> Result<Self, Failure> {
        let head = ledger.last_line()?.map_or(FIRST, |line| Digest::of(line.as_bytes()));
        let (state, number) = ledger.state(ceremony)?;
        Ok(Self { ceremony, number, head, noted: Vec::new(), state })
    }

    /// Notes one event, to be written with [`Transcript::write`] or with what comes next.
    pub fn note(&mut self, now: DateTime, event: Event) -> Result<(), Failure> {
        let number = self.number + 1;
        let record = Record { number, time: now.to_string(), event, previous: self.head };
        let text = record.line().map_err(Failure::fault)?;
        self.state.apply(&record).map_err(|e| Failure::fault(format!("internal: record {number} {e}")))?;
        self.number = number;
        self.head = Digest::of(text.as_bytes());
        self.noted.push(Line { ceremony: self.ceremony, number, text });
        Ok(())
    }

    /// What its records add up to, those that are not written yet too.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// What was noted and not written yet. It stays here until [`Transcript::wrote`].
    pub fn noted(&self) -> &[Line] {
        &self.noted
    }

    /// All that was noted is on disk.
    pub fn wrote(&mut self) {
        self.noted.clear();
    }

    /// What was noted went to disk with something else, or failed with it: then what was noted for it is
    /// taken back, to what was noted `before`.
    pub fn settle<T>(&mut self, before: Self, result: Result<T, LedgerError>) -> Result<T, Failure> {
        match &result {
            Ok(_) => self.wrote(),
            Err(_) => *self = before,
        }
        Ok(result?)
    }

    /// Writes what was noted, synced.
    pub fn write(&mut self, ledger: &mut Ledger) -> Result<(), Failure> {
        ledger.append(&self.noted)?;
        self.wrote();
        Ok(())
    }

    /// SHA-256 over the last line.
    pub fn head(&self) -> Digest {
        self.head
    }
}
