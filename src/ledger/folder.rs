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
                "is longer than 64 GiB, more than any ceremony leaves; find out who wrote it"
            }
            Some("" | "-wal" | "-shm") if status.is_file() => continue,
            Some("" | "-wal" | "-shm") => "is not a regular file; find out who changed it",
            Some("-journal") => {
                "SQLite would apply this journal to the ledger, and keyrite never leaves one; find out who put it there, keep it, and move it out of the folder"
            }
            _ => {
                "does not belong to the ledger, whose folder must have no other files; find out who put it there, and move it out"
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
                "{}: is in the ledger's folder, which must have no other files; name a path outside it",
                place.display()
            )))
        } else {
            Ok(())
        }
    }
}
