//! Giving up a ceremony that waits to be resumed and in which nothing was made.

use crate::failure::Failure;
use serde_json::json;

use super::Surroundings;
use super::people::Person;
use super::preflight::check_clock;
use super::seats::Role;
use super::transcript::Transcript;
use super::wording;
use crate::ledger::Ledger;

/// Closes the ledger's unfinished ceremony; returns its number.
///
/// # Errors
/// [`Failure::usage`] when there is none, or when something was made in it.
pub fn abandon(
    ledger: &mut Ledger,
    by: &str,
    reason: &str,
    surroundings: &Surroundings<'_>,
) -> Result<i64, Failure> {
    let now = (surroundings.now)();
    let open = ledger
        .open_ceremony()?
        .ok_or_else(|| Failure::usage(format!("{}: no ceremony is unfinished", ledger.folder().display())))?;
    Person::new(Role::Operator, by).map_err(Failure::usage)?;
    if reason.trim().is_empty() || reason.chars().count() > 1000 || reason.chars().any(char::is_control) {
        return Err(Failure::usage("the reason is 1 to 1000 characters in one line"));
    }
    check_clock(ledger, now)?;
    surroundings.check_ledger(ledger)?;
    let keys = ledger.keys()?.iter().filter(|key| key.ceremony == open.id).count();
    let reserved = ledger.reservations(open.id)?;
    let handed_out = ledger
        .lines_of("custody")?
        .iter()
        .any(|(ceremony, line)| *ceremony == open.id && line.contains("\"phase\":\"handed-out\""));
    if keys > 0 || reserved > 0 || handed_out {
        let begun =
            [(keys as u64, "key"), (reserved, "reserved serial number"), (u64::from(handed_out), "new PIN")];
        let begun = begun.iter().filter(|(number, _)| *number > 0);
        let begun: Vec<String> = begun.map(|(number, thing)| wording::count(*number, thing)).collect();
        return Err(Failure::usage(format!(
            "ceremony {}: there is something of it already ({}), so it can only be resumed: `keyrite ceremony resume --ledger {}`",
            open.id,
            begun.join(", "),
            ledger.folder().display()
        )));
    }
    let mut transcript = Transcript::open(ledger, open.id)?;
    transcript.note(now, "abandoned", json!({ "reason": reason, "by": by }))?;
    ledger.finish(open.id, transcript.noted())?;
    Ok(open.id)
}
