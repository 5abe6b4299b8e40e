//! Reads bundles once, judges their requests in worker threads and stores them in their order.

use std::path::PathBuf;

use super::admission::{BundleAdmission, Sequences};
use crate::ceremony::Environment;
use crate::failure::Failure;
use crate::ledger::Import;
use crate::parallel;
use crate::plan::Script;
use crate::policy::{Judgement, Policy};
use crate::record::BundleFacts;
use crate::request::{BundleFile, read_bundles};
use crate::signing::Progress;

/// Requests that one worker judges at a time.
const GROUP: usize = 64;

/// Judges bundles.
pub struct Intake<'a> {
    pub script: &'a Script,
    pub policy: &'a Policy,
    /// Whether the script's approvals are required.
    pub approved: bool,
    pub environment: &'a Environment<'a>,
    pub report: &'a mut dyn FnMut(&Progress),
}

impl Intake<'_> {
    /// Imports every file of the bundles; returns the facts of their indexes.
    pub fn take_in(
        &mut self,
        bundles: &[PathBuf],
        import: &mut Import<'_>,
        sequences: Sequences,
    ) -> Result<Vec<BundleFacts>, Failure> {
        let Self { script, policy, approved, environment, report } = self;
        let mut admission = BundleAdmission::new(script, *approved, (environment.now)(), sequences);
        let mut progress = Progress { doing: "checked", done: 0, all: None, refused: 0 };
        let source = |each: &mut dyn FnMut(Vec<BundleFile>) -> Result<(), Failure>| {
            groups(bundles, &mut admission, each)
        };
        parallel::ordered(
            environment.processors,
            source,
            |group| judge(policy, group),
            |group| {
                let group = group?;
                for (judgement, file) in &group {
                    import.add(judgement, file)?;
                    progress.refused += usize::from(judgement.outcome.is_err());
                }
                progress.done += group.len();
                report(&progress);
                if (environment.stopped)() {
                    Err(Failure::stopped("stopped while requests were checked; nothing was signed"))
                } else {
                    Ok(())
                }
            },
        )?;
        let BundleAdmission { accepted, .. } = admission;
        let keep = |(facts, index)| {
            import.bundle(&index)?;
            Ok(facts)
        };
        accepted.into_iter().map(keep).collect()
    }
}

fn groups(
    bundles: &[PathBuf],
    admission: &mut BundleAdmission<'_>,
    each: &mut dyn FnMut(Vec<BundleFile>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut group = Vec::with_capacity(GROUP);
    read_bundles(bundles, admission, &mut |file| {
        group.push(file);
        if group.len() < GROUP {
            Ok(())
        } else {
            each(std::mem::replace(&mut group, Vec::with_capacity(GROUP)))
        }
    })?;
    each(group)
}

fn judge(policy: &Policy, group: Vec<BundleFile>) -> Result<Vec<(Judgement, BundleFile)>, Failure> {
    let judge = |file: BundleFile| {
        let judgement = policy.judge(file.path.clone(), &file.octets, file.entry.as_deref());
        file.check(judgement.request)?;
        Ok((judgement, file))
    };
    group.into_iter().map(judge).collect()
}
