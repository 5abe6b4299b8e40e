//! Reservations and certificates.

use rusqlite::{OptionalExtension, params};

use super::{Error, Ledger};
use crate::digest::Digest;
use crate::issuance::{Certificate, Serial, ToBeSigned};
use crate::policy::{Approval, History};

/// Serial number and octets are on disk: the only thing that a token's authority key signs.
#[derive(Debug)]
pub struct Reservation {
    id: i64,
    tbs: ToBeSigned,
}

impl Reservation {
    /// The octets to be signed.
    pub fn tbs(&self) -> &ToBeSigned {
        &self.tbs
    }
}

/// A reservation for which no certificate is recorded yet.
#[derive(Debug)]
pub struct Pending {
    id: i64,
    /// Path of the request, or `authorities/NAME`.
    pub path: String,
    /// Name of the issuing authority.
    pub authority: String,
    /// The reserved serial number.
    pub serial: Serial,
    /// The reserved octets.
    pub tbs: Vec<u8>,
}

impl Pending {
    /// Whether it is for the key of this name in the token.
    pub fn is_for_key(&self, name: &str) -> bool {
        self.path == key_path(name)
    }

    /// The reservation again, once its octets have been checked anew.
    pub fn reservation(&self, tbs: ToBeSigned) -> Result<Reservation, Error> {
        if tbs.octets() != self.tbs || tbs.serial() != self.serial {
            return Err(Error::Fault(format!("{}: not the reserved octets", self.path)));
        }
        Ok(Reservation { id: self.id, tbs })
    }
}

/// What the ledger writes down of one reservation.
struct Entry<'a> {
    path: &'a str,
    request: Digest,
    spki: Digest,
    profile: &'a str,
}

impl Ledger {
    /// Reserves a group of certificates for approved requests, all or none, synced.
    ///
    /// # Errors
    /// [`Error::Fault`] when one of the serial numbers or paths is taken, or the disk fails.
    pub fn reserve(
        &mut self,
        ceremony: i64,
        group: Vec<(&Approval, ToBeSigned)>,
    ) -> Result<Vec<Reservation>, Error> {
        let transaction = self.db.transaction()?;
        let mut reserved = Vec::with_capacity(group.len());
        for (approval, tbs) in group {
            let entry = Entry {
                path: approval.path().as_str(),
                request: approval.request,
                spki: approval.key.digest(),
                profile: approval.profile_name(),
            };
            reserved.push(insert(&transaction, ceremony, &entry, tbs)?);
        }
        transaction.commit()?;
        Ok(reserved)
    }

    /// Reserves the certificate of a key in the token.
    ///
    /// # Errors
    /// As [`Ledger::reserve`].
    pub fn reserve_for_key(
        &mut self,
        ceremony: i64,
        name: &str,
        profile: &str,
        spki: Digest,
        tbs: ToBeSigned,
    ) -> Result<Reservation, Error> {
        let path = key_path(name);
        let entry = Entry { path: &path, request: spki, spki, profile };
        let transaction = self.db.transaction()?;
        let reservation = insert(&transaction, ceremony, &entry, tbs)?;
        transaction.commit()?;
        Ok(reservation)
    }

    /// Records a group of certificates, all or none, synced.
    ///
    /// # Errors
    /// [`Error::Fault`] when the disk fails.
    pub fn record(&mut self, group: &[(Reservation, Certificate)]) -> Result<(), Error> {
        let transaction = self.db.transaction()?;
        for (reservation, certificate) in group {
            let changed = transaction.execute(
                "UPDATE certificate SET certificate = ?2 WHERE id = ?1 AND certificate IS NULL",
                params![reservation.id, certificate.der()],
            )?;
            if changed != 1 {
                return Err(Error::Fault(format!("reservation {} is not open", reservation.id)));
            }
        }
        transaction.commit()?;
        Ok(())
    }

    /// The open reservations of a ceremony.
    ///
    /// # Errors
    /// [`Error::Fault`] when the database fails.
    pub fn pending(&self, ceremony: i64) -> Result<Vec<Pending>, Error> {
        let mut statement = self.db.prepare(
            "SELECT id, path, authority, serial, tbs FROM certificate WHERE ceremony = ?1 AND certificate IS NULL ORDER BY id",
        )?;
        let rows = statement.query_map([ceremony], |row| {
            let serial: [u8; 20] = row.get(3)?;
            Ok(Pending {
                id: row.get(0)?,
                path: row.get(1)?,
                authority: row.get(2)?,
                serial: serial.into(),
                tbs: row.get(4)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The certificate that a ceremony issued for this path.
    ///
    /// # Errors
    /// [`Error::Fault`] when the database fails.
    pub fn issued(&self, ceremony: i64, path: &str) -> Result<Option<Certificate>, Error> {
        let der: Option<Option<Vec<u8>>> = self
            .db
            .prepare_cached("SELECT certificate FROM certificate WHERE ceremony = ?1 AND path = ?2")?
            .query_row(params![ceremony, path], |row| row.get(0))
            .optional()?;
        der.flatten()
            .map(|der| Certificate::from_der(&der).map_err(|e| Error::Fault(e.to_string())))
            .transpose()
    }

    /// The certificate of a key in the token, as this ceremony issued it.
    ///
    /// # Errors
    /// [`Error::Fault`] when the database fails.
    pub fn issued_for_key(&self, ceremony: i64, name: &str) -> Result<Option<Certificate>, Error> {
        self.issued(ceremony, &key_path(name))
    }

    /// Whether the ceremony has reserved or issued for this path.
    ///
    /// # Errors
    /// [`Error::Fault`] when the database fails.
    pub fn is_reserved(&self, ceremony: i64, path: &str) -> Result<bool, Error> {
        let mut statement =
            self.db.prepare_cached("SELECT 1 FROM certificate WHERE ceremony = ?1 AND path = ?2")?;
        Ok(statement.exists(params![ceremony, path])?)
    }

    /// How many reservations a ceremony has made: more than none means that something may be signed.
    ///
    /// # Errors
    /// [`Error::Fault`] when the database fails.
    pub fn reservations(&self, ceremony: i64) -> Result<u64, Error> {
        let count: i64 =
            self.db.query_row("SELECT count(*) FROM certificate WHERE ceremony = ?1", [ceremony], |row| {
                row.get(0)
            })?;
        Ok(count.unsigned_abs())
    }

    /// What earlier ceremonies than this one did, for policy.
    pub fn history(&self, before: i64) -> impl History + '_ {
        Before { ledger: self, ceremony: before }
    }
}

fn key_path(name: &str) -> String {
    // A request's path has no such first component but by name, and its own ceremony has no bundle.
    format!("token-key:{name}")
}

fn insert(
    transaction: &rusqlite::Transaction<'_>,
    ceremony: i64,
    entry: &Entry<'_>,
    tbs: ToBeSigned,
) -> Result<Reservation, Error> {
    transaction
        .prepare_cached(
            "INSERT INTO certificate (ceremony, path, request_sha256, spki_sha256, authority, serial, profile, tbs) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            ceremony,
            entry.path,
            entry.request.to_string(),
            entry.spki.to_string(),
            tbs.issuer(),
            tbs.serial().as_bytes(),
            entry.profile,
            tbs.octets()
        ])?;
    Ok(Reservation { id: transaction.last_insert_rowid(), tbs })
}

struct Before<'a> {
    ledger: &'a Ledger,
    ceremony: i64,
}

impl Before<'_> {
    fn place(&self, column: &str, digest: Digest) -> Option<String> {
        let sql = format!(
            "SELECT ceremony, path FROM certificate WHERE {column} = ?1 AND ceremony < ?2 ORDER BY id DESC LIMIT 1"
        );
        let mut statement = self.ledger.db.prepare_cached(&sql).ok()?;
        statement
            .query_row(params![digest.to_string(), self.ceremony], |row| {
                Ok(format!("ceremony {} as {}", row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
            })
            .ok()
    }
}

impl History for Before<'_> {
    fn authority_with_key(&self, key: Digest) -> Option<String> {
        let keys = self.ledger.keys().unwrap_or_default();
        keys.into_iter()
            .find(|stored| stored.certificate.as_ref().is_some_and(|c| c.key().digest() == key))
            .map(|stored| stored.name)
    }

    fn certified_key(&self, key: Digest) -> Option<String> {
        self.place("spki_sha256", key)
    }

    fn answered_request(&self, request: Digest) -> Option<String> {
        self.place("request_sha256", request)
    }
}
