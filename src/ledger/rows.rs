//! Rows of requests and their outcomes, read in order, in groups that fit in memory.

use rusqlite::{Connection, Row as Columns};

use super::paths::path;
use super::{Error, Ledger};
use crate::digest::Digest;
use crate::media::RelativePath;
use crate::request::Reason;

/// A request and its outcome, unvalidated: the audit also reads rows that were modified.
#[derive(Clone, Debug)]
pub struct Row {
    /// Number of the row; rows are ordered by ceremony, then by path.
    pub id: i64,
    /// Number of the ceremony.
    pub ceremony: i64,
    /// The request's path; `token-key:NAME` for a key in the token.
    pub path: String,
    /// SHA-256 of the file.
    pub sha256: Vec<u8>,
    /// The file; only [`Rows::All`] reads it.
    pub octets: Vec<u8>,
    /// SHA-256 of the SubjectPublicKeyInfo, unless the request is malformed.
    pub spki_sha256: Option<Vec<u8>>,
    /// The SubjectPublicKeyInfo to be certified, DER.
    pub spki: Option<Vec<u8>>,
    /// JSON of the approval.
    pub approval: Option<String>,
    /// JSON of the reasons for the refusal.
    pub refusal: Option<String>,
    /// Number of the bundle, if it has an index.
    pub bundle: Option<i64>,
    /// The reservation, if there is one.
    pub reserved: Option<ReservedRow>,
}

/// A reservation, unvalidated.
#[derive(Clone, Debug)]
pub struct ReservedRow {
    /// Name of the authority.
    pub authority: String,
    /// The serial number.
    pub serial: Vec<u8>,
    /// The reserved octets.
    pub tbs: Vec<u8>,
    /// notAfter of the certificate, in seconds since 1970.
    pub not_after: i64,
    /// The signature over `tbs`, once there is one.
    pub signature: Option<Vec<u8>>,
}

/// Selects the rows to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// All rows, with the imported files.
    All,
    /// Approved requests.
    Approved,
    /// Approved requests with a reservation and no signature.
    Reserved,
    /// Approved requests with a certificate.
    Issued,
    /// Refused requests.
    Refused,
}

/// Maximum number of rows in a group.
const GROUP: usize = 64;
/// Prefix of the path of a key in the token. The path of a request contains no colon.
const TOKEN_KEY: &str = "token-key:";

/// All columns except the file.
const COLUMNS: &str = "r.id, r.ceremony, r.path, r.sha256, r.spki_sha256, r.spki, r.approval, r.refusal, r.bundle, c.authority, c.serial, c.tbs, c.not_after, i.signature";
const TABLES: &str = "request r LEFT JOIN certificate c ON c.id = r.id LEFT JOIN issued i ON i.id = r.id";

/// Returns the path of a key in the token.
pub(super) fn token_key(name: &str) -> String {
    format!("{TOKEN_KEY}{name}")
}

impl Row {
    /// Returns the key's name, if this is the row of a key in the token.
    pub fn token_key(&self) -> Option<&str> {
        self.path.strip_prefix(TOKEN_KEY)
    }

    /// Returns the path of the request.
    ///
    /// # Errors
    /// [`Error::Fault`] when the row is damaged.
    pub fn request_path(&self) -> Result<RelativePath, Error> {
        path(self.path.clone())
    }

    /// Returns the SHA-256 of the request's file.
    ///
    /// # Errors
    /// [`Error::Fault`] when the row is damaged.
    pub fn request(&self) -> Result<Digest, Error> {
        let digest: [u8; 32] =
            self.sha256.as_slice().try_into().map_err(|_| self.damaged("SHA-256 is not 32 octets"))?;
        Ok(digest.into())
    }

    /// Returns the reasons for the refusal; empty if the request was not refused.
    ///
    /// # Errors
    /// [`Error::Fault`] when the row is damaged.
    pub fn reasons(&self) -> Result<Vec<Reason>, Error> {
        let Some(refusal) = &self.refusal else { return Ok(Vec::new()) };
        serde_json::from_str(refusal).map_err(|e| self.damaged(e))
    }

    fn damaged(&self, why: impl std::fmt::Display) -> Error {
        Error::Fault(format!("{}: {why}", self.path))
    }

    fn read(columns: &Columns<'_>, octets: Vec<u8>) -> rusqlite::Result<Self> {
        let authority: Option<String> = columns.get(9)?;
        let reserved = |authority| -> rusqlite::Result<ReservedRow> {
            Ok(ReservedRow {
                authority,
                serial: columns.get(10)?,
                tbs: columns.get(11)?,
                not_after: columns.get(12)?,
                signature: columns.get(13)?,
            })
        };
        Ok(Self {
            id: columns.get(0)?,
            ceremony: columns.get(1)?,
            path: columns.get(2)?,
            sha256: columns.get(3)?,
            octets,
            spki_sha256: columns.get(4)?,
            spki: columns.get(5)?,
            approval: columns.get(6)?,
            refusal: columns.get(7)?,
            bundle: columns.get(8)?,
            reserved: authority.map(reserved).transpose()?,
        })
    }
}

impl Rows {
    fn condition(self) -> &'static str {
        match self {
            Self::All => "",
            Self::Approved => " AND r.approval IS NOT NULL",
            Self::Reserved => " AND r.approval IS NOT NULL AND c.id IS NOT NULL AND i.id IS NULL",
            Self::Issued => " AND r.approval IS NOT NULL AND i.id IS NOT NULL",
            Self::Refused => " AND r.refusal IS NOT NULL",
        }
    }

    /// Returns at most `limit` rows after row `after`, up to and including row `last`.
    pub(super) fn page(
        self,
        db: &Connection,
        (after, last): (i64, i64),
        limit: usize,
    ) -> Result<Vec<Row>, Error> {
        let (octets, condition) = (if self == Self::All { ", r.octets" } else { "" }, self.condition());
        let sql = format!(
            "SELECT {COLUMNS}{octets} FROM {TABLES} WHERE r.id > ?1 AND r.id <= ?2{condition} ORDER BY r.id LIMIT ?3"
        );
        let mut statement = db.prepare_cached(&sql)?;
        let rows = statement.query_map(rusqlite::params![after, last, limit as i64], |columns| {
            let octets = if self == Self::All { columns.get(14)? } else { Vec::new() };
            Row::read(columns, octets)
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl Ledger {
    /// Returns at most `limit` rows after row `after`, to the end of the last ceremony.
    pub fn rows_after(&self, rows: Rows, after: i64, limit: usize) -> Result<Vec<Row>, Error> {
        rows.page(&self.db, (after, i64::MAX), limit)
    }

    /// Passes all rows of a ceremony to `each`, in groups. Takes `&mut self`, which another thread can use.
    pub fn rows<E: From<Error>>(
        &mut self,
        rows: Rows,
        ceremony: i64,
        each: &mut dyn FnMut(Vec<Row>) -> Result<(), E>,
    ) -> Result<(), E> {
        let (mut after, last) = (self.before(ceremony)?, self.last_row(ceremony)?);
        loop {
            let group = rows.page(&self.db, (after, last), GROUP)?;
            let Some(end) = group.last() else { return Ok(()) };
            after = end.id;
            each(group)?;
        }
    }

    /// Returns the row of a token key with a reserved, unsigned certificate; `spki` is the SHA-256 of its
    /// SubjectPublicKeyInfo.
    pub fn reserved_for_key(&self, ceremony: i64, name: &str, spki: Digest) -> Result<Option<Row>, Error> {
        let sql = format!(
            "SELECT {COLUMNS} FROM {TABLES} WHERE r.id > ?1 AND c.id IS NOT NULL AND i.id IS NULL AND r.path = ?2 AND r.spki_sha256 = ?3"
        );
        let key = rusqlite::params![self.before(ceremony)?, token_key(name), spki.as_bytes()];
        let mut statement = self.db.prepare(&sql)?;
        let mut rows = statement.query_map(key, |columns| Row::read(columns, Vec::new()))?;
        Ok(rows.next().transpose()?)
    }
}
