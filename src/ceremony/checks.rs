//! Checks of ledger and clock before a ceremony is begun, resumed or abandoned.

use std::path::{Path, PathBuf};
use std::time::Duration;

use der::DateTime;

use super::Environment;
use crate::audit::examine;
use crate::failure::Failure;
use crate::issuance::Certificate;
use crate::ledger::{Ledger, StoredKey};
use crate::media::shown;
use crate::plan::step::{Machine, MachineRule};
use crate::record::MachineFacts;

/// A year of 365 days.
const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// Examines a ledger before it is used.
pub fn check_ledger(ledger: &mut Ledger, processors: usize) -> Result<(), Failure> {
    examine(ledger, processors).map_err(|why| {
        Failure::fault(format!(
            "{}: {why}\nThe ledger was modified and is not used. Keep it unchanged, find out who could write to it, and run `keyrite audit`.",
            ledger.folder().display()
        ))
    })
}

/// Checks that the clock is not behind the last record.
pub fn check_clock(ledger: &Ledger, now: DateTime) -> Result<(), Failure> {
    match ledger.last_time()?.filter(|last| now < *last) {
        None => Ok(()),
        Some(last) => Err(Failure::fault(format!(
            "the clock says {now}, but the ledger's last record is dated {last}; set the clock correctly (UTC)"
        ))),
    }
}

/// Checks that the clock is plausible: not before the date of this program, not behind the last record, and at
/// most a year after the last certificate of a key in the ledger expires. A transcript dated far in the future
/// could never be continued, and a key generated under such a clock would be useless.
pub fn check_plausible(
    ledger: Option<&Ledger>,
    now: DateTime,
    environment: &Environment<'_>,
) -> Result<(), Failure> {
    let earliest = environment.tool_date;
    if now < earliest {
        return Err(Failure::fault(format!(
            "the clock says {now}, but this program dates from {earliest}; set the clock correctly (UTC)"
        )));
    }
    let Some(ledger) = ledger else { return Ok(()) };
    check_clock(ledger, now)?;
    let keys = ledger.keys()?;
    let ends = keys.iter().filter_map(|key| key.certificate.as_ref()).map(|own| own.validity().not_after);
    match ends.max().filter(|end| now.unix_duration().saturating_sub(end.unix_duration()) > YEAR) {
        None => Ok(()),
        Some(end) => Err(Failure::fault(format!(
            "the clock says {now}, but the last certificate of a key in the ledger expired at {end}, more than a year earlier; set the clock correctly (UTC), or start a new ledger"
        ))),
    }
}

/// Checks the machine for what the script does not allow: a network that is up, and observers of the PIN. A
/// rehearsal may have both. `or` returns the alternative remedy for a key of the script.
pub fn check_machine(
    rules: &Machine,
    rehearsal: bool,
    facts: &MachineFacts,
    modules: &[PathBuf],
    or: &dyn Fn(&str) -> String,
) -> Vec<Failure> {
    let refuses = |rule| rule == MachineRule::Refuse && !rehearsal;
    let mut found = Vec::new();
    if refuses(rules.network) && !facts.network_up.is_empty() {
        found.push(Failure::refused(format!(
            "network up: {}, but the script allows none; take it down, {}",
            shown(&facts.network_up.join(", ")),
            or("network")
        )));
    }
    if refuses(rules.observers) {
        let known = |name: &String| sees(name).map(|what| (shown(name), what, "unset it"));
        let variables = facts.loader_variables.iter().filter_map(known);
        let modules = modules.iter().filter(|path| passes_calls_on(path)).map(|path| {
            let what = "logs or passes on every call, PINs included";
            (shown(&path.to_string_lossy()), what, "name the token's own module in the HSM profile")
        });
        found.extend(variables.chain(modules).map(|(name, what, mend)| {
            Failure::refused(format!(
                "{name}: {what}, but the script allows no observers; {mend}, {}",
                or("observers")
            ))
        }));
    }
    found
}

/// Describes what an environment variable exposes, if it exposes anything.
fn sees(variable: &str) -> Option<&'static str> {
    match variable {
        "LD_PRELOAD" | "LD_AUDIT" => {
            Some("loads code into this program, which can see the PIN and every share")
        }
        "P11_KIT_DEBUG" => Some("has p11-kit log calls"),
        name if name.starts_with("PKCS11SPY") => Some("has a PKCS#11 spy log every call, PINs included"),
        _ => None,
    }
}

/// Whether a module is known to pass calls on to the token's own module.
pub fn passes_calls_on(module: &Path) -> bool {
    let real = std::fs::canonicalize(module);
    [Some(module), real.as_deref().ok()].into_iter().flatten().any(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        ["spy", "proxy", "p11-kit-client"].iter().any(|part| name.contains(part))
    })
}

/// Checks that the key's certificate is valid now: an expired key must not sign.
pub fn check_still_valid(stored: &StoredKey, now: DateTime) -> Result<(), Failure> {
    let Some(validity) = stored.certificate.as_ref().map(Certificate::validity) else { return Ok(()) };
    if now >= validity.not_before && now <= validity.not_after {
        return Ok(());
    }
    Err(Failure::fault(format!(
        "key {}: is valid from {} to {}, but the clock says {now}; set the clock correctly (UTC), or create a successor",
        stored.name, validity.not_before, validity.not_after
    )))
}
