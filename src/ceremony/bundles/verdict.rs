//! Judges bundles without a token or a ledger, with the same parsing, controls and messages as a
//! ceremony, before anyone travels.

use std::path::PathBuf;

use super::intake::Intake;
use crate::ceremony::Environment;
use crate::digest::Digest;
use crate::failure::Failure;
use crate::ledger::{Ledger, Rows};
use crate::media::RelativePath;
use crate::plan::Plan;
use crate::policy::Approval;
use crate::record::BundleFacts;
use crate::request::Reason;
use crate::signing::{Progress, approval, policy};

/// A verdict on bundles as a whole.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Bundle digest.
    pub bundle: Digest,
    /// Facts of the indexes.
    pub indexes: Vec<BundleFacts>,
    /// Number of requests that would be issued.
    pub approved: usize,
    /// Number of refused requests.
    pub refused: usize,
}

/// The verdict on one request.
#[derive(Debug)]
pub enum Judged {
    /// It would be issued.
    Approved(Box<Approval>),
    /// It is refused.
    Refused(RelativePath, Vec<Reason>),
}

/// Judges bundles against a plan. What only a ledger knows is unchecked: keys and requests of earlier
/// ceremonies, and sequence numbers. Without `approved`, approvals may be missing: an approver needs the
/// verdict first.
///
/// # Errors
/// As a ceremony's import: [`Failure::refused`] when a bundle is refused as a whole.
pub fn judge_bundles(
    plan: &Plan,
    bundles: &[PathBuf],
    approved: bool,
    environment: &Environment<'_>,
    report: &mut dyn FnMut(&Progress),
    each: &mut dyn FnMut(Judged) -> Result<(), Failure>,
) -> Result<Verdict, Failure> {
    if !plan.script().has("import") {
        return Err(Failure::usage(format!("{}: the script imports no bundle", plan.name())));
    }
    let policy = policy(plan, None)?;
    let mut ledger = Ledger::scratch()?;
    let mut import = ledger.import()?;
    let mut intake = Intake { script: plan.script(), policy: &policy, approved, environment, report };
    let indexes = intake.take_in(bundles, &mut import, Default::default())?;
    let imported = import.settle(&policy)?;
    let id = import.commit("", None, Some(imported), &[])?;
    ledger.rows(Rows::Approved, id, &mut |group| {
        group.iter().try_for_each(|row| each(Judged::Approved(Box::new(approval(&policy, row)?))))
    })?;
    ledger.rows(Rows::Refused, id, &mut |group| {
        group.iter().try_for_each(|row| each(Judged::Refused(row.request_path()?, row.reasons()?)))
    })?;
    let crate::ledger::Imported { approved, refused, digest } = imported;
    Ok(Verdict { bundle: digest, indexes, approved, refused })
}
