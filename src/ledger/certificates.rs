//! Reservations and certificates.

use der::DateTime;
use rusqlite::{Connection, OptionalExtension, params};

use super::ceremonies::{Line, write_lines};
use super::rows::token_key;
use super::{Error, Ledger, unsigned};
use crate::digest::Digest;
use crate::issuance::{Certificate, Signed, ToBeSigned};

/// A serial number and octets that are on disk: the only thing that an authority's key signs.
#[derive(Debug)]
pub struct Reservation {
    row: i64,
    tbs: ToBeSigned,
}

impl Reservation {
    /// Returns the octets to sign.
    pub fn tbs(&self) -> &ToBeSigned {
        &self.tbs
    }
}

/// The content of one synced transaction: signed certificates, their transcript lines, and new
/// reservations.
#[derive(Debug, Default)]
pub struct Advance {
    /// Certificates, each with its reservation.
    pub signed: Vec<(Reservation, Signed)>,
    /// Lines of the transcript.
    pub lines: Vec<Line>,
    /// Rows of approved requests, and the octets to reserve for them.
    pub reserve: Vec<(i64, ToBeSigned)>,
}

impl Ledger {
    /// Enables automatic checkpoints of the write-ahead log: while certificates are signed there is time for them.
    pub fn enable_checkpoints(&mut self) -> Result<(), Error> {
        if self.checkpoints {
            return Ok(());
        }
        self.checkpoints = true;
        Ok(self.db.execute_batch("PRAGMA wal_autocheckpoint = 1000")?)
    }

    /// Checkpoints the log if [`Ledger::enable_checkpoints`] was called, while the ceremony waits for something
    /// else, so that closing the ledger is fast. Pages that cannot be moved now stay in the log.
    pub fn checkpoint(&mut self) {
        if self.checkpoints {
            let _ = self.db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
        }
    }

    /// Returns the reservation that an interrupted run made in this row, for octets that were built again; None
    /// if the ledger has none for exactly these octets, or has its signature.
    pub fn reservation(&self, row: i64, tbs: ToBeSigned) -> Result<Option<Reservation>, Error> {
        let sql = "SELECT 1 FROM certificate c WHERE id = ?1 AND tbs = ?2 AND serial = ?3 AND authority = ?4 AND NOT EXISTS (SELECT 1 FROM issued i WHERE i.id = c.id)";
        let found: Option<i64> = self
            .db
            .prepare_cached(sql)?
            .query_row(params![row, tbs.octets(), tbs.serial().as_bytes(), tbs.issuer()], |row| row.get(0))
            .optional()?;
        Ok(found.map(|_| Reservation { row, tbs }))
    }

    /// Records signed certificates and reserves the next ones, atomically and synced.
    ///
    /// # Errors
    /// [`Error::Fault`] when a request already has a reservation, a reservation already has a
    /// signature, or the disk fails.
    pub fn advance(&mut self, advance: Advance) -> Result<Vec<Reservation>, Error> {
        let transaction = self.db.transaction()?;
        {
            let mut statement =
                transaction.prepare_cached("INSERT INTO issued (id, signature) VALUES (?1, ?2)")?;
            for (reservation, signed) in &advance.signed {
                statement.execute(params![reservation.row, signed.signature()])?;
            }
        }
        write_lines(&transaction, &advance.lines)?;
        let mut reserved = Vec::with_capacity(advance.reserve.len());
        for (row, tbs) in advance.reserve {
            reserved.push(insert(&transaction, row, tbs)?);
        }
        transaction.commit()?;
        Ok(reserved)
    }

    /// Reserves the certificate of a key in the token with its transcript lines, synced.
    pub fn reserve_for_key(
        &mut self,
        ceremony: i64,
        name: &str,
        spki: Digest,
        tbs: ToBeSigned,
        lines: &[Line],
    ) -> Result<Reservation, Error> {
        let transaction = self.db.transaction()?;
        write_lines(&transaction, lines)?;
        transaction.execute(
            "INSERT INTO request (ceremony, path, sha256, spki_sha256, octets) VALUES (?1, ?2, x'', ?3, x'')",
            params![ceremony, token_key(name), spki.as_bytes()],
        )?;
        let reservation = insert(&transaction, transaction.last_insert_rowid(), tbs)?;
        transaction.commit()?;
        Ok(reservation)
    }

    /// Records the certificate of a key in the token with its signature and transcript lines, atomically and
    /// synced.
    pub fn certify_key(
        &mut self,
        name: &str,
        reservation: &Reservation,
        certificate: (&Signed, &Certificate),
        lines: &[Line],
    ) -> Result<(), Error> {
        let (signed, certificate) = certificate;
        let transaction = self.db.transaction()?;
        write_lines(&transaction, lines)?;
        let issued = "INSERT INTO issued (id, signature) VALUES (?1, ?2)";
        transaction.execute(issued, params![reservation.row, signed.signature()])?;
        let key = "UPDATE token_key SET certificate = ?2 WHERE name = ?1";
        transaction.execute(key, params![name, certificate.der()])?;
        Ok(transaction.commit()?)
    }

    /// Returns the row before a ceremony's first request.
    pub fn before(&self, ceremony: i64) -> Result<i64, Error> {
        let sql = "SELECT first_request - 1 FROM ceremony WHERE id = ?1";
        Ok(self.db.query_row(sql, [ceremony], |row| row.get(0))?)
    }

    /// Returns the last row of a ceremony's requests; the next ceremony's follow.
    pub fn last_row(&self, ceremony: i64) -> Result<i64, Error> {
        let sql = "SELECT coalesce(min(first_request) - 1, 9223372036854775807) FROM ceremony WHERE id > ?1";
        Ok(self.db.query_row(sql, [ceremony], |row| row.get(0))?)
    }

    /// Returns the last row with a reservation; requests are reserved in order.
    pub fn last_reserved_request(&self, ceremony: i64) -> Result<i64, Error> {
        let before = self.before(ceremony)?;
        let sql = "SELECT c.id FROM certificate c JOIN request r ON r.id = c.id WHERE c.id > ?1 AND r.approval IS NOT NULL ORDER BY c.id DESC LIMIT 1";
        let last: Option<i64> = self.db.query_row(sql, [before], |row| row.get(0)).optional()?;
        Ok(last.unwrap_or(before))
    }

    /// Returns the number of requests of a ceremony that have a certificate.
    pub fn answered(&self, ceremony: i64) -> Result<usize, Error> {
        let sql = "SELECT count(*) FROM issued i JOIN request r ON r.id = i.id WHERE i.id > ?1 AND r.approval IS NOT NULL";
        let count: u32 = self.db.query_row(sql, [self.before(ceremony)?], |row| row.get(0))?;
        Ok(count as usize)
    }
}

impl Ledger {
    /// Returns the number of certificates of a ceremony that have expired.
    pub fn expired(&self, ceremony: i64, now: DateTime) -> Result<u64, Error> {
        let sql = "SELECT count(*) FROM certificate c JOIN issued i ON i.id = c.id JOIN request r ON r.id = c.id WHERE c.id > ?1 AND r.approval IS NOT NULL AND c.not_after < ?2";
        let seconds = i64::try_from(now.unix_duration().as_secs()).unwrap_or(i64::MAX);
        Ok(self.db.query_row(sql, params![self.before(ceremony)?, seconds], |row| unsigned(row, 0))?)
    }
}

fn insert(db: &Connection, row: i64, tbs: ToBeSigned) -> Result<Reservation, Error> {
    let seconds = i64::try_from(tbs.not_after().unix_duration().as_secs()).unwrap_or(i64::MAX);
    db.prepare_cached(
        "INSERT INTO certificate (id, authority, serial, tbs, not_after) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![row, tbs.issuer(), tbs.serial().as_bytes(), tbs.octets(), seconds])?;
    Ok(Reservation { row, tbs })
}
