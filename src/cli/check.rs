//! `keyrite ceremony check`: reports all problems that a run would report.

use std::path::{Path, PathBuf};

use clap::Args;

use super::output::say;
use super::pin::PinSource;
use super::room::room;
use super::secrets::ShareSource;
use super::system;
use super::token::profile_text;
use crate::ceremony::Start;
use crate::cli::environment::environment;
use crate::failure::{Failure, Kind};
use crate::media::{quoted, shown};
use crate::plan::Plan;
use crate::plan::step::step_line;
use crate::record::count;
use crate::token::Selector;

/// Arguments of `ceremony check`.
#[derive(Debug, Args)]
pub struct Check {
    /// Script
    script: PathBuf,
    /// Ledger that the run will use; it is not modified
    #[arg(long, value_name = "DIR")]
    ledger: Option<PathBuf>,
    /// Check a run with --rehearsal
    #[arg(long)]
    rehearsal: bool,
    /// HSM profile that the run will use
    #[arg(long, value_name = "HSM-PROFILE")]
    hsm: Option<PathBuf>,
    /// Bundle that the run will import; may be repeated
    #[arg(long = "in", value_name = "BUNDLE")]
    bundles: Vec<PathBuf>,
    /// Answers file that the run will use
    #[arg(long, value_name = "FILE")]
    answers: Option<PathBuf>,
    #[command(flatten)]
    shares: ShareSource,
    /// Release that the run will write
    #[arg(long, value_name = "RELEASE")]
    out: Option<PathBuf>,
}

pub fn run(arguments: &Check) -> Result<(), Failure> {
    let plan = Plan::read(&arguments.script)?;
    let environment = environment();
    let hsm = arguments.hsm.clone().map(|path| Ok((path.clone(), profile_text(&path)?))).transpose();
    let (hsm, unread) = hsm.map_or_else(|failure: Failure| (None, Some(failure)), |hsm| (hsm, None));
    let room = |answers| room(Some(answers), PinSource::default(), arguments.shares.clone());
    let room = arguments.answers.as_deref().map(room).transpose()?;
    let start = Start {
        plan,
        hsm,
        token: Selector::default(),
        ledger: arguments.ledger.clone(),
        bundles: arguments.bundles.clone(),
        out: arguments.out.clone(),
        rehearsal: arguments.rehearsal,
        final_try: false,
    };
    let found = start.check(&system::temporary(), &environment, room.as_deref())?;
    let problems: Vec<Failure> = unread.into_iter().chain(found).collect();
    if let Some(first) = problems.first() {
        return Err(summary(arguments, first.kind, &problems));
    }
    print(&start.plan, &arguments.script);
    Ok(())
}

/// Combines the problems into one failure.
fn summary(arguments: &Check, kind: Kind, problems: &[Failure]) -> Failure {
    let lines: Vec<String> =
        problems.iter().map(|one| format!("  {}", one.text.replace('\n', "\n  "))).collect();
    let count = count(problems.len() as u64, "problem");
    Failure::new(kind, format!("{}: {count}\n{}", arguments.script.display(), lines.join("\n")))
}

fn print(plan: &Plan, file: &Path) {
    let script = plan.script();
    say(&format!("{}\n{}\n", shown(&script.title), shown(&script.purpose)));
    say(&format!("  people: {}", script.people.count().text()));
    if let Some(cluster) = &script.cluster {
        say(&format!("  cluster: {}", cluster.as_str()));
    }
    if let Some(approvals) = &script.approvals {
        let names: Vec<&str> = approvals.signers.iter().map(|one| one.name.as_str()).collect();
        say(&format!("  approvals of a bundle: {} of {}", approvals.required, names.join(", ")));
    }
    for at in 0..script.step.len() {
        say(&format!("  {}", step_line(&script.step, at)));
    }
    say("");
    for (path, digest) in plan.listing() {
        say(&format!("{digest}  {path}"));
    }
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let names: Vec<String> = plan.listing().iter().map(|(path, _)| quoted(path)).collect();
    say(&format!(
        "\nplan digest  {}\nin words     {}\ncheck with\n  (cd {} && sha256sum {} | sha256sum)",
        plan.digest(),
        plan.digest().words(),
        quoted(folder),
        names.join(" ")
    ));
}
