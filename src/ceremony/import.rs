//! The import of a ceremony: one transaction, taken back when the bundle is refused as a whole.

use super::intake::Intake;
use super::preflight::Start;
use super::{Environment, People};
use crate::failure::Failure;
use crate::ledger::{Import, Imported, Ledger, Line, Refused};
use crate::plan::{Plan, Setup};
use crate::policy::Policy;
use crate::record::count;
use crate::request::IndexName;
use crate::signing::Progress;

/// At most so many refusals are shown; the transcript has all.
pub const SHOWN: usize = 40;

/// Gives the first lines of the transcript, once it is known what came in.
pub type Begin<'b> = dyn FnMut(&Setup, &dyn People) -> Result<Vec<Line>, Failure> + 'b;

/// Begins a ceremony in the ledger with the bundles that it is to answer; returns its number.
pub fn import(
    start: &Start,
    setup: &mut Setup,
    ledger: &mut Ledger,
    policy: &Policy,
    environment: &Environment<'_>,
    people: &mut dyn People,
    begin: &mut Begin<'_>,
) -> Result<i64, Failure> {
    let sequences = ledger.sequences()?;
    let mut import = ledger.import()?;
    let imported = match start.bundles.is_empty() {
        true => None,
        false => {
            let mut tell = |progress: &Progress| people.progress(progress);
            let mut intake =
                Intake { script: start.plan.script(), policy, approved: true, environment, tell: &mut tell };
            setup.indexes = intake.take_in(&start.bundles, &mut import, sequences)?;
            let imported = import.settle(policy)?;
            check(&start.plan, &import, imported)?;
            Some(imported)
        }
    };
    setup.bundle = imported.map(|imported| imported.digest);
    let text = serde_json::to_string(&setup).map_err(|e| Failure::fault(e.to_string()))?;
    let cluster = start.plan.script().cluster.as_ref().map(IndexName::as_str);
    let lines = begin(setup, people)?;
    Ok(import.commit(&text, cluster, imported, &lines)?)
}

fn check(
    plan: &Plan,
    import: &Import<'_>,
    Imported { approved, refused, .. }: Imported,
) -> Result<(), Failure> {
    let stops = refused > 0 && plan.script().stops_at_refusal();
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
    Err(Failure::refused(format!("{what}:\n{}", refusal_lines(&import.refusals(SHOWN)?, refused)?)))
}

/// One line for each violation of the first refusals, and how many requests more are refused.
pub fn refusal_lines(first: &[Refused], all: usize) -> Result<String, Failure> {
    let mut lines = Vec::new();
    for refused in first {
        for reason in refused.reasons()? {
            lines.push(format!("  {}: {} [{}]", refused.path, reason.message, reason.control));
        }
    }
    if all > first.len() {
        lines.push(format!("  and {} more", count((all - first.len()) as u64, "request")));
    }
    Ok(lines.join("\n"))
}
