//! Read-only access to a ledger: neither its file nor its folder is modified.

use std::collections::{BTreeMap, HashMap};
use std::fs::{DirBuilder, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use rustix::fs::{FlockOperation, fcntl_lock, statvfs};

use super::paths::path;
use super::{Error, KeptIndex, Ledger, folder, schema};
use crate::digest::Digest;
use crate::media::RelativePath;
use crate::request::{Entry, Index};

/// The entries in the indexes of a ceremony's media.
#[derive(Debug, Default)]
pub struct Entries(HashMap<i64, HashMap<RelativePath, Entry>>);

impl Entries {
    /// Returns the number of requests in the index of each medium.
    pub fn counts(&self) -> BTreeMap<i64, usize> {
        self.0.iter().map(|(number, entries)| (*number, entries.len())).collect()
    }

    /// Returns the entry of a request that came on this medium; none if the medium has no index.
    ///
    /// # Errors
    /// The medium's index is missing or does not list the request.
    pub fn of(&self, bundle: Option<i64>, path: &RelativePath) -> Result<Option<&Entry>, String> {
        let Some(number) = bundle else { return Ok(None) };
        let entry = self.0.get(&number).and_then(|entries| entries.get(path));
        entry.map(Some).ok_or_else(|| format!("{path}: the index of medium {number} does not list it"))
    }
}

/// Free space of the scratch folder that is left to other programs, in octets.
const RESERVE: u64 = 16 << 20;

/// A shared lock on a ledger, and the temporary copy, which is removed on drop.
#[derive(Debug)]
pub struct ReadLock {
    lock: File,
    copy: Option<PathBuf>,
}

impl Drop for ReadLock {
    fn drop(&mut self) {
        if let Some(copy) = &self.copy {
            // What cannot be removed lies in a folder for temporary files.
            let _ = std::fs::remove_dir_all(copy);
        }
    }
}

/// Opens the database of a ledger with a shared lock, which excludes writers.
pub fn lock(folder: &Path) -> Result<File, Error> {
    let file = folder.join(schema::FILE);
    if !file.exists() {
        return Err(Error::Refused(format!("{}: has no ledger", folder.display())));
    }
    folder::check(folder)?;
    let lock = File::open(&file).map_err(|e| Error::Fault(format!("{}: {e}", file.display())))?;
    // Compatible with SQLite's own locks, on the whole file.
    fcntl_lock(&lock, FlockOperation::NonBlockingLockShared).map_err(|_| {
        Error::Refused(format!(
            "{}: is in use by another program; wait until its ceremony is done",
            folder.display()
        ))
    })?;
    Ok(lock)
}

impl Ledger {
    /// Opens an existing ledger for reading. Until it is closed no ceremony can use it. If the last run was
    /// interrupted, SQLite's log is next to the database: both are then read from a copy in a new folder in
    /// `scratch`, because recovering the log would modify them.
    ///
    /// # Errors
    /// [`Error::Refused`] if there is no ledger or another program uses it; [`Error::Fault`] if it is damaged.
    pub fn read(folder: &Path, scratch: &Path) -> Result<Self, Error> {
        Self::read_as(folder, scratch, false)
    }

    /// Opens a writable copy of a ledger in a new folder in `scratch`. The ledger itself is locked as by
    /// [`Ledger::read`].
    pub fn trial(folder: &Path, scratch: &Path) -> Result<Self, Error> {
        Self::read_as(folder, scratch, true)
    }

    fn read_as(folder: &Path, scratch: &Path, copied: bool) -> Result<Self, Error> {
        let file = folder.join(schema::FILE);
        let lock = lock(folder)?;
        let mut lock = ReadLock { lock, copy: None };
        let log = folder.join(schema::LOG);
        let cut_off = std::fs::metadata(&log).is_ok_and(|status| status.len() > 0);
        let db = if cut_off || copied {
            let copy = lock.copied(&log, scratch)?;
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let db = schema::open(&copy, flags)?;
            // The copy is removed, so its log need not be checkpointed.
            db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
            db
        } else {
            unchanging(&file)?
        };
        let rehearsal = schema::check(&db, folder)?;
        let folder = folder.to_owned();
        Ok(Self { folder, db, rehearsal, new: false, made: false, checkpoints: false, _lock: Some(lock) })
    }
}

impl Ledger {
    /// Whether the folder has a ledger.
    pub fn is_in(folder: &Path) -> bool {
        folder.join(schema::FILE).exists()
    }

    /// Returns the stored indexes of a ceremony's media.
    pub fn indexes(&self, ceremony: i64) -> Result<Vec<KeptIndex>, Error> {
        let sql = "SELECT number, cluster, part, sequence, octets, index_sha256 FROM bundle WHERE ceremony = ?1 ORDER BY number";
        let mut statement = self.db.prepare(sql)?;
        let rows = statement.query_map([ceremony], |row| {
            let (number, sequence): (u32, i64) = (row.get(0)?, row.get(3)?);
            let (octets, digest): (Vec<u8>, Vec<u8>) = (row.get(4)?, row.get(5)?);
            let part: String = row.get(2)?;
            Ok(KeptIndex {
                number: number as usize,
                cluster: row.get(1)?,
                part: (!part.is_empty()).then_some(part),
                // No bundle has the number 0.
                sequence: u64::try_from(sequence).unwrap_or_default(),
                signatures: Vec::new(),
                octets,
            })
            .map(|index| (index, digest))
        })?;
        let rows = rows.collect::<Result<Vec<_>, _>>()?;
        if let Some((index, _)) =
            rows.iter().find(|(index, digest)| *digest != Digest::of(&index.octets).as_bytes())
        {
            return Err(Error::Fault(format!(
                "the index of medium {} does not match its stored SHA-256",
                index.number
            )));
        }
        let mut indexes: Vec<KeptIndex> = rows.into_iter().map(|(index, _)| index).collect();
        let sql =
            "SELECT path, octets FROM bundle_signature WHERE ceremony = ?1 AND number = ?2 ORDER BY path";
        let mut statement = self.db.prepare(sql)?;
        for index in &mut indexes {
            let rows = statement.query_map([ceremony, index.number as i64], |row| {
                Ok((row.get::<_, String>(0)?, row.get(1)?))
            })?;
            for row in rows {
                let (text, octets) = row?;
                index.signatures.push((path(text)?, octets));
            }
        }
        Ok(indexes)
    }

    /// Returns the entries of those indexes.
    ///
    /// # Errors
    /// [`Error::Fault`] if an index is malformed.
    pub fn entries(&self, ceremony: i64) -> Result<Entries, Error> {
        let mut entries = HashMap::new();
        for KeptIndex { number, octets, .. } in self.indexes(ceremony)? {
            let index = Index::parse(&octets).map_err(|e| Error::Fault(e.to_string()))?;
            entries.insert(number as i64, index.into_entries());
        }
        Ok(Entries(entries))
    }
}

impl ReadLock {
    fn copied(&mut self, log: &Path, scratch: &Path) -> Result<PathBuf, Error> {
        let fault = |e: std::io::Error| Error::Fault(format!("{}: {e}", scratch.display()));
        let mut from = &self.lock;
        let mut log = log.exists().then(|| File::open(log)).transpose().map_err(fault)?;
        let log_size =
            log.as_ref().map_or(Ok(0), |log| log.metadata().map(|log| log.len())).map_err(fault)?;
        let size = from.metadata().map_err(fault)?.len();
        enough_room(scratch, size.saturating_add(log_size))?;
        // A new private folder; one left by a killed run is not removed.
        let name = |number| scratch.join(format!("keyrite-reading-{}-{number}", std::process::id()));
        let copy = (0..100).map(name).find(|copy| !copy.exists()).unwrap_or_else(|| name(100));
        DirBuilder::new().mode(0o700).create(&copy).map_err(fault)?;
        self.copy = Some(copy.clone());
        let to = copy.join(schema::FILE);
        // Not opened again: closing any descriptor of the file releases the lock (POSIX).
        let copied = |from: &mut dyn Read, size, to: &Path| -> std::io::Result<u64> {
            std::io::copy(&mut from.take(size), &mut File::create_new(to)?)
        };
        copied(&mut from, size, &to).map_err(fault)?;
        if let Some(log) = &mut log {
            copied(log, log_size, &copy.join(schema::LOG)).map_err(fault)?;
        }
        Ok(to)
    }
}

/// Checks that a copy of this size leaves enough free space.
fn enough_room(scratch: &Path, octets: u64) -> Result<(), Error> {
    let space = statvfs(scratch).map_err(|e| Error::Fault(format!("{}: {e}", scratch.display())))?;
    let free = space.f_bavail.saturating_mul(space.f_frsize);
    if octets.saturating_add(RESERVE) <= free {
        Ok(())
    } else {
        Err(Error::Refused(format!(
            "{}: has {} MiB free, but a copy of the ledger needs {} MiB; set TMPDIR to a folder with more space, or finish the ceremony first",
            scratch.display(),
            free >> 20,
            (octets >> 20) + (RESERVE >> 20) + 1,
        )))
    }
}

/// Connects to a file without modifying it or creating others next to it.
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
    schema::open(Path::new(&format!("{uri}?immutable=1")), flags)
}
