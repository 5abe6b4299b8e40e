//! The ledger: the machine's durable memory of what was promised, signed and released.
//!
//! A folder with one SQLite database, synchronised in full at each commit and locked by the one
//! program that uses it. A serial number and the octets that carry it are on disk before a token
//! is asked to sign them: a [`Reservation`] can be had from nowhere else. Every method that asks
//! the database returns [`Error::Fault`] when it fails.

mod ceremonies;
mod certificates;
mod creation;
mod folder;
mod import;
mod keys;
mod conflicts;
mod paths;
mod reading;
mod renewals;
mod rows;
mod schema;
mod upgrade;
mod consistency;

use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::failure::Failure;

pub use ceremonies::{CeremonyRow, Line, OpenCeremony, ReleaseRow};
pub use certificates::{Advance, Reservation};
pub use import::{Import, Imported, KeptIndex};
pub use keys::StoredKey;
pub use reading::Entries;
pub use renewals::Ending;
pub use rows::{ReservedRow, Row, Rows};
pub use upgrade::{MIGRATIONS, Migration, Older};

/// What went wrong with the ledger.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is not there, or not what was asked for.
    #[error("{0}")]
    Refused(String),
    /// The database or the disk failed.
    #[error("ledger: {0}")]
    Fault(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(message) => Self::usage(message),
            fault @ Error::Fault(_) => Self::fault(fault.to_string()),
        }
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::TooBig) => Self::Fault("a value in it is larger than any may be, 64 MiB".into()),
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
    new: bool,
    made: bool,
    /// Whether what was written is moved to its place as it comes.
    tidying: bool,
    _held: Option<reading::Held>,
}

impl Ledger {
    /// Opens the ledger in this folder, making one when the folder is absent or empty.
    ///
    /// # Errors
    /// [`Error::Refused`] when the folder holds something else, when another program uses the
    /// ledger, or when it is of the other kind: a rehearsal's ledger stays one.
    pub fn open_or_create(folder: &Path, rehearsal: bool) -> Result<Self, Error> {
        let ledger = if Self::is_in(folder) { Self::open(folder)? } else { Self::create(folder, rehearsal)? };
        ledger.check_kind(rehearsal)?;
        Ok(ledger)
    }

    /// Whether a rehearsal, or a production ceremony, may write here.
    ///
    /// # Errors
    /// [`Error::Refused`] when it is of the other kind.
    pub fn check_kind(&self, rehearsal: bool) -> Result<(), Error> {
        let folder = self.folder.display();
        match (self.rehearsal, rehearsal) {
            (true, false) => Err(Error::Refused(format!(
                "{folder}: is a rehearsal's ledger; name another folder, or add --rehearsal"
            ))),
            (false, true) => Err(Error::Refused(format!(
                "{folder}: is a production ledger, which no rehearsal writes to; name another folder"
            ))),
            _ => Ok(()),
        }
    }

    /// A ledger that is gone with the program: what does not fit in memory goes to a nameless file.
    pub fn scratch() -> Result<Self, Error> {
        let db = schema::open(Path::new(""), OpenFlags::default())?;
        schema::create(&db, true)?;
        let folder = PathBuf::new();
        Ok(Self { folder, db, rehearsal: true, new: false, made: false, tidying: false, _held: None })
    }

    /// Opens an existing ledger.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        if !Self::is_in(folder) {
            return Err(Error::Refused(format!("{}: holds no ledger", folder.display())));
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
            tidying: false,
            _held: None,
        })
    }

    /// The folder it lies in.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where its write-ahead log is; a scratch ledger has none.
    fn log(&self) -> Option<PathBuf> {
        (!self.folder.as_os_str().is_empty()).then(|| self.folder.join(schema::LOG))
    }

    /// Whether it is a rehearsal's.
    pub fn is_rehearsal(&self) -> bool {
        self.rehearsal
    }
}
