//! What lay in the ledger while a ceremony waited, held against what it was made of, before anything
//! more is signed: whoever could write to the database in that time must not decide what is issued.

use der::DateTime;
use serde_json::{Map, Value};

use super::preflight::Setup;
use super::{Error, lane};
use crate::issuance::Reserved;
use crate::ledger::{Approved, Came, Ledger, Pending};
use crate::policy::{Approval, Policy};
use crate::release::{Record, chain_head};

/// The fault when something is not what was written.
pub fn changed(what: impl std::fmt::Display, why: impl std::fmt::Display) -> Error {
    Error::Fault(format!(
        "ledger: {what}: {why}. The ledger was changed while the ceremony waited, and nothing more is signed: keep it as it is, and look for who could write to it"
    ))
}

/// The fault when reserved octets are not what they would be now.
pub fn other_octets(what: impl std::fmt::Display) -> Error {
    changed(what, "the reserved octets are not what the script makes of it")
}

/// How many requests were approved and refused when people reviewed them.
pub type Reviewed = Option<(usize, usize)>;

/// The transcript is one chain, and its first record has these facts, as they are now.
pub fn transcript(ledger: &Ledger, ceremony: i64, facts: &Map<String, Value>) -> Result<Reviewed, Error> {
    let mut number = 0;
    let mut head = None;
    let mut reviewed = None;
    ledger.transcript::<Error>(ceremony, &mut |line| {
        number += 1;
        let at = format!("transcript, record {number}");
        let record: Record = serde_json::from_str(line).map_err(|e| changed(&at, e))?;
        let follows = head.as_ref().is_none_or(|head| *head == record.previous);
        if record.number != number || !follows {
            return Err(changed(at, "does not follow the record before it"));
        }
        let other = facts.iter().find(|(name, fact)| record.data.get(*name) != Some(*fact));
        if let Some((name, _)) = other.filter(|_| number == 1) {
            return Err(changed(at, format!("{name} is not what the ledger has of it now")));
        }
        if record.event == "review" {
            let count = |name| Some(record.data.get(name)?.as_u64()? as usize);
            reviewed = count("approved").zip(count("refused"));
        }
        head = Some(chain_head(line));
        Ok(())
    })?;
    Ok(reviewed)
}

/// The requests are those of the bundle that was imported, and as many are approved and refused.
pub fn requests(ledger: &Ledger, ceremony: i64, setup: &Setup, reviewed: Reviewed) -> Result<(), Error> {
    let Some(bundle) = setup.bundle else { return Ok(()) };
    let found = ledger.listing(ceremony)?;
    if found.digest != bundle {
        return Err(changed("requests", format!("their digest is {}, {bundle} was imported", found.digest)));
    }
    let now = (found.approved, found.refused);
    let counts = ledger.counts(ceremony)?;
    match [Some(counts), reviewed].into_iter().flatten().find(|counts| *counts != now) {
        None => Ok(()),
        Some((approved, refused)) => Err(changed(
            "requests",
            format!("{} are approved and {} refused, {approved} and {refused} were", now.0, now.1),
        )),
    }
}

/// An approval that is what policy makes of the request now.
pub fn approval(policy: &Policy, approved: Approved, came: &Came) -> Result<Approval, Error> {
    let kept = lane::approval(policy, approved)?;
    let again = policy.judge_again(kept.path().clone(), &came.octets, came.entry.as_deref());
    match again.map_err(|e| Error::Fault(e.0))?.outcome {
        Ok(again) if again.is(&kept) => Ok(again),
        _ => Err(changed(kept.path(), "the approval is not what the script makes of the request")),
    }
}

/// The first second of a reserved certificate: some time of this ceremony.
pub fn start(ledger: &Ledger, ceremony: i64, pending: &Pending, now: DateTime) -> Result<DateTime, Error> {
    let what = || format!("serial number {}", pending.serial.hex());
    let start = Reserved::of(&pending.tbs).map_err(|e| changed(what(), e))?.start;
    match ledger.began(ceremony)?.is_some_and(|began| began <= start) && start <= now {
        true => Ok(start),
        false => Err(changed(
            what(),
            format!("its certificate would be valid from {start}, no time of this ceremony"),
        )),
    }
}
