//! Ceremonies: their plan, how far they came, their transcript, their release.

use der::DateTime;
use rusqlite::{Connection, OptionalExtension, params};
use serde::Deserialize;

use super::{Error, Ledger};
use crate::digest::Digest;
use crate::media::shown;
use crate::record::{LONGEST_LINE, Record, State};

/// A ceremony that was begun and is not done.
#[derive(Clone, Debug)]
pub struct OpenCeremony {
    /// Its number.
    pub id: i64,
    /// Its plan, as it was written down.
    pub plan: String,
}

/// A ceremony as it is written down.
#[derive(Clone, Debug)]
pub struct CeremonyRow {
    /// Its number.
    pub id: i64,
    /// Its plan, as it was written down.
    pub plan: String,
    /// The cluster that it signs for.
    pub cluster: Option<String>,
    /// How many requests are approved.
    pub approved: usize,
    /// How many are refused.
    pub refused: usize,
    /// Whether it is done.
    pub done: bool,
}

/// What is written down of a release before it goes out: with the rows of requests and
/// certificates it gives the very same octets again.
#[derive(Clone, Debug)]
pub struct ReleaseRow {
    /// Number of the release in this ledger.
    pub sequence: u64,
    /// Number of the ceremony that made it.
    pub ceremony: i64,
    /// The manifest without its lists, JSON.
    pub head: String,
    /// SHA-256 over the manifest.
    pub manifest: Digest,
    /// The manifest's detached signature.
    pub signature: Vec<u8>,
}

/// A line of a transcript, to be appended.
#[derive(Clone, Debug)]
pub struct Line {
    /// Number of the ceremony.
    pub ceremony: i64,
    /// Number of the line in it, from 1.
    pub number: u64,
    /// The line, without a line feed.
    pub text: String,
}

impl Ledger {
    /// The ceremony that is not done, if there is one.
    pub fn open_ceremony(&self) -> Result<Option<OpenCeremony>, Error> {
        Ok(self
            .db
            .query_row("SELECT id, plan FROM ceremony WHERE done = 0 ORDER BY id LIMIT 1", [], |row| {
                Ok(OpenCeremony { id: row.get(0)?, plan: row.get(1)? })
            })
            .optional()?)
    }

    /// The numbers of all ceremonies, in their order.
    pub fn ceremonies(&self) -> Result<Vec<i64>, Error> {
        let mut statement = self.db.prepare("SELECT id FROM ceremony ORDER BY id")?;
        Ok(statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
    }

    /// One ceremony.
    ///
    /// # Errors
    /// [`Error::Fault`] when there is none of this number.
    pub fn ceremony(&self, id: i64) -> Result<CeremonyRow, Error> {
        let sql = "SELECT plan, approved, refused, done, cluster FROM ceremony WHERE id = ?1";
        Ok(self.db.query_row(sql, [id], |row| {
            let (approved, refused): (u32, u32) = (row.get(1)?, row.get(2)?);
            Ok(CeremonyRow {
                id,
                plan: row.get(0)?,
                cluster: row.get(4)?,
                approved: approved as usize,
                refused: refused as usize,
                done: row.get(3)?,
            })
        })?)
    }

    /// The number that the next ceremony gets.
    pub fn next_ceremony(&self) -> Result<i64, Error> {
        Ok(self.db.query_row("SELECT coalesce(max(id), 0) + 1 FROM ceremony", [], |row| row.get(0))?)
    }

    /// How many requests of a ceremony are approved, and how many refused.
    pub fn counts(&self, ceremony: i64) -> Result<(usize, usize), Error> {
        let sql = "SELECT approved, refused FROM ceremony WHERE id = ?1";
        let counts: (u32, u32) = self.db.query_row(sql, [ceremony], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok((counts.0 as usize, counts.1 as usize))
    }

    /// Appends lines to the transcript, all or none, synced.
    pub fn append(&mut self, lines: &[Line]) -> Result<(), Error> {
        if lines.is_empty() {
            return Ok(());
        }
        let transaction = self.db.transaction()?;
        write_lines(&transaction, lines)?;
        transaction.commit()?;
        Ok(())
    }

    /// How many lines a ceremony's transcript has.
    pub fn transcript_length(&self, ceremony: i64) -> Result<u64, Error> {
        let sql = "SELECT count(*) FROM transcript WHERE ceremony = ?1";
        let count: i64 = self.db.query_row(sql, [ceremony], |row| row.get(0))?;
        Ok(count.unsigned_abs())
    }

    /// The time of the last record of the last transcript.
    ///
    /// # Errors
    /// [`Error::Fault`] when the database fails or the line is no record.
    pub fn last_time(&self) -> Result<Option<DateTime>, Error> {
        self.last_line()?.as_deref().map(written).transpose()
    }

    /// Visits the lines of a ceremony's transcript.
    ///
    /// # Errors
    /// [`Error::Fault`] when the database fails or a line is too long; whatever `each` returns.
    pub fn transcript<E: From<Error>>(
        &self,
        ceremony: i64,
        each: &mut dyn FnMut(&str) -> Result<(), E>,
    ) -> Result<(), E> {
        let sql = "SELECT line FROM transcript WHERE ceremony = ?1 ORDER BY number";
        let mut statement = self.db.prepare(sql).map_err(Error::from)?;
        let mut rows = statement.query([ceremony]).map_err(Error::from)?;
        while let Some(row) = rows.next().map_err(Error::from)? {
            let line: String = row.get(0).map_err(Error::from)?;
            if line.len() as u64 > LONGEST_LINE {
                let length = line.len();
                Err(Error::Fault(format!(
                    "ceremony {ceremony}: a line of its transcript has {length} octets, at most {LONGEST_LINE} may stand there"
                )))?;
            }
            each(&line)?;
        }
        Ok(())
    }

    /// Every record of this event, with the number of its ceremony, the oldest first.
    ///
    /// # Errors
    /// [`Error::Fault`] when the database fails or a line is no record.
    pub fn records_of(&self, event: &str) -> Result<Vec<(i64, Record)>, Error> {
        let sql =
            "SELECT ceremony, line FROM transcript WHERE line ->> 'event' = ?1 ORDER BY ceremony, number";
        let mut statement = self.db.prepare(sql)?;
        let rows = statement.query_map([event], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))?;
        let record = |row: rusqlite::Result<(i64, String)>| {
            let (ceremony, line) = row?;
            let record = Record::read(&line);
            Ok((ceremony, record.map_err(|e| Error::Fault(format!("ceremony {ceremony}: {e}")))?))
        };
        rows.map(record).collect()
    }

    /// What the records of a ceremony add up to, and how many there are.
    ///
    /// # Errors
    /// [`Error::Fault`] when the database fails, or a record does not follow from those before it.
    pub fn state(&self, ceremony: i64) -> Result<(State, u64), Error> {
        let (mut state, mut count) = (State::default(), 0);
        self.transcript::<Error>(ceremony, &mut |line| {
            count += 1;
            let fault = |e| Error::Fault(format!("ceremony {ceremony}: record {count}: {e}"));
            state.apply(&Record::read(line).map_err(fault)?).map_err(fault)
        })?;
        Ok((state, count))
    }

    /// The last line of the last transcript, to which a new one is chained.
    pub fn last_line(&self) -> Result<Option<String>, Error> {
        let sql = "SELECT line FROM transcript ORDER BY ceremony DESC, number DESC LIMIT 1";
        Ok(self.db.prepare_cached(sql)?.query_row([], |row| row.get(0)).optional()?)
    }

    /// Marks a ceremony as done, with the last lines of its transcript.
    pub fn finish(&mut self, ceremony: i64, lines: &[Line]) -> Result<(), Error> {
        let transaction = self.db.transaction()?;
        write_lines(&transaction, lines)?;
        transaction.execute("UPDATE ceremony SET done = 1 WHERE id = ?1", [ceremony])?;
        transaction.commit()?;
        Ok(())
    }

    /// The last release.
    pub fn last_release(&self) -> Result<Option<ReleaseRow>, Error> {
        self.release_where("1 = 1 OR ceremony = ?1", 0)
    }

    /// The release of a ceremony.
    pub fn release(&self, ceremony: i64) -> Result<Option<ReleaseRow>, Error> {
        self.release_where("ceremony = ?1", ceremony)
    }

    /// The release of this number.
    pub fn release_number(&self, sequence: u64) -> Result<Option<ReleaseRow>, Error> {
        self.release_where("sequence = ?1", i64::try_from(sequence).unwrap_or(i64::MAX))
    }

    fn release_where(&self, condition: &str, ceremony: i64) -> Result<Option<ReleaseRow>, Error> {
        let sql = format!(
            "SELECT sequence, head, manifest_sha256, signature, ceremony FROM release WHERE {condition} ORDER BY sequence DESC LIMIT 1"
        );
        let row = self.db.query_row(&sql, [ceremony], |row| {
            let sequence: i64 = row.get(0)?;
            let digest: [u8; 32] = row.get(2)?;
            Ok(ReleaseRow {
                sequence: sequence.unsigned_abs(),
                head: row.get(1)?,
                manifest: digest.into(),
                signature: row.get(3)?,
                ceremony: row.get(4)?,
            })
        });
        Ok(row.optional()?)
    }

    /// Writes down a release before it goes out, with the record of its signature.
    pub fn record_release(
        &mut self,
        ceremony: i64,
        release: &ReleaseRow,
        lines: &[Line],
    ) -> Result<(), Error> {
        let transaction = self.db.transaction()?;
        write_lines(&transaction, lines)?;
        transaction.execute(
            "INSERT INTO release (sequence, ceremony, head, manifest_sha256, signature) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![release.sequence as i64, ceremony, release.head, release.manifest.as_bytes(), release.signature],
        )?;
        Ok(transaction.commit()?)
    }
}

/// When a record was written, as it says itself.
fn written(line: &str) -> Result<DateTime, Error> {
    #[derive(Deserialize)]
    struct Written {
        time: String,
    }
    let time = serde_json::from_str(line).ok().and_then(|Written { time }| time.parse().ok());
    time.ok_or_else(|| {
        let start: String = line.chars().take(60).collect();
        Error::Fault(format!("a line of a transcript is not a record with a time: {}", shown(&start)))
    })
}

/// Appends lines to the transcript.
pub fn write_lines(db: &Connection, lines: &[Line]) -> Result<(), Error> {
    for line in lines {
        db.prepare_cached("INSERT INTO transcript (ceremony, number, line) VALUES (?1, ?2, ?3)")?
            .execute(params![line.ceremony, line.number as i64, line.text])?;
    }
    Ok(())
}
