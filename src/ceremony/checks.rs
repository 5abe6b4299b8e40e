//! Checks of ledger and clock before a ceremony is begun, resumed or abandoned.

use der::DateTime;

use crate::audit::examine;
use crate::failure::Failure;
use crate::issuance::Certificate;
use crate::ledger::{Ledger, StoredKey};

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
            "the clock says {now}, the ledger's last record is dated {last}; set the clock right (UTC)"
        ))),
    }
}

/// Checks that the key's certificate is valid now: an expired key must not sign.
pub fn check_still_valid(stored: &StoredKey, now: DateTime) -> Result<(), Failure> {
    let Some(validity) = stored.certificate.as_ref().map(Certificate::validity) else { return Ok(()) };
    if now >= validity.not_before && now <= validity.not_after {
        return Ok(());
    }
    Err(Failure::fault(format!(
        "key {}: is valid from {} to {}, the clock says {now}; set the clock right (UTC), or create a successor",
        stored.name, validity.not_before, validity.not_after
    )))
}
