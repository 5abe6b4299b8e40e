//! Signing: what comes to be signed, by which key, and what goes out of a ledger once it is.
//!
//! In: a plan, the rows of a ledger, sessions at a token. Out: certificates that were verified before they
//! were written down, and releases that can be written again as often as they are asked for.

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

/// How far long work has come.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// What is being done with requests: checked, issued, written.
    pub doing: &'static str,
    /// How many are done.
    pub done: usize,
    /// How many there are in all, when that is known.
    pub all: Option<usize>,
    /// How many are refused so far.
    pub refused: usize,
}

/// The policy of a plan, which keeps requests away from the keys that the ledger knows.
///
/// # Errors
/// [`Failure::usage`] when profiles and roster do not go together.
pub fn policy(plan: &Plan, ledger: Option<&Ledger>) -> Result<Policy, Failure> {
    let keys = ledger.map(Ledger::keys).transpose()?.unwrap_or_default();
    let own = keys.into_iter().filter_map(|key| Some((key.certificate?.key().digest(), key.name)));
    Policy::new(plan.profiles(), &plan.script().roster, own.collect()).map_err(|e| Failure::usage(e.0))
}

/// The approval of a row.
///
/// # Errors
/// [`Failure::fault`] when the row is damaged.
pub fn approval(policy: &Policy, row: &Row) -> Result<Approval, Failure> {
    let path = row.request_path()?;
    let (Some(spki), Some(approval)) = (&row.spki, &row.approval) else {
        return Err(Failure::fault(format!("ledger: {path}: no approval")));
    };
    let key = PublicKey::accepted(spki).map_err(|e| Failure::fault(format!("ledger: {path}: {e}")))?;
    policy.restore(path, row.request()?, key, approval).map_err(|e| Failure::fault(e.0))
}
