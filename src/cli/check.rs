//! `keyrite ceremony check`: what would fail in the room, all of it at once.

use crate::failure::Failure;
use crate::plan::Plan;
use crate::plan::step::step_line;
use crate::signing::check_out;
use std::path::{Path, PathBuf};

use clap::Args;

use super::system;
use super::terminal::say;
use super::token::profile_text;
use crate::ceremony::{Environment, check_ledger, findings, judge_bundles, keys_are_there};
use crate::ledger::Ledger;
use crate::media::shown;
use crate::token::{HsmProfile, Module};

/// Arguments of `ceremony check`.
#[derive(Debug, Args)]
pub struct Check {
    /// The script
    script: PathBuf,
    /// The ledger that it will run on; it is read only
    #[arg(long, value_name = "DIR")]
    ledger: Option<PathBuf>,
    /// It will run with --rehearsal
    #[arg(long)]
    rehearsal: bool,
    /// The HSM profile that it will run with
    #[arg(long, value_name = "HSM-PROFILE")]
    hsm: Option<PathBuf>,
    /// The bundles that it will import
    #[arg(long = "in", value_name = "BUNDLE")]
    bundles: Vec<PathBuf>,
    /// Where its release will go
    #[arg(long, value_name = "RELEASE")]
    out: Option<PathBuf>,
}

/// Performs the command.
pub fn run(arguments: &Check) -> Result<(), Failure> {
    let plan = Plan::read(&arguments.script)?;
    let environment = system::environment();
    let mut found = plan_and_ledger(arguments, &plan, &environment)?;
    found.extend(hsm(arguments.hsm.as_deref()));
    found.extend(output(arguments, &plan));
    found.extend(bundles(arguments, &plan, &environment));
    if !found.is_empty() {
        let lines: Vec<String> = found.iter().map(|one| format!("  {one}")).collect();
        let name = arguments.script.display();
        return Err(Failure::usage(format!(
            "{name}: {} would fail or surprise in the room:\n{}",
            if found.len() == 1 { "one thing".to_owned() } else { format!("{} things", found.len()) },
            lines.join("\n")
        )));
    }
    tell(&plan);
    Ok(())
}

fn plan_and_ledger(
    arguments: &Check,
    plan: &Plan,
    environment: &Environment<'_>,
) -> Result<Vec<String>, Failure> {
    let ledger = arguments.ledger.as_deref().filter(|folder| Ledger::is_in(folder));
    let ledger = ledger.map(|folder| Ledger::read(folder, &system::temporary()));
    let mut ledger = ledger.transpose()?;
    if let Some(ledger) = &mut ledger {
        // What is not as it was written tells nothing else.
        check_ledger(ledger, environment.processors)?;
    }
    let mut found = Vec::new();
    match (&arguments.ledger, &ledger) {
        (Some(_), Some(ledger)) => {
            found.extend(ledger.check_kind(arguments.rehearsal).err().map(|e| format!("--ledger {e}")));
        }
        (Some(folder), None) => {
            let place = Ledger::check_place(folder).map_err(Into::into);
            found.extend(
                place.and_then(|()| keys_are_there(plan, folder)).err().map(|e| format!("--ledger {e}")),
            );
        }
        (None, _) => {}
    }
    found.extend(findings(plan, ledger.as_ref(), (environment.now)())?);
    Ok(found)
}

fn hsm(profile: Option<&Path>) -> Option<String> {
    let path = profile?;
    let text = match profile_text(path) {
        Ok(text) => text,
        Err(failure) => return Some(failure.text),
    };
    let loaded = HsmProfile::parse(&text).and_then(Module::load);
    loaded.err().map(|error| format!("{}: {error}", path.display()))
}

fn output(arguments: &Check, plan: &Plan) -> Option<String> {
    let makes = plan.script().has("release");
    match &arguments.out {
        Some(_) if !makes => Some("--out: the script makes no release; leave it out".into()),
        Some(out) => check_out(out, arguments.ledger.as_deref()).err().map(|e| format!("--out: {e}")),
        None => None,
    }
}

fn bundles(arguments: &Check, plan: &Plan, environment: &Environment<'_>) -> Option<String> {
    if arguments.bundles.is_empty() {
        return None;
    }
    if !plan.script().has("import") {
        return Some("--in: the script imports no bundle; leave it out".into());
    }
    let judged = judge_bundles(plan, &arguments.bundles, true, environment, &mut |_| {}, &mut |_| Ok(()));
    let verdict = match judged {
        Ok(verdict) => verdict,
        Err(error) => return Some(format!("--in: {error}")),
    };
    let stops = plan.script().stops_at_refusal();
    let all = verdict.approved + verdict.refused;
    let see = "see which by keyrite request check";
    match (verdict.approved, verdict.refused) {
        (0, refused) => Some(format!("--in: every request would be refused ({refused} of {all}); {see}")),
        (_, refused) if refused > 0 && stops => Some(format!(
            "--in: {refused} of {all} requests would be refused, and the script then issues none; {see}"
        )),
        _ => None,
    }
}

fn tell(plan: &Plan) {
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
    let names: Vec<&str> = plan.listing().iter().map(|(path, _)| *path).collect();
    say(&format!(
        "\nplan digest  {}\nin words     {}\nthe same by  sha256sum {} | sha256sum",
        plan.digest(),
        plan.digest().words(),
        names.join(" ")
    ));
}
