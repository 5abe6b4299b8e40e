//! Ceremonies: their plans, progress, transcripts and releases.

use der::DateTime;
use rusqlite::{Connection, OptionalExtension, Params, params};
use serde::Deserialize;

use super::{Error, Ledger, unsigned};
use crate::digest::Digest;
use crate::media::shown;
use crate::record::{LONGEST_LINE, Record, State};

/// A stored ceremony.
#[derive(Clone, Debug)]
pub struct CeremonyRow {
    /// Number of the ceremony.
    pub id: i64,
    /// The stored [`Setup`](crate::plan::Setup), as JSON.
    pub setup: String,
    /// Cluster that the script names.
    pub cluster: Option<String>,
    /// Number of approved requests.
    pub approved: usize,
    /// Number of refused requests.
    pub refused: usize,
    /// Whether the ceremony is finished.
    pub done: bool,
}

/// A release, stored before it is written: together with the rows of requests and certificates it reproduces
/// the release exactly.
#[derive(Clone, Debug)]
pub struct ReleaseRow {
    /// Number of the release in this ledger.
    pub sequence: u64,
    /// Number of the ceremony that made it.
    pub ceremony: i64,
    /// The manifest without its lists, JSON.
    pub head: String,
    /// SHA-256 of the manifest.
    pub manifest: Digest,
    /// Detached signature of the manifest.
    pub signature: Vec<u8>,
}

/// A line to append to a transcript.
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
    /// Whether something may have been signed in the unfinished ceremony: by its records or by its rows, because
    /// either may have been edited.
    ///
    /// # Errors
    /// [`Error::Fault`] when the records cannot be read.
    pub fn may_have_signed(&self) -> Result<bool, Error> {
        let Some(open) = self.open_ceremony()? else { return Ok(false) };
        let rows = "SELECT EXISTS (SELECT 1 FROM certificate WHERE id > ?1)";
        let rows: bool = self.db.query_row(rows, [self.before(open.id)?], |row| row.get(0))?;
        Ok(rows || self.state(open.id)?.0.may_have_signed())
    }

    /// Returns the unfinished ceremony, if there is one.
    pub fn open_ceremony(&self) -> Result<Option<CeremonyRow>, Error> {
        let sql = "SELECT id FROM ceremony WHERE done = 0 ORDER BY id LIMIT 1";
        let id: Option<i64> = self.db.query_row(sql, [], |row| row.get(0)).optional()?;
        id.map(|id| self.ceremony(id)).transpose()
    }

    /// Returns the numbers of all ceremonies, in order.
    pub fn ceremonies(&self) -> Result<Vec<i64>, Error> {
        let mut statement = self.db.prepare("SELECT id FROM ceremony ORDER BY id")?;
        Ok(statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
    }

    /// Returns a ceremony.
    ///
    /// # Errors
    /// [`Error::Fault`] if there is none with this number.
    pub fn ceremony(&self, id: i64) -> Result<CeremonyRow, Error> {
        let sql = "SELECT plan, approved, refused, done, cluster FROM ceremony WHERE id = ?1";
        Ok(self.db.query_row(sql, [id], |row| {
            let (approved, refused): (u32, u32) = (row.get(1)?, row.get(2)?);
            Ok(CeremonyRow {
                id,
                setup: row.get(0)?,
                cluster: row.get(4)?,
                approved: approved as usize,
                refused: refused as usize,
                done: row.get(3)?,
            })
        })?)
    }

    /// Returns the number of the next ceremony.
    pub fn next_ceremony(&self) -> Result<i64, Error> {
        Ok(self.db.query_row("SELECT coalesce(max(id), 0) + 1 FROM ceremony", [], |row| row.get(0))?)
    }

    /// Appends lines to the transcript, atomically and synced.
    pub fn append(&mut self, lines: &[Line]) -> Result<(), Error> {
        if lines.is_empty() {
            return Ok(());
        }
        let transaction = self.db.transaction()?;
        write_lines(&transaction, lines)?;
        transaction.commit()?;
        Ok(())
    }

    /// Returns the number of lines in a ceremony's transcript.
    pub fn transcript_length(&self, ceremony: i64) -> Result<u64, Error> {
        let sql = "SELECT count(*) FROM transcript WHERE ceremony = ?1";
        Ok(self.db.query_row(sql, [ceremony], |row| unsigned(row, 0))?)
    }

    /// Returns the time of the last record in the ledger.
    ///
    /// # Errors
    /// [`Error::Fault`] if the line is not a record.
    pub fn last_time(&self) -> Result<Option<DateTime>, Error> {
        self.last_line()?.as_deref().map(written).transpose()
    }

    /// Passes the lines of a ceremony's transcript to `each`.
    ///
    /// # Errors
    /// [`Error::Fault`] if a line is too long; any error of `each`.
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
                    "ceremony {ceremony}: a transcript line has {length} octets, must be at most {LONGEST_LINE}"
                )))?;
            }
            each(&line)?;
        }
        Ok(())
    }

    /// Returns all records of this event with their ceremonies' numbers, oldest first.
    ///
    /// # Errors
    /// [`Error::Fault`] if a line is not a record.
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

    /// Returns the state derived from the records of a ceremony, and their number.
    ///
    /// # Errors
    /// [`Error::Fault`] if a record does not follow from those before it.
    pub fn state(&self, ceremony: i64) -> Result<(State, u64), Error> {
        let (mut state, mut count) = (State::default(), 0);
        self.transcript::<Error>(ceremony, &mut |line| {
            count += 1;
            let fault = |e| Error::Fault(format!("ceremony {ceremony}: record {count}: {e}"));
            state.apply(&Record::read(line).map_err(fault)?).map_err(fault)
        })?;
        Ok((state, count))
    }

    /// Returns the last line of the last transcript, to which a new transcript is chained.
    pub fn last_line(&self) -> Result<Option<String>, Error> {
        let sql = "SELECT line FROM transcript ORDER BY ceremony DESC, number DESC LIMIT 1";
        Ok(self.db.prepare_cached(sql)?.query_row([], |row| row.get(0)).optional()?)
    }

    /// Marks a ceremony as finished and appends the last lines of its transcript.
    pub fn finish(&mut self, ceremony: i64, lines: &[Line]) -> Result<(), Error> {
        let transaction = self.db.transaction()?;
        write_lines(&transaction, lines)?;
        transaction.execute("UPDATE ceremony SET done = 1 WHERE id = ?1", [ceremony])?;
        transaction.commit()?;
        Ok(())
    }

    /// Returns the last release.
    pub fn last_release(&self) -> Result<Option<ReleaseRow>, Error> {
        self.release_where("TRUE", [])
    }

    /// Returns the release of a ceremony.
    pub fn release(&self, ceremony: i64) -> Result<Option<ReleaseRow>, Error> {
        self.release_where("ceremony = ?1", [ceremony])
    }

    /// Returns the release with this number.
    pub fn release_number(&self, sequence: u64) -> Result<Option<ReleaseRow>, Error> {
        self.release_where("sequence = ?1", [i64::try_from(sequence).unwrap_or(i64::MAX)])
    }

    fn release_where(&self, condition: &str, values: impl Params) -> Result<Option<ReleaseRow>, Error> {
        let sql = format!(
            "SELECT sequence, head, manifest_sha256, signature, ceremony FROM release WHERE {condition} ORDER BY sequence DESC LIMIT 1"
        );
        let row = self.db.query_row(&sql, values, |row| {
            let digest: [u8; 32] = row.get(2)?;
            Ok(ReleaseRow {
                sequence: unsigned(row, 0)?,
                head: row.get(1)?,
                manifest: digest.into(),
                signature: row.get(3)?,
                ceremony: row.get(4)?,
            })
        });
        Ok(row.optional()?)
    }

    /// Stores a release, and the record of its signature, before it is written.
    pub fn record_release(&mut self, release: &ReleaseRow, lines: &[Line]) -> Result<(), Error> {
        let transaction = self.db.transaction()?;
        write_lines(&transaction, lines)?;
        transaction.execute(
            "INSERT INTO release (sequence, ceremony, head, manifest_sha256, signature) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![release.sequence as i64, release.ceremony, release.head, release.manifest.as_bytes(), release.signature],
        )?;
        Ok(transaction.commit()?)
    }
}

/// Returns the time of a record.
fn written(line: &str) -> Result<DateTime, Error> {
    #[derive(Deserialize)]
    struct Written {
        time: String,
    }
    let time = serde_json::from_str(line).ok().and_then(|Written { time }| time.parse().ok());
    time.ok_or_else(|| {
        let start: String = line.chars().take(60).collect();
        Error::Fault(format!("a transcript line is not a record: {}", shown(&start)))
    })
}

/// Appends lines to a transcript.
pub fn write_lines(db: &Connection, lines: &[Line]) -> Result<(), Error> {
    for line in lines {
        db.prepare_cached("INSERT INTO transcript (ceremony, number, line) VALUES (?1, ?2, ?3)")?
            .execute(params![line.ceremony, line.number as i64, line.text])?;
    }
    Ok(())
}
