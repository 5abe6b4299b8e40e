//! `keyrite rehearse SCRIPT`: that very script and those very bundles on a throwaway token, with
//! the same screens and the same plan digest.

use crate::cli::environment::environment;
use crate::failure::Failure;
use crate::plan::Plan;
use crate::record::KeyRole;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Arguments, Stage, custody, preview};
use crate::ceremony::{check_bundles, judge_bundles, keys_from_before};
use crate::cli::output::say;
use crate::cli::pin::PinSource;
use crate::cli::room::room;
use crate::cli::secrets::ShareSource;
use crate::media::shown;

/// Certificate profiles of stand-ins: longer than any that they sign.
const PROFILES: &str = "[stand-in]\nsource = \"rehearsal\"\nkind = \"root\"\ndays = 36500\nkey_usage = [\"keyCertSign\", \"cRLSign\"]\n[stand-in-manifest]\nsource = \"rehearsal\"\nkind = \"manifest\"\ndays = 36500\nkey_usage = [\"digitalSignature\"]\nextended_key_usage = [\"emailProtection\"]\ncertificate_policies = [\"manifest-signing\"]\n";

/// Performs the command.
pub fn run(script: &Path, arguments: &Arguments, stage: &Stage) -> Result<(), Failure> {
    let plan = Plan::read(script)?;
    let after = arguments.after.iter().map(|path| Plan::read(path)).collect::<Result<Vec<_>, _>>();
    let after = after?;
    let real = preview::Real::read(&plan, &arguments.authorities)?;
    check(&plan, &after, arguments)?;
    stage.lay_out()?;
    say(&format!(
        "Rehearsal of {} in {}: everything made here is marked as such.\nplan digest  {}\n\n{}\n",
        shown(&plan.script().title),
        stage.folder.display(),
        plan.digest(),
        stage.entry()
    ));
    stage.keyrite("A throwaway SoftHSM token", "token init --hsm plan/softhsm2.toml --label rehearsal --so-pin-file token/so-pin --pin-file token/pin")?;
    let needed = needed(&after, &plan);
    if !needed.is_empty() {
        stage.write("plan/stand-ins.toml", &stand_ins(&needed), 0o600)?;
        stage.write("plan/stand-in-profiles.toml", PROFILES, 0o600)?;
        let names: Vec<&str> = needed.iter().map(|(name, _)| name.as_str()).collect();
        stage.keyrite(
            &format!("Stand-ins, for this ledger is empty: {}", names.join(", ")),
            "ceremony run plan/stand-ins.toml --hsm plan/softhsm2.toml --ledger ledger --rehearsal --answers plan/answers-accept.toml --pin-file token/pin",
        )?;
    }
    for (number, (path, plan)) in arguments.after.iter().zip(&after).enumerate() {
        let out = format!("before-{}", number + 1);
        let answers =
            arguments.answers.clone().unwrap_or_else(|| stage.folder.join("plan/answers-accept.toml"));
        stage.perform(path, plan, &[], &out, Some(&answers))?;
    }
    if plan.script().opens_by_shares() && custody::shares(stage).is_none() {
        custody::split(stage, &plan)?;
    }
    stage.perform(script, &plan, &arguments.bundles, "release", arguments.answers.as_deref())?;
    conclude(&plan, stage, &real)
}

/// What the ceremonies would find of the arguments, found before anything is made.
fn check(plan: &Plan, after: &[Plan], arguments: &Arguments) -> Result<(), Failure> {
    if let Some(before) = after.iter().find(|plan| plan.script().has("import")) {
        return Err(Failure::usage(format!(
            "--after {}: the script imports bundles, and only the rehearsed one is given any; leave it out",
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

/// Checks, previews and reports what came out.
fn conclude(plan: &Plan, stage: &Stage, real: &preview::Real) -> Result<(), Failure> {
    say("");
    let mut told = vec![format!("rehearsed    {}, plan digest {}", plan.name(), plan.digest())];
    if plan.script().has("release") {
        stage.keyrite("The ledger and the release, audited", "audit ledger release")?;
        let previewed = preview::write(stage, plan, real)?;
        told.push(format!(
            "preview      {previewed} certificates in {}",
            stage.folder.join("preview").display()
        ));
    } else {
        stage.keyrite("The ledger, audited", "audit ledger")?;
    }
    stage.keyrite("The report", "ceremony report ledger --out report.html")?;
    told.push(format!("report       {}", stage.folder.join("report.html").display()));
    told.push("REHEARSAL: install nothing of it".to_owned());
    say(&format!("\n{}", told.join("\n")));
    Ok(())
}

/// The keys that must be there before the first of these plans, and that none of them creates.
fn needed(after: &[Plan], plan: &Plan) -> Vec<(String, KeyRole)> {
    let mut found: Vec<(String, KeyRole)> = Vec::new();
    let mut made: Vec<String> = Vec::new();
    for plan in after.iter().chain([plan]) {
        for (name, role) in keys_from_before(plan) {
            if !made.contains(&name) && !found.iter().any(|(known, _)| *known == name) {
                found.push((name, role));
            }
        }
        made.extend(plan.script().keys().iter().filter(|key| key.makes).map(|key| key.name.to_owned()));
    }
    found
}

/// A script that creates stand-ins: roots of these names, and manifest keys under the first.
fn stand_ins(needed: &[(String, KeyRole)]) -> String {
    let mut text = "title = \"Stand-ins\"\npurpose = \"Stand in for the keys that the real ledger has.\"\nprofiles = [\"stand-in-profiles.toml\"]\n[[step]]\nact = \"machine\"\nnetwork = \"report\"\n[[step]]\nact = \"open-token\"\n[[step]]\nact = \"inventory\"\n".to_owned();
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

impl Stage {
    /// Performs a script as it will be performed: its screens are shown, and people type unless a
    /// file answers.
    fn perform(
        &self,
        script: &Path,
        plan: &Plan,
        bundles: &[PathBuf],
        out: &str,
        answers: Option<&Path>,
    ) -> Result<(), Failure> {
        let absolute = |path: &Path| {
            std::path::absolute(path).map_err(|e| Failure::usage(format!("{}: {e}", path.display())))
        };
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
        match answers {
            Some(answers) if by_shares => {
                words.extend(["--answers".into(), absolute(answers)?.into()]);
            }
            Some(answers) => words.extend([
                "--answers".into(),
                absolute(answers)?.into(),
                "--pin-file".into(),
                "token/pin".into(),
            ]),
            None if by_shares => {}
            None => {
                say(&format!("The throwaway token's PIN, to be typed when it is asked for: {}", super::PIN))
            }
        }
        words.extend(custody::arguments(self, plan, answers.is_some()));
        say(&format!(
            "\nkeyrite {}",
            words.iter().map(|word| super::quoted(&word.to_string_lossy())).collect::<Vec<_>>().join(" ")
        ));
        crate::cli::stop::leave_to_child();
        let status = Command::new(super::program()?)
            .args(&words)
            .current_dir(&self.folder)
            .env("SOFTHSM2_CONF", self.folder.join("token/softhsm2.conf"))
            .status()
            .map_err(|e| Failure::fault(format!("own program: {e}")))?;
        if status.success() {
            return Ok(());
        }
        let message = format!(
            "the rehearsal of {} did not go through, see above; a new one goes to another folder\n{}",
            plan.name(),
            self.entry()
        );
        Err(super::failure(status.code(), message))
    }
}
