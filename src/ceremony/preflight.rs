//! Before the PIN: everything that can fail without the token is tried.

use crate::failure::Failure;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::bound::unbound;
use super::conductor::{Conductor, Parts};
use super::facts::facts;
use super::import::import;
use super::plan::PlanFiles;
use super::transcript::Transcript;
use super::unattended::check_people;
use super::{BundleFacts, People, Plan, Step, Surroundings};
use crate::digest::Digest;
use crate::issuance::{Authority, Certificate};
use crate::ledger::{KeyRole, Ledger, StoredKey};
use crate::media::Output;
use crate::policy::Policy;
use crate::token::{HsmProfile, Module, Selector, TokenFacts};

/// What a run is told on the command line.
#[derive(Clone, Debug)]
pub struct Start {
    /// The plan.
    pub plan: Plan,
    /// The HSM profile's text.
    pub hsm: String,
    /// Which token is meant, when the command line says so.
    pub token: Selector,
    /// The ledger's folder.
    pub ledger: PathBuf,
    /// Media of requests: folders or tars.
    pub bundles: Vec<PathBuf>,
    /// Where the release goes.
    pub out: Option<PathBuf>,
    /// Whether it is a rehearsal.
    pub rehearsal: bool,
    /// Whether a PIN is tried although it is the last try.
    pub final_try: bool,
}

/// What is written down of a run, so that it can be resumed from the ledger alone.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    /// The plan's texts.
    pub plan: PlanFiles,
    /// The HSM profile's text.
    pub hsm: String,
    /// The token serial.
    pub token_serial: String,
    /// Where the release goes.
    pub out: Option<PathBuf>,
    /// Where the medium was mounted that the release goes to.
    pub medium: Option<PathBuf>,
    /// The bundle digest, when requests came in.
    pub bundle: Option<Digest>,
    /// The indexes of the bundles that have one.
    pub indexes: Vec<BundleFacts>,
}

impl Start {
    /// Checks everything and begins the ceremony in the ledger.
    ///
    /// # Errors
    /// Whatever is wrong; ledger, output and token are as they were.
    pub fn prepare<'a>(
        self,
        surroundings: &'a Surroundings<'a>,
        people: &'a mut dyn People,
    ) -> Result<Conductor<'a>, Failure> {
        self.check_arguments(people)?;
        Ledger::check_place(&self.ledger)?;
        let existing = Ledger::is_in(&self.ledger);
        let existing = existing.then(|| Ledger::open_or_create(&self.ledger, self.rehearsal));
        let mut existing = existing.transpose()?;
        if let Some(ledger) = &mut existing {
            surroundings.check_ledger(ledger)?;
        }
        if existing.is_none() {
            keys_are_there(&self.plan, &self.ledger)?;
        }
        let module = Module::load(HsmProfile::parse(&self.hsm)?)?;
        let token = module.choose_or_usual(&self.token)?;
        module.wants_pinpad(&token)?;
        if let Some(out) = &self.out {
            check_out(out, Some(&self.ledger))?;
        }
        check_ledger(&self.plan, existing.as_ref(), &token, (surroundings.now)())?;
        let policy = policy(&self.plan, existing.as_ref())?;
        let mut ledger = match existing {
            Some(ledger) => ledger,
            None => Ledger::open_or_create(&self.ledger, self.rehearsal)?,
        };
        let mut setup = Setup {
            plan: self.plan.files().clone(),
            hsm: self.hsm.clone(),
            token_serial: token.serial.clone(),
            out: self.out.clone(),
            medium: self.out.as_deref().map(Output::medium),
            bundle: None,
            indexes: Vec::new(),
        };
        let mut transcript = Transcript::open(&ledger, ledger.next_ceremony()?)?;
        let rehearsal = ledger.is_rehearsal();
        // What begins the ceremony is written down together with it.
        let mut begin = |setup: &Setup, people: &dyn People| {
            let facts = facts(&self.plan, setup, rehearsal, &module, surroundings, people)?;
            transcript.note((surroundings.now)(), "begin", facts)?;
            Ok(transcript.noted().to_vec())
        };
        match import(&self, &mut setup, &mut ledger, &policy, surroundings, people, &mut begin) {
            Ok(id) => {
                transcript.wrote();
                let parts = Parts { plan: self.plan, setup, ledger, module, token, policy, transcript };
                Conductor::new(id, parts, None, self.final_try, surroundings, people)
            }
            Err(error) => {
                ledger.discard();
                Err(error)
            }
        }
    }

    fn check_arguments(&self, people: &dyn People) -> Result<(), Failure> {
        let script = self.plan.script();
        let wrong = |message: &str| Err(Failure::usage(format!("{}: {message}", self.plan.name())));
        check_bundles(&self.plan, &self.bundles)?;
        match (script.has("release"), self.out.is_some()) {
            (true, false) => return wrong("the script makes a release; name its folder by --out"),
            (false, true) => return wrong("the script makes no release; leave out --out"),
            _ => {}
        }
        check_people(&self.plan, self.rehearsal, 0, people)
    }
}

/// Whether bundles are named where the script imports some, and only there.
///
/// # Errors
/// [`Failure::usage`] says what to add or to leave out.
pub fn check_bundles(plan: &Plan, bundles: &[PathBuf]) -> Result<(), Failure> {
    let what = match (plan.script().has("import"), bundles.is_empty()) {
        (true, true) => "the script imports bundles; name one or more by --in",
        (false, false) => "the script imports no bundle; leave out --in",
        _ => return Ok(()),
    };
    Err(Failure::usage(format!("{}: {what}", plan.name())))
}

/// Whether a release can be written here: the place is free, and not where the ledger is, if that is
/// known.
///
/// # Errors
/// [`Failure::usage`] when it cannot.
pub fn check_out(out: &Path, ledger: Option<&Path>) -> Result<(), Failure> {
    if let Some(ledger) = ledger {
        Ledger::check_outside(ledger, out)?;
    }
    Output::check_free(out).map_err(|e| match e {
        crate::media::Error::Refused(message) => Failure::usage(message),
        other => other.into(),
    })
}

/// The prompts that a script will ask at, by their names in an answers file.
pub fn prompts(script: &super::Script) -> Vec<&'static str> {
    let mut ids = vec!["plan"];
    for id in script.step.iter().filter_map(Step::prompt) {
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    ids
}

/// The policy of a plan, which keeps requests away from the keys that the ledger knows.
pub fn policy(plan: &Plan, ledger: Option<&Ledger>) -> Result<Policy, Failure> {
    let keys = ledger.map(Ledger::keys).transpose()?.unwrap_or_default();
    let own = keys.into_iter().filter_map(|key| Some((key.certificate?.key().digest(), key.name)));
    Policy::new(plan.profiles(), &plan.script().roster, own.collect()).map_err(|e| Failure::usage(e.0))
}

fn check_ledger(
    plan: &Plan,
    ledger: Option<&Ledger>,
    token: &TokenFacts,
    now: der::DateTime,
) -> Result<(), Failure> {
    if let Some(ledger) = ledger {
        if let Some(open) = ledger.open_ceremony()? {
            let folder = ledger.folder().display();
            return Err(Failure::usage(format!(
                "{folder}: ceremony {} was not finished; go on with\n  keyrite ceremony resume --ledger {folder}\nor, when nothing was made in it, give it up with\n  keyrite ceremony abandon --ledger {folder} --by NAME --reason TEXT",
                open.id
            )));
        }
        check_clock(ledger, now)?;
    }
    let keys = ledger.map(Ledger::keys).transpose()?.unwrap_or_default();
    if let Some(what) = unbound(plan, &keys).first() {
        return Err(Failure::usage(format!("{}: {what}", plan.name())));
    }
    let mut known: Vec<(String, KeyRole)> = Vec::new();
    for stored in keys {
        known.push((stored.name.clone(), stored.role));
        let uses = needed(plan).iter().any(|(name, _, _)| *name == stored.name);
        if uses {
            check_still_valid(&stored, now)?;
            check_delegation(plan, &stored)?;
        }
        if uses && stored.token_serial != token.serial {
            return Err(Failure::fault(format!(
                "key {}: the ledger says it is in the token with serial {:?}, this one has serial {:?}; use the ledger and the token that belong together",
                stored.name, stored.token_serial, token.serial
            )));
        }
    }
    check_names(plan, known)
}

/// A key whose certificate has ended signs nothing more.
pub fn check_still_valid(stored: &StoredKey, now: der::DateTime) -> Result<(), Failure> {
    let Some(validity) = stored.certificate.as_ref().map(Certificate::validity) else { return Ok(()) };
    if now >= validity.not_before && now <= validity.not_after {
        return Ok(());
    }
    Err(Failure::fault(format!(
        "{} is valid from {} to {}, the clock says {now}; set the clock right (UTC), or create a successor",
        stored.name, validity.not_before, validity.not_after
    )))
}

/// An authority that may have none below it cannot delegate.
pub fn check_delegation(plan: &Plan, stored: &StoredKey) -> Result<(), Failure> {
    let delegates = plan.script().roster.iter().any(|line| line.delegate && line.authority == stored.name);
    let Some(certificate) = stored.certificate.clone().filter(|_| delegates) else { return Ok(()) };
    match Authority::new(&stored.name, certificate).map(|authority| authority.path_length()) {
        Ok(Some(0)) => Err(Failure::usage(format!(
            "{}: has path length 0, so nothing can be delegated under it (RFC 5280 4.2.1.9)",
            stored.name
        ))),
        // Whatever else is wrong with it is told where it is to sign.
        _ => Ok(()),
    }
}

/// The clock must not run behind what is written down.
pub fn check_clock(ledger: &Ledger, now: der::DateTime) -> Result<(), Failure> {
    match ledger.last_time()?.filter(|last| now < *last) {
        None => Ok(()),
        Some(last) => Err(Failure::fault(format!(
            "the clock says {now}, the ledger's last entry is of {last}; set the clock right (UTC)"
        ))),
    }
}

/// The keys that must be there before a plan runs: it uses them and does not create them.
pub fn keys_from_before(plan: &Plan) -> Vec<(String, KeyRole)> {
    let all = needed(plan);
    let made = |name: &str| all.iter().any(|(other, _, made)| *made && *other == name);
    let mut found: Vec<(String, KeyRole)> = Vec::new();
    for (name, role, _) in all.iter().filter(|(name, _, _)| !made(name)) {
        if !found.iter().any(|(known, _)| known == name) {
            found.push(((*name).to_owned(), *role));
        }
    }
    found
}

/// Whether a plan can run where no ledger is yet.
///
/// # Errors
/// [`Failure::usage`] names the keys that it needs from before.
pub fn keys_are_there(plan: &Plan, folder: &Path) -> Result<(), Failure> {
    let needed = keys_from_before(plan);
    let names: Vec<&str> = needed.iter().map(|(name, _)| name.as_str()).collect();
    match names.is_empty() {
        true => Ok(()),
        false => Err(Failure::usage(format!(
            "{}: no ledger is there, and {} needs one with {}; name the ledger of the ceremony that made them",
            folder.display(),
            plan.name(),
            names.join(", ")
        ))),
    }
}

/// Every key that a step uses: name, role, whether the step makes it.
pub fn needed(plan: &Plan) -> Vec<(&str, KeyRole, bool)> {
    let mut list: Vec<(&str, KeyRole, bool)> = Vec::new();
    for step in &plan.script().step {
        match step {
            Step::CreateAuthority { name, issuer, .. } => {
                list.extend(issuer.as_deref().map(|issuer| (issuer, KeyRole::Authority, false)));
                list.push((name, KeyRole::Authority, true));
            }
            Step::CreateManifestKey { name, issuer, .. } => {
                list.push((issuer, KeyRole::Authority, false));
                list.push((name, KeyRole::Manifest, true));
            }
            Step::Issue { .. } => {
                list.extend(
                    plan.script()
                        .roster
                        .iter()
                        .map(|line| (line.authority.as_str(), KeyRole::Authority, false)),
                );
            }
            Step::Release { manifest_key, .. } => list.push((manifest_key, KeyRole::Manifest, false)),
            _ => {}
        }
    }
    list
}

fn check_names(plan: &Plan, mut known: Vec<(String, KeyRole)>) -> Result<(), Failure> {
    for (name, role, made) in needed(plan) {
        let found = known.iter().find(|(known, _)| known == name);
        match (found, made) {
            (Some(_), true) => {
                return Err(Failure::usage(format!(
                    "{name}: this ledger has a key of that name already; names are never used again"
                )));
            }
            (None, true) => known.push((name.to_owned(), role)),
            (Some((_, other)), false) if *other != role => {
                return Err(Failure::usage(format!(
                    "{name}: is a key for {}, the script uses it for {}",
                    other.as_str(),
                    role.as_str()
                )));
            }
            (Some(_), false) => {}
            (None, false) => {
                let have: Vec<&str> = known.iter().map(|(known, _)| known.as_str()).collect();
                return Err(Failure::usage(format!(
                    "{name}: neither the ledger nor an earlier step of the script has a key of that name; there are: {}",
                    if have.is_empty() { "none".to_owned() } else { have.join(", ") }
                )));
            }
        }
    }
    Ok(())
}
