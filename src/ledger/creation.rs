//! A new ledger gets its name when it is whole: whatever interrupts its creation leaves files that the
//! next attempt clears away, and never a database that is not a ledger.

use std::fs::{DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use rustix::fs::{CWD, FlockOperation, RenameFlags, flock, renameat_with};
use rustix::io::Errno;

use super::{Error, Ledger, schema};

/// The name of a database that is being made.
const PARTIAL: &str = "ledger.sqlite.partial";
/// What SQLite puts beside a database, by its ending.
const BESIDE: [&str; 4] = ["", "-wal", "-shm", "-journal"];

impl Ledger {
    /// Checks, without creating anything, that a ledger is or can be here.
    ///
    /// # Errors
    /// [`Error::Refused`] when the folder holds something else.
    pub fn check_place(folder: &Path) -> Result<(), Error> {
        if Self::is_in(folder) || !folder.exists() {
            return Ok(());
        }
        let entries = std::fs::read_dir(folder).map_err(|e| fault(folder, e))?;
        for entry in entries {
            let name = entry.map_err(|e| fault(folder, e))?.file_name();
            if !partial().any(|partial| *partial == *name) {
                return Err(Error::Refused(format!(
                    "{}: holds no ledger and is not empty; name the ledger's folder, or a new one",
                    folder.display()
                )));
            }
        }
        Ok(())
    }

    /// Makes an empty ledger in this folder, which is made too if it is absent.
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

    /// Takes away a ledger that was made just now and holds no ceremony; another stays as it is, and so
    /// does one that cannot be removed: it is empty, and the next ceremony takes it.
    pub fn discard(self) {
        if !self.new || !self.next_ceremony().is_ok_and(|next| next == 1) {
            return;
        }
        let Self { folder, db, made, .. } = self;
        let _ = db.close();
        // The log first: without its database it would be a stranger in the folder.
        let files = [schema::LOG, schema::FILE].map(|name| folder.join(name));
        if files.into_iter().all(|file| !file.exists() || std::fs::remove_file(file).is_ok()) && made {
            let _ = std::fs::remove_dir(folder);
        }
    }
}

fn make(folder: &Path, rehearsal: bool) -> Result<(), Error> {
    let directory = File::open(folder).map_err(|e| fault(folder, e))?;
    flock(&directory, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
        Error::Refused(format!("{}: another program is making a ledger here", folder.display()))
    })?;
    clear(folder)?;
    write(folder, rehearsal, &directory).inspect_err(|_| {
        // What stays, the next attempt clears away.
        let _ = clear(folder);
    })
}

/// Under the folder's lock.
fn write(folder: &Path, rehearsal: bool, directory: &File) -> Result<(), Error> {
    let db = schema::connect(folder, PARTIAL, true)?;
    schema::create(&db, rehearsal)?;
    // Into the database itself: what is renamed has no log.
    db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")?;
    db.close().map_err(|(_, e)| Error::from(e))?;
    // SQLite does not say when it could not remove them.
    partial().skip(1).try_for_each(|name| remove(&folder.join(name)))?;
    let (from, to) = (folder.join(PARTIAL), folder.join(schema::FILE));
    File::open(&from).and_then(|file| file.sync_all()).map_err(|e| fault(&from, e))?;
    match renameat_with(CWD, &from, CWD, &to, RenameFlags::NOREPLACE) {
        // Some file systems cannot tell; the lock keeps others away.
        Err(Errno::INVAL | Errno::NOSYS) if !to.exists() => {
            std::fs::rename(&from, &to).map_err(|e| fault(&to, e))?;
        }
        renamed => renamed.map_err(|e| fault(&to, e.into()))?,
    }
    directory.sync_all().map_err(|e| fault(folder, e))?;
    let above = folder.canonicalize().and_then(|folder| folder.parent().map(File::open).transpose());
    above.and_then(|above| above.map_or(Ok(()), |above| above.sync_all())).map_err(|e| fault(folder, e))
}

/// Removes what an interrupted attempt left.
fn clear(folder: &Path) -> Result<(), Error> {
    partial().try_for_each(|name| remove(&folder.join(name)))
}

/// Removes a file, if there is one.
fn remove(file: &Path) -> Result<(), Error> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(fault(file, error)),
        _ => Ok(()),
    }
}

/// The database first, then what SQLite puts beside it.
fn partial() -> impl Iterator<Item = String> {
    BESIDE.iter().map(|end| format!("{PARTIAL}{end}"))
}

fn fault(path: &Path, error: std::io::Error) -> Error {
    Error::Fault(format!("{}: {error}", path.display()))
}
