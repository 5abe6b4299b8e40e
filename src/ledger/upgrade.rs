//! Upgrade of a ledger of an older version: a copy in a new folder, whose tables are migrated in one
//! transaction. The old ledger is not modified.

use std::fs::{DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::ceremonies::{Line, write_lines};
use super::reading::lock;
use super::{Error, Ledger, schema};
use crate::digest::{Digest, Hasher};

/// A migration of the tables from one version to the next.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// Version to migrate from.
    pub from: i64,
    /// SQL statements.
    pub statements: &'static str,
}

/// All migrations since the first supported version, in order.
pub const MIGRATIONS: &[Migration] = &[];

/// File name of the copy until it is migrated.
const COPY: &str = "ledger.sqlite.upgrade";

/// The ledger that was upgraded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Older {
    /// Version of the ledger.
    pub version: i64,
    /// SHA-256 of its database.
    pub database: Digest,
}

impl Ledger {
    /// Copies a ledger of an older version into a new folder and migrates it to this version.
    ///
    /// # Errors
    /// [`Error::Refused`] if there is no older ledger, or the new folder exists; [`Error::Fault`] if the system
    /// fails. Files left in the new folder by a fault are not a ledger.
    pub fn upgrade(old: &Path, new: &Path, migrations: &[Migration]) -> Result<(Self, Older), Error> {
        let fault = |e: io::Error| Error::Fault(format!("{}: {e}", new.display()));
        let database = lock(old)?;
        if new.exists() {
            return Err(Error::Refused(format!("{}: exists; name a new folder", new.display())));
        }
        DirBuilder::new().mode(0o700).create(new).map_err(fault)?;
        let result = copy(&database, old, new, migrations);
        if result.is_err() {
            // Whatever cannot be removed is not a ledger.
            let _ = std::fs::remove_dir_all(new);
        }
        let older = result?;
        std::fs::rename(new.join(COPY), new.join(schema::FILE)).map_err(fault)?;
        File::open(new).and_then(|folder| folder.sync_all()).map_err(fault)?;
        Ok((Self::open(new)?, older))
    }

    /// Records, in a transcript of one line, that this ledger is a copy of an older one.
    pub fn note_upgrade(&mut self, line: Line) -> Result<(), Error> {
        let transaction = self.db.transaction()?;
        transaction.execute(
            "INSERT INTO ceremony (id, plan, first_request, approved, refused, done) VALUES (?1, '', (SELECT coalesce(max(id), 0) + 1 FROM request), 0, 0, 1)",
            [line.ceremony],
        )?;
        write_lines(&transaction, &[line])?;
        transaction.commit()?;
        Ok(())
    }
}

/// Copies database and log, and migrates the copy.
fn copy(database: &File, old: &Path, new: &Path, migrations: &[Migration]) -> Result<Older, Error> {
    let fault = |e: io::Error| Error::Fault(format!("{}: {e}", new.display()));
    let to = new.join(COPY);
    let digest = copied(database, &to).map_err(fault)?;
    let log = old.join(schema::LOG);
    if log.exists() {
        let from = File::open(&log).map_err(fault)?;
        copied(&from, &new.join(format!("{COPY}-wal"))).map_err(fault)?;
    }
    let db = schema::open(&to, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    let version = schema::version(&db, old)?;
    let statements = statements(old, version, migrations)?;
    db.execute_batch("PRAGMA trusted_schema = OFF; PRAGMA wal_checkpoint(TRUNCATE);")?;
    db.execute_batch(&format!(
        "BEGIN EXCLUSIVE; {statements} PRAGMA user_version = {}; COMMIT; PRAGMA wal_checkpoint(TRUNCATE);",
        schema::VERSION
    ))?;
    schema::check(&db, new)?;
    close(db)?;
    File::open(&to).and_then(|file| file.sync_all()).map_err(fault)?;
    Ok(Older { version, database: digest })
}

fn close(db: Connection) -> Result<(), Error> {
    db.close().map_err(|(_, e)| Error::from(e))
}

/// Returns the statements that migrate from a version to this one.
fn statements(folder: &Path, version: i64, migrations: &[Migration]) -> Result<String, Error> {
    let refused = |why: String| Err(Error::Refused(format!("{}: {why}", folder.display())));
    let way: Vec<&Migration> = migrations.iter().filter(|one| one.from >= version).collect();
    match way.first() {
        _ if version == schema::VERSION => {
            refused(format!("is already a ledger of version {version}; no upgrade is needed"))
        }
        _ if version > schema::VERSION => {
            refused(format!("is a ledger of version {version}, written by a newer keyrite; use that one"))
        }
        Some(first) if first.from == version => {
            Ok(way.iter().map(|one| one.statements).collect::<Vec<_>>().join("\n"))
        }
        _ => refused(format!(
            "is a ledger of version {version}, which cannot be upgraded; use the keyrite that wrote it"
        )),
    }
}

/// Copies an open file: opening it again and closing that descriptor would release the lock (POSIX).
fn copied(mut from: &File, to: &Path) -> io::Result<Digest> {
    let (mut to, mut hasher) = (File::create_new(to)?, Hasher::default());
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = from.read(&mut buffer)?;
        let octets = buffer.split_at(read).0;
        if octets.is_empty() {
            to.sync_all()?;
            return Ok(hasher.finish());
        }
        hasher.update(octets);
        to.write_all(octets)?;
    }
}
