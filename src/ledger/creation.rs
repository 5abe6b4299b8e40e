//! Atomic creation of ledgers: the database gets its name when it is complete. An interruption leaves files
//! that the next attempt removes, and never an incomplete ledger.

use std::fs::{DirBuilder, File, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use rustix::fs::{CWD, FlockOperation, RenameFlags, flock, renameat_with};
use rustix::io::Errno;

use super::{Error, Ledger, schema};

/// File name of a database during creation.
const PARTIAL: &str = "ledger.sqlite.partial";
/// Suffixes of a database and of SQLite's files next to it.
const SUFFIXES: [&str; 4] = ["", "-wal", "-shm", "-journal"];

impl Ledger {
    /// Checks that the folder has a ledger or can have one. Creates nothing.
    ///
    /// # Errors
    /// [`Error::Refused`] if the folder has other contents.
    pub fn check_place(folder: &Path) -> Result<(), Error> {
        if Self::is_in(folder) || !folder.exists() {
            return Ok(());
        }
        let entries = std::fs::read_dir(folder).map_err(|e| fault(folder, e))?;
        for entry in entries {
            let name = entry.map_err(|e| fault(folder, e))?.file_name();
            if !partial().any(|partial| *partial == *name) {
                return Err(Error::Refused(format!(
                    "{}: has no ledger and is not empty; name the ledger's folder, or a new one",
                    folder.display()
                )));
            }
        }
        Ok(())
    }

    /// Creates an empty ledger, and its folder if missing.
    pub(super) fn create(folder: &Path, rehearsal: bool) -> Result<Self, Error> {
        Self::check_place(folder)?;
        let made = !folder.exists();
        if made {
            DirBuilder::new().mode(0o700).create(folder).map_err(|e| fault(folder, e))?;
        }
        let created = make(folder, rehearsal).and_then(|()| Self::open(folder));
        match created {
            Ok(ledger) => Ok(Self { new: true, made, ..ledger }),
            Err(error) => {
                if made {
                    let _ = std::fs::remove_dir(folder);
                }
                Err(error)
            }
        }
    }

    /// Removes the ledger if this program created it and it has no ceremony. If it cannot be removed, the next
    /// ceremony uses it.
    pub fn discard(self) {
        if !self.new || !self.next_ceremony().is_ok_and(|next| next == 1) {
            return;
        }
        let Self { folder, db, made, .. } = self;
        let _ = db.close();
        // The log first: without its database it would be an unknown file in the folder.
        let files = [schema::LOG, schema::FILE].map(|name| folder.join(name));
        if files.into_iter().all(|file| !file.exists() || std::fs::remove_file(file).is_ok()) && made {
            let _ = std::fs::remove_dir(folder);
        }
    }
}

fn make(folder: &Path, rehearsal: bool) -> Result<(), Error> {
    let directory = File::open(folder).map_err(|e| fault(folder, e))?;
    flock(&directory, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
        Error::Refused(format!("{}: another program is creating a ledger here", folder.display()))
    })?;
    clear(folder)?;
    write(folder, rehearsal, &directory).inspect_err(|_| {
        // The next attempt removes what remains.
        let _ = clear(folder);
    })
}

/// Creates the database; the caller has locked the folder.
fn write(folder: &Path, rehearsal: bool, directory: &File) -> Result<(), Error> {
    let db = schema::connect(folder, PARTIAL, true)?;
    schema::create(&db, rehearsal)?;
    // Moves the log into the database, because only the database is renamed.
    db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")?;
    db.close().map_err(|(_, e)| Error::from(e))?;
    // SQLite does not report when it cannot remove them.
    partial().skip(1).try_for_each(|name| remove(&folder.join(name)))?;
    let (from, to) = (folder.join(PARTIAL), folder.join(schema::FILE));
    // In a folder that was there before, others may look and write.
    std::fs::set_permissions(&from, Permissions::from_mode(0o600)).map_err(|e| fault(&from, e))?;
    File::open(&from).and_then(|file| file.sync_all()).map_err(|e| fault(&from, e))?;
    match renameat_with(CWD, &from, CWD, &to, RenameFlags::NOREPLACE) {
        // Some file systems do not support NOREPLACE; the lock excludes other programs.
        Err(Errno::INVAL | Errno::NOSYS) if !to.exists() => {
            std::fs::rename(&from, &to).map_err(|e| fault(&to, e))?;
        }
        renamed => renamed.map_err(|e| fault(&to, e.into()))?,
    }
    directory.sync_all().map_err(|e| fault(folder, e))?;
    let above = folder.canonicalize().and_then(|folder| folder.parent().map(File::open).transpose());
    above.and_then(|above| above.map_or(Ok(()), |above| above.sync_all())).map_err(|e| fault(folder, e))
}

/// Removes the files of an interrupted attempt.
fn clear(folder: &Path) -> Result<(), Error> {
    partial().try_for_each(|name| remove(&folder.join(name)))
}

/// Removes a file if it exists.
fn remove(file: &Path) -> Result<(), Error> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(fault(file, error)),
        _ => Ok(()),
    }
}

/// Returns the file names during creation, the database first.
fn partial() -> impl Iterator<Item = String> {
    SUFFIXES.iter().map(|suffix| format!("{PARTIAL}{suffix}"))
}

fn fault(path: &Path, error: std::io::Error) -> Error {
    Error::Fault(format!("{}: {error}", path.display()))
}
