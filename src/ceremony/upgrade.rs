//! Upgrades a ledger: copies the older one and audits the copy before anything is written to it.

use std::path::Path;

use super::Environment;
use super::checks::{check_ledger, check_plausible};
use super::transcript::Transcript;
use crate::digest::Digest;
use crate::failure::Failure;
use crate::ledger::{Ledger, Migration, Older};
use crate::record::{Event, FIRST, Upgraded};

/// Copies the ledger of an older version into a new folder, migrates the copy to this version and records
/// that.
///
/// # Errors
/// [`Failure::usage`] when there is no older ledger or no migration from it; [`Failure::fault`] when it was
/// modified. The older ledger is unchanged, and a refused copy is removed.
pub fn upgrade(
    old: &Path,
    new: &Path,
    migrations: &[Migration],
    environment: &Environment<'_>,
) -> Result<Older, Failure> {
    let (mut ledger, older) = Ledger::upgrade(old, new, migrations)?;
    let noted = note(&mut ledger, &older, environment);
    drop(ledger);
    if noted.is_err() {
        // It could be mistaken for a usable ledger.
        let _ = std::fs::remove_dir_all(new);
    }
    noted.map(|()| older)
}

fn note(ledger: &mut Ledger, older: &Older, environment: &Environment<'_>) -> Result<(), Failure> {
    let now = (environment.now)();
    check_ledger(ledger, environment.processors)?;
    check_plausible(Some(ledger), now, environment)?;
    let head = ledger.last_line()?.map_or(FIRST, |line| Digest::of(line.as_bytes()));
    let mut transcript = Transcript::open(ledger, ledger.next_ceremony()?)?;
    transcript.note(
        now,
        Event::Upgraded(Upgraded {
            from_version: older.version.unsigned_abs(),
            database_sha256: older.database,
            head,
        }),
    )?;
    for line in transcript.pending() {
        ledger.note_upgrade(line.clone())?;
    }
    Ok(())
}
