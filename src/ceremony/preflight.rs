//! Before the PIN: everything that can fail without the token is tried.

use std::path::{Path, PathBuf};

use der::DateTime;

use super::bound::unbound;
use super::checks::{check_clock, check_ledger, check_still_valid};
use super::conductor::{Conductor, Parts};
use super::facts::facts;
use super::import::import;
use super::transcript::Transcript;
use super::unattended::check_people;
use super::{Environment, People};
use crate::failure::Failure;
use crate::issuance::Authority;
use crate::ledger::{Ledger, StoredKey};
use crate::media::Output;
use crate::plan::{KeyUse, Plan, Setup};
use crate::record::{Event, KeyRole, TokenFacts};
use crate::signing::{check_out, policy};
use crate::token::{HsmProfile, Module, Selector};

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

impl Start {
    /// Checks everything and begins the ceremony in the ledger.
    ///
    /// # Errors
    /// Whatever is wrong; ledger, output and token are as they were.
    pub fn prepare<'a>(
        self,
        environment: &'a Environment<'a>,
        people: &'a mut dyn People,
    ) -> Result<Conductor<'a>, Failure> {
        self.check_arguments(people)?;
        Ledger::check_place(&self.ledger)?;
        let existing = Ledger::is_in(&self.ledger);
        let existing = existing.then(|| Ledger::open_or_create(&self.ledger, self.rehearsal));
        let mut existing = existing.transpose()?;
        if let Some(ledger) = &mut existing {
            check_ledger(ledger, environment.processors)?;
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
        check_keys(&self.plan, existing.as_ref(), &token, (environment.now)())?;
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
            let facts = facts(&self.plan, setup, rehearsal, &module, environment, people)?;
            transcript.note((environment.now)(), Event::Begin(facts))?;
            Ok(transcript.noted().to_vec())
        };
        match import(&self, &mut setup, &mut ledger, &policy, environment, people, &mut begin) {
            Ok(id) => {
                transcript.wrote();
                let parts = Parts { plan: self.plan, setup, ledger, module, token, policy, transcript };
                Conductor::new(id, parts, (false, self.final_try), environment, people)
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

fn check_keys(
    plan: &Plan,
    ledger: Option<&Ledger>,
    token: &TokenFacts,
    now: DateTime,
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
        let uses = plan.script().keys().iter().any(|key| key.name == stored.name);
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

/// The keys that must be there before a plan runs: it uses them and does not create them.
pub fn keys_from_before(plan: &Plan) -> Vec<(String, KeyRole)> {
    let all = plan.script().keys();
    let made = |name: &str| all.iter().any(|key| key.makes && key.name == name);
    let mut found: Vec<(String, KeyRole)> = Vec::new();
    for KeyUse { name, role, .. } in all.iter().filter(|key| !made(key.name)) {
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

fn check_names(plan: &Plan, mut known: Vec<(String, KeyRole)>) -> Result<(), Failure> {
    for KeyUse { name, role, makes } in plan.script().keys() {
        let found = known.iter().find(|(known, _)| known == name);
        match (found, makes) {
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
