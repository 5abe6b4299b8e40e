//! Writing the transcript: each record is on disk before the ceremony goes on.

use der::DateTime;
use serde_json::Value;

use super::Error;
use crate::ledger::Ledger;
use crate::release::{FIRST, Record, chain_head};

/// The transcript of one ceremony, being written.
#[derive(Debug)]
pub struct Transcript {
    ceremony: i64,
    number: u64,
    head: String,
}

impl Transcript {
    /// Goes on where the ledger's transcripts end.
    pub fn open(ledger: &Ledger, ceremony: i64) -> Result<Self, Error> {
        let head = ledger.last_line()?.map_or_else(|| FIRST.to_owned(), |line| chain_head(&line));
        Ok(Self { ceremony, number: ledger.transcript(ceremony)?.len() as u64, head })
    }

    /// Writes one record.
    pub fn record(
        &mut self,
        ledger: &mut Ledger,
        now: DateTime,
        event: &str,
        data: Value,
    ) -> Result<(), Error> {
        let record = Record {
            number: self.number + 1,
            time: now.to_string(),
            event: event.to_owned(),
            data,
            previous: self.head.clone(),
        };
        let line = serde_json::to_string(&record).map_err(|e| Error::Fault(e.to_string()))?;
        ledger.append(self.ceremony, record.number, now, &line)?;
        self.number = record.number;
        self.head = chain_head(&line);
        Ok(())
    }

    /// The digest of the last line.
    pub fn head(&self) -> &str {
        &self.head
    }
}
