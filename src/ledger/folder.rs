//! The ledger's folder: the database, SQLite's files next to it, and nothing else.

use std::path::Path;

use super::{Error, Ledger, schema::FILE};
use crate::media::shown;

/// Maximum size of a log, in octets: sixteen times the maximum size of a medium with requests.
const LONGEST_LOG: u64 = 64 << 30;

/// Checks the folder's contents before the database is opened: SQLite would apply any rollback journal and
/// overwrite pages of the ledger.
pub fn check(folder: &Path) -> Result<(), Error> {
    let fault = |e: std::io::Error| Error::Fault(format!("{}: {e}", folder.display()));
    for entry in std::fs::read_dir(folder).map_err(fault)? {
        let entry = entry.map_err(fault)?;
        let name = shown(&entry.file_name().to_string_lossy());
        let status = entry.metadata().map_err(fault)?;
        let wrong = match name.strip_prefix(FILE) {
            Some("-wal") if status.len() > LONGEST_LOG => {
                "is longer than 64 GiB, which no ceremony leaves; find out who wrote it"
            }
            Some("" | "-wal" | "-shm") if status.is_file() => continue,
            Some("" | "-wal" | "-shm") => "is not a regular file; find out who changed it",
            Some("-journal") => {
                "SQLite would write over the ledger what this file says, and keyrite leaves none; find out who put it there, keep it, and take it out of the folder"
            }
            _ => {
                "is not keyrite's, and the folder is for the ledger alone; find out who put it there, and take it out"
            }
        };
        return Err(Error::Refused(format!("{}/{name}: {wrong}", folder.display())));
    }
    Ok(())
}

impl Ledger {
    /// Checks that a path is outside the ledger's folder, which is reserved for the ledger.
    pub fn check_outside(folder: &Path, place: &Path) -> Result<(), Error> {
        let Ok(folder) = folder.canonicalize() else { return Ok(()) };
        if place.ancestors().any(|above| above.canonicalize().is_ok_and(|above| above == folder)) {
            Err(Error::Refused(format!(
                "{}: lies in the ledger's folder, which is for the ledger alone; name a place outside it",
                place.display()
            )))
        } else {
            Ok(())
        }
    }
}
