//! A ledger opened to be read: neither its file nor its folder is changed.

use std::fs::{DirBuilder, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};
use rustix::fs::{FlockOperation, fcntl_lock};

use super::{Error, Ledger, last_time, schema};

/// What is held while a ledger is read: a shared lock, and a copy that is removed at the end.
#[derive(Debug)]
pub struct Held {
    lock: File,
    copy: Option<PathBuf>,
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(copy) = &self.copy {
            // What cannot be removed lies in a folder for temporary files.
            let _ = std::fs::remove_dir_all(copy);
        }
    }
}

impl Ledger {
    /// Opens an existing ledger to be read. Until it is closed no ceremony can begin on it. When the
    /// last run was cut off, SQLite's log stands beside the database: both are then read from a
    /// copy in a new folder below `scratch`, for taking the log in would change them.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is none or another program uses it; [`Error::Fault`] when it
    /// is damaged.
    pub fn read(folder: &Path, scratch: &Path) -> Result<Self, Error> {
        let file = folder.join(schema::FILE);
        if !file.exists() {
            return Err(Error::Refused(format!("{}: holds no ledger", folder.display())));
        }
        let lock = File::open(&file).map_err(|e| Error::Fault(format!("{}: {e}", file.display())))?;
        // The same lock as SQLite's own, over the whole file.
        fcntl_lock(&lock, FlockOperation::NonBlockingLockShared).map_err(|_| {
            Error::Refused(format!(
                "{}: is in use by another program; wait until its ceremony is done",
                folder.display()
            ))
        })?;
        let mut held = Held { lock, copy: None };
        let log = folder.join(format!("{}-wal", schema::FILE));
        let cut_off = std::fs::metadata(&log).is_ok_and(|status| status.len() > 0);
        let db = match cut_off {
            true => Connection::open_with_flags(
                held.copied(&log, scratch)?,
                OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
            )?,
            false => unchanging(&file)?,
        };
        let rehearsal = schema::check(&db, folder)?;
        let last_time = last_time(&db)?;
        let folder = folder.to_owned();
        Ok(Self { folder, db, rehearsal, last_time, new: false, made: false, _held: Some(held) })
    }
}

impl Held {
    fn copied(&mut self, log: &Path, scratch: &Path) -> Result<PathBuf, Error> {
        let fault = |e: std::io::Error| Error::Fault(format!("{}: {e}", scratch.display()));
        let number = std::process::id();
        let copy = scratch.join(format!("keyrite-reading-{number}"));
        DirBuilder::new().mode(0o700).create(&copy).map_err(fault)?;
        self.copy = Some(copy.clone());
        let to = copy.join(schema::FILE);
        let mut from = &self.lock;
        // Not opened anew: closing any descriptor of the file gives the lock away (POSIX).
        std::io::copy(&mut from, &mut File::create_new(&to).map_err(fault)?).map_err(fault)?;
        std::fs::copy(log, copy.join(format!("{}-wal", schema::FILE))).map_err(fault)?;
        Ok(to)
    }
}

/// A connection that takes the file as it is and makes no other beside it.
fn unchanging(file: &Path) -> Result<Connection, Error> {
    let file = file.canonicalize().map_err(|e| Error::Fault(format!("{}: {e}", file.display())))?;
    let mut uri = String::from("file:");
    for octet in file.as_os_str().as_bytes() {
        match octet {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'_' | b'-' => {
                uri.push(char::from(*octet))
            }
            _ => uri.push_str(&format!("%{octet:02X}")),
        }
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    Ok(Connection::open_with_flags(format!("{uri}?immutable=1"), flags)?)
}
