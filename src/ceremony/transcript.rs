//! Writing the transcript: what was noted is on disk before people type anything, before a PIN is
//! tried, and before the token makes or signs anything.

use crate::failure::Failure;
use der::DateTime;
use serde::Deserialize;
use serde_json::Value;

use crate::digest::Digest;
use crate::ledger::{Error as LedgerError, Ledger, Line};
use crate::release::{FIRST, Record, chain_head};

/// How far an unfinished ceremony came, as its transcript says.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// So many steps are done, from the first.
    pub done: usize,
    /// SHA-256 of the module that it began with.
    pub module: Digest,
}

/// The first record of a ceremony, as far as it tells of the module.
#[derive(Deserialize)]
struct Begin {
    module: ModuleFacts,
}

#[derive(Deserialize)]
struct ModuleFacts {
    sha256: Digest,
}

#[derive(Deserialize)]
struct Done {
    number: usize,
}

impl Standing {
    /// Reads the transcript of a ceremony.
    pub fn of(ledger: &Ledger, ceremony: i64) -> Result<Self, Failure> {
        let fault = |e: serde_json::Error| Failure::fault(format!("ledger: transcript: {e}"));
        let (mut module, mut done) = (None, 0);
        ledger.transcript::<Failure>(ceremony, &mut |line| {
            if module.is_none() {
                let record: Record = serde_json::from_str(line).map_err(fault)?;
                let begin: Begin = serde_json::from_value(record.data).map_err(fault)?;
                module = Some(begin.module.sha256);
            } else if line.contains("\"event\":\"done\"") {
                let record: Record = serde_json::from_str(line).map_err(fault)?;
                if record.event == "done" {
                    let Done { number } = serde_json::from_value(record.data).map_err(fault)?;
                    done = done.max(number);
                }
            }
            Ok(())
        })?;
        let module = module.ok_or_else(|| Failure::fault("ledger: the ceremony has no transcript"))?;
        Ok(Self { done, module })
    }
}

/// The transcript of one ceremony, being written.
#[derive(Clone, Debug)]
pub struct Transcript {
    ceremony: i64,
    number: u64,
    head: String,
    noted: Vec<Line>,
}

impl Transcript {
    /// Goes on where the ledger's transcripts end.
    pub fn open(ledger: &Ledger, ceremony: i64) -> Result<Self, Failure> {
        let head = ledger.last_line()?.map_or_else(|| FIRST.to_owned(), |line| chain_head(&line));
        Ok(Self { ceremony, number: ledger.transcript_length(ceremony)?, head, noted: Vec::new() })
    }

    /// Notes one record, to be written with [`Transcript::write`] or with what comes next.
    pub fn note(&mut self, now: DateTime, event: &str, data: Value) -> Result<(), Failure> {
        let number = self.number + 1;
        let record = Record {
            number,
            time: now.to_string(),
            event: event.to_owned(),
            data,
            previous: self.head.clone(),
        };
        let text = serde_json::to_string(&record).map_err(|e| Failure::fault(e.to_string()))?;
        self.number = number;
        self.head = chain_head(&text);
        self.noted.push(Line { ceremony: self.ceremony, number, text });
        Ok(())
    }

    /// What was noted and not written yet. It stays here until [`Transcript::wrote`].
    pub fn noted(&self) -> &[Line] {
        &self.noted
    }

    /// All that was noted is on disk.
    pub fn wrote(&mut self) {
        self.noted.clear();
    }

    /// What was noted went to disk with something else, or failed with it: then what was noted for it
    /// is taken back, to what was noted `before`.
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

    /// The digest of the last line.
    pub fn head(&self) -> &str {
        &self.head
    }
}
