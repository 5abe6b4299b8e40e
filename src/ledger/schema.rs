//! The database: its tables, opening and locking.

use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags};

use super::Error;
use crate::media::shown;

/// The database's file name in the ledger's folder.
pub use crate::record::LEDGER_FILE as FILE;
/// File name of its write-ahead log.
pub const LOG: &str = "ledger.sqlite-wal";

/// Marks a SQLite file as a keyrite ledger ("kyrt").
const APPLICATION_ID: i64 = 0x6b79_7274;
/// Version of the tables and of the events in transcripts. `tests/fixtures` has a frozen ledger of each
/// supported version.
pub const VERSION: i64 = 7;
/// Maximum size of a value, in octets: far above the largest that a ceremony writes, its plan.
const VALUE: i32 = 64 << 20;

const TABLES: &str = "
CREATE TABLE ledger (rehearsal INTEGER NOT NULL) STRICT;
CREATE TABLE ceremony (
    id INTEGER PRIMARY KEY,
    plan TEXT NOT NULL,             -- JSON: script, files, settings
    cluster TEXT,                   -- that the script signs for
    first_request INTEGER NOT NULL, -- its requests are this one and those after it
    approved INTEGER NOT NULL,
    refused INTEGER NOT NULL,
    done INTEGER NOT NULL
) STRICT;
CREATE TABLE transcript (
    ceremony INTEGER NOT NULL REFERENCES ceremony,
    number INTEGER NOT NULL,
    line TEXT NOT NULL,
    PRIMARY KEY (ceremony, number)
) STRICT, WITHOUT ROWID;
-- Every file that came in, in the order of paths, with what policy said of it; and a row
-- token-key:NAME for each key that was generated in the token.
CREATE TABLE request (
    id INTEGER PRIMARY KEY,
    ceremony INTEGER NOT NULL,
    path TEXT NOT NULL,
    sha256 BLOB NOT NULL,
    spki_sha256 BLOB,
    spki BLOB,
    octets BLOB NOT NULL,
    approval TEXT,                  -- JSON; one of these two
    refusal TEXT,                   -- JSON: control and message of each violation
    bundle INTEGER                  -- number of the medium it came on, when that has an index
) STRICT;
-- The index of a medium.
CREATE TABLE bundle (
    ceremony INTEGER NOT NULL,
    number INTEGER NOT NULL,        -- of the medium, from 0
    cluster TEXT,
    part TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    index_sha256 BLOB NOT NULL,
    octets BLOB NOT NULL,           -- the index, as it came in
    PRIMARY KEY (ceremony, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE bundle_signature (
    ceremony INTEGER NOT NULL,
    number INTEGER NOT NULL,        -- of the medium
    path TEXT NOT NULL,
    octets BLOB NOT NULL,
    PRIMARY KEY (ceremony, number, path)
) STRICT, WITHOUT ROWID;
CREATE TABLE request_key (
    spki_sha256 BLOB NOT NULL,
    request INTEGER NOT NULL,
    PRIMARY KEY (spki_sha256, request)
) STRICT, WITHOUT ROWID;
-- Reserved: on disk before the token signs. At most one for each request.
CREATE TABLE certificate (
    id INTEGER PRIMARY KEY,         -- of the request that it answers
    authority TEXT NOT NULL,
    serial BLOB NOT NULL,
    tbs BLOB NOT NULL,
    not_after INTEGER NOT NULL      -- seconds since 1970
) STRICT;
-- Where approved requests belong, and the certificate that a request is to replace.
CREATE TABLE place (
    path TEXT NOT NULL,
    request INTEGER NOT NULL,
    PRIMARY KEY (path, request)
) STRICT, WITHOUT ROWID;
CREATE TABLE renewal (
    id INTEGER PRIMARY KEY,         -- of the request
    replaces INTEGER NOT NULL       -- id of the certificate before it
) STRICT;
CREATE INDEX renewal_of ON renewal (replaces);
-- Issued: signed and verified.
CREATE TABLE issued (
    id INTEGER PRIMARY KEY,
    signature BLOB NOT NULL
) STRICT;
CREATE TABLE token_key (
    name TEXT PRIMARY KEY,
    role TEXT NOT NULL,             -- authority, manifest
    key_id BLOB NOT NULL UNIQUE,    -- CKA_ID
    token_serial TEXT NOT NULL,
    issuer TEXT NOT NULL,           -- name of the issuing authority; the own name for a root
    profile TEXT NOT NULL,
    ceremony INTEGER NOT NULL REFERENCES ceremony,
    certificate BLOB                -- DER, once issued
) STRICT;
CREATE TABLE release (
    sequence INTEGER PRIMARY KEY,
    ceremony INTEGER NOT NULL UNIQUE REFERENCES ceremony,
    head TEXT NOT NULL,             -- JSON: the manifest without its lists
    manifest_sha256 BLOB NOT NULL,
    signature BLOB NOT NULL
) STRICT;
";

/// Opens a database file; values above the maximum size are not read into memory.
pub fn open(file: &Path, flags: OpenFlags) -> Result<Connection, Error> {
    let db = Connection::open_with_flags(file, flags)?;
    db.set_limit(Limit::SQLITE_LIMIT_LENGTH, VALUE)?;
    Ok(db)
}

/// Connects to a database, locks it exclusively and enables full synchronisation.
pub fn connect(folder: &Path, file: &str, create: bool) -> Result<Connection, Error> {
    let mut flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    flags.set(OpenFlags::SQLITE_OPEN_CREATE, create);
    // NOFOLLOW rejects links in any component, which the path given by the operator may have.
    let folder = folder.canonicalize().map_err(|e| Error::Fault(format!("{}: {e}", folder.display())))?;
    let db = open(&folder.join(file), flags)?;
    db.busy_timeout(std::time::Duration::ZERO)?;
    // Keeps query plans stable; otherwise SQLite replans when other values are bound.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    let locked = db.execute_batch(
        "PRAGMA locking_mode = EXCLUSIVE; PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA foreign_keys = ON; PRAGMA cache_size = -32000; BEGIN EXCLUSIVE; COMMIT;",
    );
    match locked {
        Err(rusqlite::Error::SqliteFailure(error, _)) if error.code == rusqlite::ErrorCode::DatabaseBusy => {
            Err(Error::Refused(format!(
                "{}: is in use by another program; wait until its ceremony is done",
                folder.display()
            )))
        }
        Err(rusqlite::Error::SqliteFailure(error, _)) if error.code == rusqlite::ErrorCode::NotADatabase => {
            Err(Error::Refused(format!("{}: {FILE} is not an SQLite database", folder.display())))
        }
        other => other.map(|()| db).map_err(Error::from),
    }
}

/// Creates the tables in one transaction.
pub fn create(db: &Connection, rehearsal: bool) -> Result<(), Error> {
    db.execute_batch(&format!(
        "BEGIN; PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION}; {TABLES} INSERT INTO ledger VALUES ({}); COMMIT;",
        i64::from(rehearsal)
    ))?;
    Ok(())
}

/// Checks, before any other query, that the database has exactly the tables above: a view or trigger would
/// execute foreign SQL.
fn check_tables(db: &Connection, folder: &Path) -> Result<(), Error> {
    db.execute_batch("PRAGMA trusted_schema = OFF")?;
    let (expected, found) = (expected_schema(), actual_schema(db)?);
    let unexpected = found.iter().find(|one| !expected.contains(one));
    let different = unexpected.or_else(|| expected.iter().find(|one| !found.contains(one)));
    match different {
        None => Ok(()),
        Some((kind, name, _)) => Err(Error::Fault(format!(
            "{}: {FILE}: {} {} is not as keyrite created it; the database was modified",
            folder.display(),
            shown(kind),
            shown(name)
        ))),
    }
}

/// Returns kind, name and SQL of the objects in [`TABLES`] and of the automatic indexes, as SQLite stores them.
fn expected_schema() -> Vec<(String, String, String)> {
    let texts = TABLES.split(";\n").filter_map(|text| text.get(text.find("CREATE ")?..));
    let made = texts.filter_map(|text| {
        let mut words = text.split(' ').skip(1);
        Some((words.next()?.to_ascii_lowercase(), words.next()?.to_owned(), text.to_owned()))
    });
    let keys = ["release_1", "token_key_1", "token_key_2"];
    let keys = keys.map(|key| ("index".to_owned(), format!("sqlite_autoindex_{key}"), String::new()));
    made.chain(keys).collect()
}

/// Returns kind, name and SQL of the objects in a database. The limit is above the number in a ledger.
fn actual_schema(db: &Connection) -> Result<Vec<(String, String, String)>, Error> {
    let sql = "SELECT type, name, coalesce(sql, '') FROM sqlite_schema ORDER BY name LIMIT 100";
    let mut statement = db.prepare(sql)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Returns the version of a ledger.
pub fn version(db: &Connection, folder: &Path) -> Result<i64, Error> {
    let id: i64 = db.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    if id == APPLICATION_ID {
        Ok(db.query_row("PRAGMA user_version", [], |row| row.get(0))?)
    } else {
        Err(Error::Refused(format!("{}: {FILE} is not a ledger (application ID {id:#x})", folder.display())))
    }
}

/// Checks that the file is an intact ledger of this version; returns whether it is a rehearsal's.
pub fn check(db: &Connection, folder: &Path) -> Result<bool, Error> {
    let version = version(db, folder)?;
    if version != VERSION {
        let other = if version < VERSION {
            "it was written by an older keyrite; use that one, or try `keyrite ledger upgrade`"
        } else {
            "it was written by a newer keyrite; use that one"
        };
        return Err(Error::Refused(format!(
            "{}: {FILE} is a ledger of version {version}, this program reads version {VERSION}: {other}",
            folder.display()
        )));
    }
    check_tables(db, folder)?;
    // Not quick_check, which verifies neither indexes nor the order of primary keys.
    let intact: String = db.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if intact != "ok" {
        return Err(Error::Fault(format!("{}: {FILE} is damaged: {intact}", folder.display())));
    }
    Ok(db.query_row("SELECT rehearsal FROM ledger", [], |row| row.get(0))?)
}

#[cfg(test)]
mod tests {
    use super::{Connection, Error, TABLES, actual_schema, expected_schema};

    #[test]
    fn expected_schema_is_what_sqlite_stores() -> Result<(), Error> {
        let db = Connection::open_in_memory()?;
        db.execute_batch(TABLES)?;
        let mut expected = expected_schema();
        expected.sort_by(|one, other| one.1.cmp(&other.1));
        assert_eq!(expected, actual_schema(&db)?);
        Ok(())
    }
}
