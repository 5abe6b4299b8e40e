//! The ledger: durable storage of everything reserved, signed and released on the signing machine.
//!
//! A folder with one SQLite database, fully synced at each commit and locked by the program that uses it. A
//! serial number and its TBSCertificate are on disk before a token is asked to sign: only this module creates
//! a [`Reservation`]. Every method that uses the database returns [`Error::Fault`] if it fails.

mod ceremonies;
mod certificates;
mod conflicts;
mod consistency;
mod creation;
mod folder;
mod import;
mod keys;
mod paths;
mod reading;
mod renewals;
mod rows;
mod schema;
mod upgrade;

use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::failure::Failure;
use crate::media::quoted;

pub use ceremonies::{CeremonyRow, Line, ReleaseRow};
pub use certificates::{Advance, Reservation};
pub use import::{Import, Imported, KeptIndex};
pub use keys::StoredKey;
pub use reading::Entries;
pub use renewals::Ending;
pub use rows::{ReservedRow, Row, Rows};
pub use upgrade::{MIGRATIONS, Migration, Older};

/// An error of the ledger.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The ledger is missing, or not of the requested kind.
    #[error("{0}")]
    Refused(String),
    /// The database or the disk failed.
    #[error("ledger: {0}")]
    Fault(String),
}

/// Returns the command that resumes the unfinished ceremony of a ledger.
pub fn resume_command(folder: &Path) -> String {
    format!("keyrite ceremony resume --ledger {}", quoted(folder))
}

/// Returns the command that abandons the unfinished ceremony of a ledger, except for name and reason.
pub fn abandon_command(folder: &Path) -> String {
    format!("keyrite ceremony abandon --ledger {} --by NAME --reason TEXT", quoted(folder))
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(message) => Self::usage(message),
            fault @ Error::Fault(_) => Self::fault(fault.to_string()),
        }
    }
}

/// Reads a column that cannot be negative: a database may have been edited.
fn unsigned(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let number: i64 = row.get(column)?;
    u64::try_from(number).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, number))
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::TooBig) => Self::Fault("a value exceeds the maximum of 64 MiB".into()),
            _ => Self::Fault(error.to_string()),
        }
    }
}

/// An open ledger.
#[derive(Debug)]
pub struct Ledger {
    folder: PathBuf,
    db: Connection,
    rehearsal: bool,
    /// Whether this program created the database.
    new: bool,
    /// Whether this program created the folder.
    made: bool,
    /// Whether the log is checkpointed automatically.
    checkpoints: bool,
    _lock: Option<reading::ReadLock>,
}

impl Ledger {
    /// Opens the ledger in this folder, or creates one if the folder is missing or empty.
    ///
    /// # Errors
    /// [`Error::Refused`] if the folder has other contents, the ledger is in use by another program, or is of the
    /// other kind: a rehearsal's ledger cannot become a production ledger.
    pub fn open_or_create(folder: &Path, rehearsal: bool) -> Result<Self, Error> {
        let ledger = if Self::is_in(folder) { Self::open(folder)? } else { Self::create(folder, rehearsal)? };
        ledger.check_kind(rehearsal)?;
        Ok(ledger)
    }

    /// Checks that this kind of ceremony, rehearsal or production, may write to the ledger.
    ///
    /// # Errors
    /// [`Error::Refused`] if the ledger is of the other kind.
    pub fn check_kind(&self, rehearsal: bool) -> Result<(), Error> {
        let folder = self.folder.display();
        match (self.rehearsal, rehearsal) {
            (true, false) => Err(Error::Refused(format!(
                "{folder}: is a rehearsal's ledger; name another folder, or add --rehearsal"
            ))),
            (false, true) => Err(Error::Refused(format!(
                "{folder}: is a production ledger, which rehearsals must not use; name another folder"
            ))),
            _ => Ok(()),
        }
    }

    /// Creates a temporary ledger in memory and, where that is too small, in an unnamed file.
    pub fn scratch() -> Result<Self, Error> {
        let db = schema::open(Path::new(""), OpenFlags::default())?;
        schema::create(&db, true)?;
        let folder = PathBuf::new();
        Ok(Self { folder, db, rehearsal: true, new: false, made: false, checkpoints: false, _lock: None })
    }

    /// Opens an existing ledger.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        if !Self::is_in(folder) {
            return Err(Error::Refused(format!("{}: has no ledger", folder.display())));
        }
        folder::check(folder)?;
        let db = schema::connect(folder, schema::FILE, false)?;
        let rehearsal = schema::check(&db, folder)?;
        Ok(Self {
            folder: folder.to_owned(),
            db,
            rehearsal,
            new: false,
            made: false,
            checkpoints: false,
            _lock: None,
        })
    }

    /// Returns the ledger's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the path of the write-ahead log; a scratch ledger has none.
    fn log(&self) -> Option<PathBuf> {
        (!self.folder.as_os_str().is_empty()).then(|| self.folder.join(schema::LOG))
    }

    /// Whether this is a rehearsal's ledger.
    pub fn is_rehearsal(&self) -> bool {
        self.rehearsal
    }
}
