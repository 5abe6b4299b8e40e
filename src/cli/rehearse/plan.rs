//! `keyrite rehearse SCRIPT`: the unchanged script and bundles, with the same screens and plan
//! digest.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::preview::{self, RealAuthorities};
use super::{Arguments, PIN, Workspace, absolute, custody, failure, own_program};
use crate::ceremony::{check_bundles, judge_bundles, keys_from_before};
use crate::cli::environment::environment;
use crate::cli::output::say;
use crate::cli::pin::PinSource;
use crate::cli::room::room;
use crate::cli::secrets::ShareSource;
use crate::cli::stop;
use crate::failure::Failure;
use crate::media::{quoted, shown};
use crate::plan::Plan;
use crate::record::{KeyRole, count};

/// Certificate profiles of stand-ins, valid longer than anything they sign.
const PROFILES: &str = "[stand-in]\nsource = \"rehearsal\"\nkind = \"root\"\ndays = 36500\nkey_usage = [\"keyCertSign\", \"cRLSign\"]\n[stand-in-manifest]\nsource = \"rehearsal\"\nkind = \"manifest\"\ndays = 36500\nkey_usage = [\"digitalSignature\"]\nextended_key_usage = [\"emailProtection\"]\ncertificate_policies = [\"manifest-signing\"]\n";

pub fn run(script: &Path, arguments: &Arguments, workspace: &Workspace) -> Result<(), Failure> {
    let plan = Plan::read(script)?;
    let after = arguments.after.iter().map(|path| Plan::read(path)).collect::<Result<Vec<_>, _>>()?;
    let real = RealAuthorities::read(&plan, &arguments.authorities)?;
    check(&plan, &after, arguments)?;
    workspace.prepare(
        &format!("Rehearsal of {}", shown(&plan.script().title)),
        &format!("plan digest  {}\n", plan.digest()),
        "A throwaway SoftHSM token",
    )?;
    let needed = needed(&after, &plan);
    if !needed.is_empty() {
        workspace.write("plan/stand-ins.toml", &stand_ins(&needed), 0o600)?;
        workspace.write("plan/stand-in-profiles.toml", PROFILES, 0o600)?;
        let names: Vec<&str> = needed.iter().map(|(name, _)| name.as_str()).collect();
        let title = format!("Stand-ins for keys of the real ledger: {}", names.join(", "));
        workspace.ceremony(&title, "plan/stand-ins.toml", "")?;
    }
    for (number, (path, plan)) in arguments.after.iter().zip(&after).enumerate() {
        let out = format!("before-{}", number + 1);
        let answers =
            arguments.answers.clone().unwrap_or_else(|| workspace.folder.join("plan/answers-accept.toml"));
        workspace.perform(path, plan, &[], &out, Some(&answers))?;
    }
    if plan.script().opens_by_shares() && custody::shares(workspace).is_none() {
        custody::split(workspace, &plan)?;
    }
    workspace.perform(script, &plan, &arguments.bundles, "release", arguments.answers.as_deref())?;
    conclude(&plan, workspace, &real)
}

/// Checks the arguments as the ceremonies will, before anything is created.
fn check(plan: &Plan, after: &[Plan], arguments: &Arguments) -> Result<(), Failure> {
    if let Some(before) = after.iter().find(|plan| plan.script().has("import")) {
        return Err(Failure::usage(format!(
            "--after {}: the script imports bundles, which are only for the rehearsed script; leave it out",
            before.name()
        )));
    }
    check_bundles(plan, &arguments.bundles)?;
    if !arguments.bundles.is_empty() {
        let environment = environment();
        judge_bundles(plan, &arguments.bundles, true, &environment, &mut |_| {}, &mut |_| Ok(()))?;
    }
    room(arguments.answers.as_deref(), PinSource::default(), ShareSource::default()).map(|_| ())
}

/// Audits the ledger and writes previews and the report.
fn conclude(plan: &Plan, workspace: &Workspace, real: &RealAuthorities) -> Result<(), Failure> {
    say("");
    let mut summary = vec![format!("rehearsed    {}, plan digest {}", plan.name(), plan.digest())];
    if plan.script().has("release") {
        workspace.keyrite("The ledger and the release, audited", "audit ledger release")?;
        let previewed = preview::write(workspace, plan, real)?;
        summary.push(format!(
            "preview      {} in {}",
            count(previewed as u64, "certificate"),
            workspace.folder.join("preview").display()
        ));
    } else {
        workspace.keyrite("The ledger, audited", "audit ledger")?;
    }
    workspace.keyrite("The report", "ceremony report ledger --out report.html")?;
    summary.push(format!("report       {}", workspace.folder.join("report.html").display()));
    summary.push("REHEARSAL: do not install the release".to_owned());
    say(&format!("\n{}", summary.join("\n")));
    Ok(())
}

/// Returns the keys that these plans use before one of them creates them.
fn needed(after: &[Plan], plan: &Plan) -> Vec<(String, KeyRole)> {
    let mut needed: Vec<(String, KeyRole)> = Vec::new();
    let mut created: Vec<String> = Vec::new();
    for plan in after.iter().chain([plan]) {
        for (name, role) in keys_from_before(plan) {
            if !created.contains(&name) && !needed.iter().any(|(known, _)| *known == name) {
                needed.push((name, role));
            }
        }
        created.extend(plan.script().keys().iter().filter(|key| key.makes).map(|key| key.name.to_owned()));
    }
    needed
}

/// Returns a script that creates stand-ins: roots, and manifest keys under the first root.
fn stand_ins(needed: &[(String, KeyRole)]) -> String {
    let mut text = "title = \"Stand-ins\"\npurpose = \"Stand in for the keys of the real ledger.\"\nprofiles = [\"stand-in-profiles.toml\"]\n[[step]]\nact = \"machine\"\nnetwork = \"report\"\n[[step]]\nact = \"open-token\"\n[[step]]\nact = \"inventory\"\n".to_owned();
    let authorities: Vec<&str> = needed
        .iter()
        .filter(|(_, role)| *role == KeyRole::Authority)
        .map(|(name, _)| name.as_str())
        .collect();
    let first = authorities.first().copied().unwrap_or("stand-in");
    let all = if authorities.is_empty() { vec![first] } else { authorities };
    for name in all {
        text.push_str(&format!("[[step]]\nact = \"create-authority\"\nname = \"{name}\"\nprofile = \"stand-in\"\nsubject = [\"CN={name}\"]\nkey = \"ecdsa-p256\"\ndays = 36500\n"));
    }
    for (name, _) in needed.iter().filter(|(_, role)| *role == KeyRole::Manifest) {
        text.push_str(&format!("[[step]]\nact = \"create-manifest-key\"\nname = \"{name}\"\nprofile = \"stand-in-manifest\"\nsubject = [\"CN={name}\"]\nissuer = \"{first}\"\ndays = 36500\n"));
    }
    text
}

impl Workspace {
    /// Runs a script with its screens; people type unless a file answers.
    fn perform(
        &self,
        script: &Path,
        plan: &Plan,
        bundles: &[PathBuf],
        out: &str,
        answers: Option<&Path>,
    ) -> Result<(), Failure> {
        let mut words: Vec<OsString> = vec!["ceremony".into(), "run".into(), absolute(script)?.into()];
        words
            .extend(["--hsm", "plan/softhsm2.toml", "--ledger", "ledger", "--rehearsal"].map(OsString::from));
        for bundle in bundles {
            words.extend(["--in".into(), absolute(bundle)?.into()]);
        }
        if plan.script().has("release") {
            words.extend(["--out".into(), out.into()]);
        }
        let by_shares = plan.script().opens_by_shares();
        if let Some(answers) = answers {
            words.extend(["--answers".into(), absolute(answers)?.into()]);
            if !by_shares {
                words.extend(["--pin-file", "token/pin"].map(OsString::from));
            }
        } else if !by_shares {
            say(&format!("PIN of the throwaway token, to be typed: {PIN}"));
        }
        words.extend(custody::arguments(self, plan, answers.is_some()));
        say(&format!("\nkeyrite {}", words.iter().map(quoted).collect::<Vec<_>>().join(" ")));
        stop::leave_to_child();
        let status = self.command()?.args(&words).status().map_err(own_program)?;
        if status.success() {
            return Ok(());
        }
        let message = format!(
            "the rehearsal of {} failed, see above; use another folder for a new one\n{}",
            plan.name(),
            self.instructions()
        );
        Err(failure(status.code(), message))
    }
}
