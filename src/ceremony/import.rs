//! Taking in bundles: read once, judged in threads, written down in one transaction that is taken
//! back when the bundle is refused as a whole.

use super::gate::{Gatekeeper, Sequences};
use super::preflight::{Setup, Start};
use super::script::{RefusalRule, Step};
use super::{BundleFacts, Error, People, Plan, Progress, Surroundings};
use crate::ledger::{Import, Imported, Ledger, Refused};
use crate::parallel;
use crate::policy::{Judgement, Policy};
use crate::release::Reason;
use crate::request::{BundleFile, IndexName, read_bundles};

/// Requests that one thread judges at a time.
const GROUP: usize = 64;
/// At most so many refusals are shown; the transcript has all.
pub const SHOWN: usize = 40;

/// Begins a ceremony in the ledger with the bundles that it is to answer; returns its number.
pub fn import(
    start: &Start,
    setup: &mut Setup,
    ledger: &mut Ledger,
    policy: &Policy,
    surroundings: &Surroundings<'_>,
    people: &mut dyn People,
) -> Result<i64, Error> {
    let sequences = ledger.sequences()?;
    let mut import = ledger.import()?;
    let imported = match start.bundles.is_empty() {
        true => None,
        false => {
            setup.indexes = take_in(start, &mut import, policy, sequences, surroundings, people)?;
            let imported = import.settle(policy)?;
            check(&start.plan, &import, imported)?;
            Some(imported)
        }
    };
    setup.bundle = imported.map(|imported| imported.digest);
    let text = serde_json::to_string(&setup).map_err(|e| Error::Fault(e.to_string()))?;
    let cluster = start.plan.script().cluster.as_ref().map(IndexName::as_str);
    Ok(import.commit(&text, cluster, imported)?)
}

fn take_in(
    start: &Start,
    import: &mut Import<'_>,
    policy: &Policy,
    sequences: Sequences,
    surroundings: &Surroundings<'_>,
    people: &mut dyn People,
) -> Result<Vec<BundleFacts>, Error> {
    let bundles = &start.bundles;
    let mut gate = Gatekeeper::new(start.plan.script(), (surroundings.now)(), sequences);
    let source = |each: &mut dyn FnMut(Vec<BundleFile>) -> Result<(), Error>| {
        let mut group = Vec::with_capacity(GROUP);
        read_bundles(bundles, &mut gate, &mut |file| {
            group.push(file);
            if group.len() < GROUP {
                Ok(())
            } else {
                each(std::mem::replace(&mut group, Vec::with_capacity(GROUP)))
            }
        })?;
        each(group)
    };
    let judge = |group: Vec<BundleFile>| -> Result<Vec<(Judgement, BundleFile)>, Error> {
        let judge = |file: BundleFile| {
            let judgement = policy.judge(file.path.clone(), &file.octets, file.entry.as_deref());
            file.check(judgement.request)?;
            Ok((judgement, file))
        };
        group.into_iter().map(judge).collect()
    };
    let mut progress = Progress { doing: "checked", done: 0, all: None, refused: 0 };
    parallel::ordered(surroundings.processors, source, judge, |group| {
        let group = group?;
        for (judgement, file) in &group {
            import.add(judgement, &file.octets, file.entry.as_ref().map(|_| file.bundle))?;
            progress.refused += usize::from(judgement.outcome.is_err());
        }
        progress.done += group.len();
        people.progress(&progress);
        match (surroundings.stopped)() {
            true => Err(Error::Stopped("stopped while requests were checked; nothing was signed".into())),
            false => Ok(()),
        }
    })?;
    let Gatekeeper { accepted, .. } = gate;
    for facts in &accepted {
        import.bundle(
            facts.bundle,
            facts.cluster.as_ref().map(IndexName::as_str),
            facts.part.as_ref().map(IndexName::as_str),
            facts.sequence.number(),
            facts.index_sha256,
        )?;
    }
    Ok(accepted)
}

fn check(
    plan: &Plan,
    import: &Import<'_>,
    Imported { approved, refused, .. }: Imported,
) -> Result<(), Error> {
    let rule = plan.script().step.iter().find_map(|step| match step {
        Step::Review { refusals, .. } => Some(*refusals),
        _ => None,
    });
    let stops = rule == Some(RefusalRule::Stop) && refused > 0;
    if approved > 0 && !stops {
        return Ok(());
    }
    let all = approved + refused;
    let what = match approved {
        0 => format!("every request is refused ({refused} of {all}), nothing was signed"),
        _ => format!(
            "{refused} of {all} requests are refused and the script then issues none, nothing was signed"
        ),
    };
    Err(Error::Refused(format!("{what}:\n{}", refusal_lines(&import.refusals(SHOWN)?, refused)?)))
}

/// One line for each violation of the first refusals, and how many requests more are refused.
pub fn refusal_lines(first: &[Refused], all: usize) -> Result<String, Error> {
    let mut lines = Vec::new();
    for refused in first {
        for reason in reasons(refused)? {
            lines.push(format!("  {}: {} [{}]", refused.path, reason.message, reason.control));
        }
    }
    if all > first.len() {
        lines.push(format!("  and {} requests more", all - first.len()));
    }
    Ok(lines.join("\n"))
}

/// Why a request was refused.
pub fn reasons(refused: &Refused) -> Result<Vec<Reason>, Error> {
    serde_json::from_str(&refused.reasons).map_err(|e| Error::Fault(format!("ledger: {}: {e}", refused.path)))
}
