//! The bundles of a ceremony: read once, judged and stored at preflight, in one transaction that is rolled
//! back when they are refused as a whole. The step `import` shows what they contain.

mod admission;
mod intake;
mod verdict;

use std::path::PathBuf;

pub use verdict::{Judged, Verdict, judge_bundles};

use self::intake::Intake;
use super::Environment;
use crate::failure::Failure;
use crate::ledger::{Import, Imported, Ledger, Line, Row};
use crate::plan::{Plan, Setup};
use crate::policy::Policy;
use crate::record::{BundleFacts, count};
use crate::request::IndexName;
use crate::signing::Progress;

/// Maximum refusals shown; the transcript has all.
pub const SHOWN: usize = 40;

/// Admitted bundles, imported but not committed.
pub struct Admitted<'l> {
    import: Import<'l>,
    /// None if the script imports no bundles.
    pub imported: Option<Imported>,
    /// Facts of the bundles' indexes.
    pub indexes: Vec<BundleFacts>,
}

/// Imports the bundles of a ceremony.
pub fn admit<'l>(
    (plan, bundles): (&Plan, &[PathBuf]),
    ledger: &'l mut Ledger,
    policy: &Policy,
    environment: &Environment<'_>,
    report: &mut dyn FnMut(&Progress),
) -> Result<Admitted<'l>, Failure> {
    let sequences = ledger.sequences()?;
    let mut import = ledger.import()?;
    if bundles.is_empty() {
        return Ok(Admitted { import, imported: None, indexes: Vec::new() });
    }
    let mut intake = Intake { script: plan.script(), policy, approved: true, environment, report };
    let indexes = intake.take_in(bundles, &mut import, sequences)?;
    let imported = import.settle(policy)?;
    check(plan, &import, imported)?;
    Ok(Admitted { import, imported: Some(imported), indexes })
}

impl Admitted<'_> {
    /// Begins the ceremony with these bundles and the first lines of its transcript; returns its number.
    pub fn commit(self, setup: &Setup, plan: &Plan, lines: &[Line]) -> Result<i64, Failure> {
        let text = serde_json::to_string(setup).map_err(|e| Failure::fault(e.to_string()))?;
        let cluster = plan.script().cluster.as_ref().map(IndexName::as_str);
        Ok(self.import.commit(&text, cluster, self.imported, lines)?)
    }
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
        0 => format!("every request is refused ({refused} of {all}); nothing was signed"),
        _ => format!(
            "{refused} of {all} requests are refused and the script then issues none; nothing was signed"
        ),
    };
    Err(Failure::refused(format!("{what}:\n{}", refusal_lines(&import.refusals(SHOWN)?, refused)?)))
}

/// Returns one line per violation of the first refusals, and the number of further refused requests.
pub fn refusal_lines(first: &[Row], all: usize) -> Result<String, Failure> {
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
