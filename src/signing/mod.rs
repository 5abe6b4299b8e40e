//! Signing: builds, signs and verifies certificates, and exports releases from a ledger.
//!
//! Input: a plan, the rows of a ledger, sessions of a token. Output: certificates that were verified before
//! they were recorded, and releases that can be written again at any time.

mod export;
mod key;
mod pipeline;
mod reissue;

pub(crate) use export::{Export, authorities, check_out, check_seal, manifest_keys};
pub(crate) use key::{is_certificate_of, subject, to_be_signed};
pub(crate) use pipeline::{Batch, Event, Pipeline, Queues, Signers};
pub(crate) use reissue::{Which, manifest_again, reissue};

use crate::failure::Failure;
use crate::keys::PublicKey;
use crate::ledger::{Ledger, Row};
use crate::plan::Plan;
use crate::policy::{Approval, Policy};

/// Progress of long work, in requests.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Participle of the work: "checked", "issued", "written".
    pub doing: &'static str,
    /// Number done.
    pub done: usize,
    /// Total, if known.
    pub all: Option<usize>,
    /// Number refused so far.
    pub refused: usize,
}

/// Returns the policy of a plan, which refuses requests for keys of the ledger.
///
/// # Errors
/// [`Failure::usage`] when profiles and roster contradict each other.
pub fn policy(plan: &Plan, ledger: Option<&Ledger>) -> Result<Policy, Failure> {
    let keys = ledger.map(Ledger::keys).transpose()?.unwrap_or_default();
    let own = keys.into_iter().filter_map(|key| Some((key.certificate?.key().digest(), key.name)));
    Policy::new(plan.profiles(), plan.script().rules(), own.collect()).map_err(|e| Failure::usage(e.0))
}

/// Restores the approval of a row.
pub fn approval(policy: &Policy, row: &Row) -> Result<Approval, Failure> {
    let path = row.request_path()?;
    let (Some(spki), Some(approval)) = (&row.spki, &row.approval) else {
        return Err(Failure::fault(format!("ledger: {path}: no approval")));
    };
    let key = PublicKey::accepted(spki).map_err(|e| Failure::fault(format!("ledger: {path}: {e}")))?;
    policy.restore(path, row.request()?, key, approval).map_err(|e| Failure::fault(e.0))
}
