//! Ceremonies: their plan, how far they came, their transcript, their requests, their release.

use der::DateTime;
use rusqlite::{OptionalExtension, params};

use super::{Error, Ledger};
use crate::media::RelativePath;

/// A ceremony that was begun and is not done.
#[derive(Clone, Debug)]
pub struct OpenCeremony {
    /// Its number.
    pub id: i64,
    /// Its plan, as it was written down.
    pub plan: String,
    /// Index of the first step that is not done.
    pub next_step: usize,
}

/// What a release consists of besides certificates.
#[derive(Clone, Debug)]
pub struct ReleaseRow {
    /// Number of the release in this ledger.
    pub sequence: u64,
    /// The exact octets of the manifest.
    pub manifest: Vec<u8>,
    /// Its detached signature.
    pub signature: Vec<u8>,
    /// The transcript that goes with it.
    pub transcript: Vec<u8>,
}

impl Ledger {
    /// The ceremony that is not done, if there is one.
    ///
    /// # Errors
    /// [`Error::Fault`] when the database fails.
    pub fn open_ceremony(&self) -> Result<Option<OpenCeremony>, Error> {
        Ok(self
            .db
            .query_row(
                "SELECT id, plan, next_step FROM ceremony WHERE done = 0 ORDER BY id LIMIT 1",
                [],
                |row| {
                    let next_step: u32 = row.get(2)?;
                    Ok(OpenCeremony { id: row.get(0)?, plan: row.get(1)?, next_step: next_step as usize })
                },
            )
            .optional()?)
    }

    /// The number that the next ceremony gets.
    ///
    /// # Errors
    /// [`Error::Fault`] when the database fails.
    pub fn next_ceremony(&self) -> Result<i64, Error> {
        Ok(self.db.query_row("SELECT coalesce(max(id), 0) + 1 FROM ceremony", [], |row| row.get(0))?)
    }

    /// Begins a ceremony: its plan and all that came in, in one transaction.
    ///
    /// # Errors
    /// [`Error::Fault`] when the database fails.
    pub fn begin<'a>(
        &mut self,
        plan: &str,
        requests: impl Iterator<Item = (&'a RelativePath, &'a [u8])>,
    ) -> Result<i64, Error> {
        let transaction = self.db.transaction()?;
        transaction.execute("INSERT INTO ceremony (plan, next_step, done) VALUES (?1, 0, 0)", [plan])?;
        let id = transaction.last_insert_rowid();
        for (path, octets) in requests {
            transaction
                .prepare_cached("INSERT INTO request (ceremony, path, octets) VALUES (?1, ?2, ?3)")?
                .execute(params![id, path.as_str(), octets])?;
        }
        transaction.commit()?;
        Ok(id)
    }

    /// The requests of a ceremony, in the order of their paths.
    ///
    /// # Errors
    /// [`Error::Fault`] when the database fails.
    pub fn requests(&self, ceremony: i64) -> Result<Vec<(RelativePath, Vec<u8>)>, Error> {
        let mut statement =
            self.db.prepare("SELECT path, octets FROM request WHERE ceremony = ?1 ORDER BY path")?;
        let rows = statement.query_map([ceremony], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))?;
        rows.map(|row| {
            let (path, octets) = row?;
            let path = RelativePath::new(&path).map_err(|e| Error::Fault(e.to_string()))?;
            Ok((path, octets))
        })
        .collect()
    }

    /// Appends a line to the transcript, synced.
    ///
    /// # Errors
    /// [`Error::Fault`] when the database fails.
    pub fn append(&mut self, ceremony: i64, number: u64, time: DateTime, line: &str) -> Result<(), Error> {
        self.db.execute(
            "INSERT INTO transcript (ceremony, number, time, line) VALUES (?1, ?2, ?3, ?4)",
            params![ceremony, number as i64, time.to_string(), line],
        )?;
        Ok(())
    }

    /// The lines of a ceremony's transcript.
    ///
    /// # Errors
    /// [`Error::Fault`] when the database fails.
    pub fn transcript(&self, ceremony: i64) -> Result<Vec<String>, Error> {
        let mut statement =
            self.db.prepare("SELECT line FROM transcript WHERE ceremony = ?1 ORDER BY number")?;
        let rows = statement.query_map([ceremony], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The last line of the last transcript, to which a new one is chained.
    ///
    /// # Errors
    /// [`Error::Fault`] when the database fails.
    pub fn last_line(&self) -> Result<Option<String>, Error> {
        Ok(self
            .db
            .query_row("SELECT line FROM transcript ORDER BY ceremony DESC, number DESC LIMIT 1", [], |row| {
                row.get(0)
            })
            .optional()?)
    }

    /// Marks the steps before this index as done.
    ///
    /// # Errors
    /// [`Error::Fault`] when the database fails.
    pub fn step_done(&mut self, ceremony: i64, next_step: usize) -> Result<(), Error> {
        self.db.execute(
            "UPDATE ceremony SET next_step = ?2 WHERE id = ?1",
            params![ceremony, next_step as i64],
        )?;
        Ok(())
    }

    /// Marks a ceremony as done.
    ///
    /// # Errors
    /// [`Error::Fault`] when the database fails.
    pub fn finish(&mut self, ceremony: i64) -> Result<(), Error> {
        self.db.execute("UPDATE ceremony SET done = 1 WHERE id = ?1", [ceremony])?;
        Ok(())
    }

    /// The manifest of the last release and its sequence number.
    ///
    /// # Errors
    /// [`Error::Fault`] when the database fails.
    pub fn last_release(&self) -> Result<Option<ReleaseRow>, Error> {
        self.release_where("1 = 1 OR ceremony = ?1", 0)
    }

    /// The release of a ceremony.
    ///
    /// # Errors
    /// [`Error::Fault`] when the database fails.
    pub fn release(&self, ceremony: i64) -> Result<Option<ReleaseRow>, Error> {
        self.release_where("ceremony = ?1", ceremony)
    }

    fn release_where(&self, condition: &str, ceremony: i64) -> Result<Option<ReleaseRow>, Error> {
        let sql = format!(
            "SELECT sequence, manifest, signature, transcript FROM release WHERE {condition} ORDER BY sequence DESC LIMIT 1"
        );
        Ok(self
            .db
            .query_row(&sql, [ceremony], |row| {
                let sequence: i64 = row.get(0)?;
                Ok(ReleaseRow {
                    sequence: sequence.unsigned_abs(),
                    manifest: row.get(1)?,
                    signature: row.get(2)?,
                    transcript: row.get(3)?,
                })
            })
            .optional()?)
    }

    /// Writes down a release before it goes out.
    ///
    /// # Errors
    /// [`Error::Fault`] when the database fails.
    pub fn record_release(&mut self, ceremony: i64, release: &ReleaseRow) -> Result<(), Error> {
        self.db.execute(
            "INSERT INTO release (sequence, ceremony, manifest, signature, transcript) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![release.sequence as i64, ceremony, release.manifest, release.signature, release.transcript],
        )?;
        Ok(())
    }
}
