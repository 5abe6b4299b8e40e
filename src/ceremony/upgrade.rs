//! Upgrading a ledger: a copy of the older one, audited before anything is written to it.

use std::path::Path;

use super::Environment;
use super::checks::{check_clock, check_ledger};
use super::transcript::Transcript;
use crate::digest::Digest;
use crate::failure::Failure;
use crate::ledger::{Ledger, Migration, Older};
use crate::record::{Event, FIRST, Upgraded};

/// Copies the ledger of an older version into a new folder, as one of this version; its transcript says so.
///
/// # Errors
/// [`Failure::usage`] when there is no older ledger, or no way from it; [`Failure::fault`] when it is not as it
/// was written. The older ledger is as it was, and nothing is left of a copy that was refused.
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
        // It would be taken for the ledger that goes on.
        let _ = std::fs::remove_dir_all(new);
    }
    noted.map(|()| older)
}

fn note(ledger: &mut Ledger, older: &Older, environment: &Environment<'_>) -> Result<(), Failure> {
    let now = (environment.now)();
    check_ledger(ledger, environment.processors)?;
    check_clock(ledger, now)?;
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
    for line in transcript.noted() {
        ledger.note_upgrade(line.clone())?;
    }
    Ok(())
}
