//! The conductor: performs a plan's steps in order, writes each down before and after, and takes
//! up a ceremony that was interrupted.

use crate::failure::Failure;
use std::sync::Arc;

use der::DateTime;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::facts::facts;
use super::people::Person;
use super::preflight::{Setup, check_clock, check_still_valid, needed, policy};
use super::screen::{heading, is_to_come};
use super::seats::Count;
use super::transcript::{Standing, Transcript};
use super::unattended::check_people;
use super::{People, Plan, Prompt, Step, Surroundings};
use crate::digest::Digest;
use crate::ledger::{Error as LedgerError, Ledger, Line};
use crate::policy::Policy;
use crate::token::{HsmProfile, Inventory, Module, Selector, Session, TokenFacts};

/// What a ceremony works with.
pub struct Parts {
    pub plan: Plan,
    pub setup: Setup,
    pub ledger: Ledger,
    pub module: Module,
    pub token: TokenFacts,
    pub policy: Policy,
    pub transcript: Transcript,
}

/// A ceremony under way.
pub struct Conductor<'a> {
    pub(super) id: i64,
    pub(super) plan: Plan,
    pub(super) setup: Setup,
    pub(super) ledger: Ledger,
    pub(super) module: Module,
    pub(super) token: TokenFacts,
    pub(super) policy: Arc<Policy>,
    pub(super) approved: usize,
    pub(super) refused: usize,
    pub(super) session: Option<Session>,
    pub(super) surroundings: &'a Surroundings<'a>,
    pub(super) people: &'a mut dyn People,
    pub(super) final_try: bool,
    pub(super) transcript: Transcript,
    /// Index of the first step that is not done.
    pub(super) next_step: usize,
    /// Whether it goes on after an interruption.
    pub(super) resumed: bool,
    /// Number of the step under way; 0 before the first.
    pub(super) at_step: usize,
    /// Those who signed in.
    pub(super) present: Vec<Person>,
    /// How many of them confirm what the step asks.
    pub(super) asking: Count,
    /// Whether the plan was confirmed.
    pub(super) agreed: bool,
    /// The PIN that opened the token, when a step is to change it.
    pub(super) old_pin: Option<SecretString>,
    /// What lay on the token when it was last looked at in this run.
    pub(super) seen: Option<Inventory>,
}

impl std::fmt::Debug for Conductor<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Conductor").field("id", &self.id).finish_non_exhaustive()
    }
}

/// How a ceremony was interrupted.
#[derive(Debug)]
pub struct Interrupted {
    /// What happened.
    pub failure: Failure,
    /// Whether anything of this ceremony may have been signed: a serial number is reserved.
    pub signed: bool,
    /// Whether anything was made in it, so that it cannot be given up.
    pub made: bool,
    /// Whether it waits to be resumed.
    pub open: bool,
    /// The head of the transcript, when all of it is written down.
    pub head: Option<String>,
}

/// How a ceremony ended well.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Number of the ceremony in its ledger.
    pub ceremony: i64,
    /// How many keys were generated in the token.
    pub made: usize,
    /// How many requests were answered with a certificate.
    pub issued: usize,
    /// How many were refused.
    pub refused: usize,
    /// SHA-256 of the manifest, when there is a release.
    pub manifest: Option<Digest>,
    /// The head of its transcript, in hexadecimal.
    pub head: String,
    /// Roots of the ledger: name and SHA-256 over the DER.
    pub roots: Vec<(String, Digest)>,
}

impl<'a> Conductor<'a> {
    /// A ceremony that waits for its steps. `done` of them are done when it is taken up again.
    pub(super) fn new(
        id: i64,
        parts: Parts,
        done: Option<usize>,
        final_try: bool,
        surroundings: &'a Surroundings<'a>,
        people: &'a mut dyn People,
    ) -> Result<Self, Failure> {
        let Parts { plan, setup, ledger, module, token, policy, transcript } = parts;
        let (approved, refused) = ledger.counts(id)?;
        let this = Self {
            id,
            plan,
            setup,
            ledger,
            module,
            token,
            policy: Arc::new(policy),
            approved,
            refused,
            session: None,
            surroundings,
            people,
            final_try,
            transcript,
            next_step: done.unwrap_or_default(),
            resumed: done.is_some(),
            at_step: 0,
            present: Vec::new(),
            asking: Count::default(),
            agreed: done.is_some(),
            old_pin: None,
            seen: None,
        };
        Ok(this)
    }

    /// Takes up the ledger's unfinished ceremony. Plan, requests and HSM profile come from the ledger.
    ///
    /// # Errors
    /// [`Failure::usage`] when there is nothing to resume; otherwise as [`super::Start::prepare`].
    pub fn resume(
        mut ledger: Ledger,
        final_try: bool,
        surroundings: &'a Surroundings<'a>,
        people: &'a mut dyn People,
    ) -> Result<Self, Failure> {
        let open = ledger.open_ceremony()?.ok_or_else(|| {
            Failure::usage(format!(
                "{}: no ceremony is unfinished, there is nothing to resume",
                ledger.folder().display()
            ))
        })?;
        surroundings.check_ledger(&mut ledger)?;
        let setup: Setup =
            serde_json::from_str(&open.plan).map_err(|e| Failure::fault(format!("ledger: plan: {e}")))?;
        let now = (surroundings.now)();
        check_clock(&ledger, now)?;
        let plan = Plan::from_files(setup.plan.clone())?;
        let mut hsm = HsmProfile::parse(&setup.hsm)?;
        let Standing { done, module: begun } = Standing::of(&ledger, open.id)?;
        // The module gets the PIN: it must be the very file that the ceremony began with.
        hsm.module_sha256 = Some(begun);
        check_time_left(&ledger, open.id, &setup, &plan, now)?;
        check_people(&plan, ledger.is_rehearsal(), done, people)?;
        let module = Module::load(hsm).map_err(|e| {
            Failure::fault(format!(
                "{e}\nthis ceremony goes on only with the module that it began with, SHA-256 {begun}; put that file back"
            ))
        })?;
        let token = module
            .choose(&Selector { serial: Some(setup.token_serial.clone()), label: None })
            .map_err(|e| {
                Failure::fault(format!(
                    "{e}\nthis ceremony goes on only with the token of serial {:?}; attach it",
                    setup.token_serial
                ))
            })?;
        let policy = policy(&plan, Some(&ledger))?;
        let transcript = Transcript::open(&ledger, open.id)?;
        let parts = Parts { plan, setup, ledger, module, token, policy, transcript };
        let mut this = Self::new(open.id, parts, Some(done), final_try, surroundings, people)?;
        let facts = facts(
            &this.plan,
            &this.setup,
            this.ledger.is_rehearsal(),
            &this.module,
            surroundings,
            this.people,
        )?;
        this.record("resume", facts)?;
        Ok(this)
    }

    /// Performs the steps that are left.
    ///
    /// # Errors
    /// [`Interrupted`]. When nothing was made and people had not confirmed the plan, or a file
    /// answers, the ceremony is closed as abandoned; otherwise it waits to be resumed.
    pub fn run(mut self) -> Result<Outcome, Interrupted> {
        self.perform().map_err(|error| self.interrupted(error))
    }

    fn interrupted(&mut self, error: Failure) -> Interrupted {
        // What was noted counts as well: the ledger tells of it once it is written down.
        let told = self.write_down().is_ok();
        // What cannot be read from the ledger counts as signed: better to resume once too often.
        let signed = self.ledger.reservations(self.id).map_or(true, |count| count > 0);
        let keys = self.ledger.keys().map_or(true, |keys| keys.iter().any(|key| key.ceremony == self.id));
        let custody = self.custody_begun().unwrap_or(true);
        // People who confirmed the plan need not begin anew; a file that answers may.
        let agreed = self.agreed && !self.people.unattended();
        let made = signed || keys || custody || !told;
        let untouched = !made && !agreed;
        let event = if untouched { "abandoned" } else { "interrupted" };
        let before = self.transcript.clone();
        let noted = self.record(event, json!({ "reason": error.to_string() }));
        // The error itself is told on the screen, whether it can be written down or not.
        let written = noted.and_then(|()| if untouched { self.finish(before) } else { self.write_down() });
        let closed = untouched && written.is_ok();
        let head = written.is_ok().then(|| self.transcript.head().to_owned());
        Interrupted { failure: error, signed, made, open: !closed, head }
    }

    fn perform(&mut self) -> Result<Outcome, Failure> {
        self.welcome()?;
        let steps = self.plan.script().step.clone();
        for (at, step) in steps.iter().enumerate() {
            if !is_to_come(step, at, self.next_step) {
                continue;
            }
            let again = at < self.next_step;
            if (self.surroundings.stopped)() {
                return Err(Failure::stopped(format!("stopped before step {}", at + 1)));
            }
            self.at_step = at + 1;
            self.asking = *step.confirm().unwrap_or(&self.plan.script().people.confirm);
            self.people.show(&heading(&steps, at, self.next_step));
            self.record("step", json!({ "number": at + 1, "act": step.act(), "again": again }))?;
            if matches!(step, Step::Release { .. }) {
                self.inventory_after()?;
            }
            self.step(step)?;
            if again {
                continue;
            }
            self.next_step = at + 1;
            self.record("done", json!({ "number": at + 1 }))?;
            // People are not asked again for what they said already.
            if !self.people.unattended() {
                self.write_down()?;
            }
        }
        if !self.plan.script().has("release") {
            self.inventory_after()?;
        }
        let before = self.transcript.clone();
        self.record("end", json!({}))?;
        self.finish(before)?;
        self.outcome()
    }

    /// Closes the ceremony together with the last record.
    fn finish(&mut self, before: Transcript) -> Result<(), Failure> {
        let finished = self.ledger.finish(self.id, self.transcript.noted());
        self.transcript.settle(before, finished)
    }

    /// What the token says of itself now.
    pub(super) fn look_at_token(&mut self) -> Result<(), Failure> {
        let serial = Some(self.token.serial.clone());
        self.token = self.module.choose(&Selector { serial, label: None })?;
        Ok(())
    }

    fn step(&mut self, step: &Step) -> Result<(), Failure> {
        if step.prompt() == Some("go-on") {
            self.confirm(Prompt {
                id: "go-on",
                question: super::wording::go_on(step.act()),
                expected: step.act().to_owned(),
            })?;
        }
        match step {
            Step::Machine { network, .. } => self.machine(*network),
            Step::OpenToken { pin, .. } => self.open_token(*pin),
            Step::Inventory { strangers, .. } => self.inventory(*strangers),
            Step::Custody { threshold, shares, .. } => self.custody(*threshold, *shares),
            Step::CreateAuthority { .. } | Step::CreateManifestKey { .. } => self.create(step),
            Step::Import { .. } => self.import(),
            Step::Review { .. } => self.review(),
            Step::Issue { .. } => self.issue(),
            Step::Release { manifest_key, .. } => self.publish(manifest_key),
            Step::Record { kind, label, ask, by } => self.record_step(*kind, label, ask.as_deref(), *by),
        }
    }

    /// Notes one record of the transcript; it is on disk with [`Conductor::write_down`] or with
    /// the next thing that is written.
    pub(super) fn record(&mut self, event: &str, data: Value) -> Result<(), Failure> {
        self.transcript.note((self.surroundings.now)(), event, data)
    }

    /// Notes one record and writes it down in one transaction with the rows that it describes; neither is
    /// there when that fails.
    pub(super) fn record_with<T>(
        &mut self,
        event: &str,
        data: Value,
        write: impl FnOnce(&mut Ledger, &[Line]) -> Result<T, LedgerError>,
    ) -> Result<T, Failure> {
        let before = self.transcript.clone();
        self.record(event, data)?;
        let written = write(&mut self.ledger, self.transcript.noted());
        self.transcript.settle(before, written)
    }

    /// Writes down what was noted: before people are asked, before the token makes or signs.
    pub(super) fn write_down(&mut self) -> Result<(), Failure> {
        self.transcript.write(&mut self.ledger)
    }

    /// The time, which must not run behind the ledger.
    pub(super) fn now(&self) -> Result<DateTime, Failure> {
        let now = (self.surroundings.now)();
        check_clock(&self.ledger, now)?;
        Ok(now)
    }

    /// The open session.
    pub(super) fn session(&self) -> Result<&Session, Failure> {
        self.session.as_ref().ok_or_else(|| Failure::fault("no token is open"))
    }

    fn outcome(&self) -> Result<Outcome, Failure> {
        let release = self.ledger.release(self.id)?;
        let keys = self.ledger.keys()?;
        let made = keys.iter().filter(|key| key.ceremony == self.id).count();
        let roots = keys.into_iter().filter(|key| key.issuer == key.name);
        Ok(Outcome {
            ceremony: self.id,
            made,
            issued: self.approved,
            refused: self.refused,
            manifest: release.map(|release| release.manifest),
            head: self.transcript.head().to_owned(),
            roots: roots.filter_map(|key| Some((key.name, key.certificate?.digest()))).collect(),
        })
    }
}

/// What may have ended while a ceremony waited: bundles, as long as nothing of them is reserved,
/// and the keys that it uses, as long as its manifest is not signed.
fn check_time_left(
    ledger: &Ledger,
    ceremony: i64,
    setup: &Setup,
    plan: &Plan,
    now: DateTime,
) -> Result<(), Failure> {
    let ended = setup.indexes.iter().filter_map(|index| index.expires).find(|expires| expires.0 < now);
    if let Some(expires) = ended.filter(|_| ledger.reservations(ceremony).is_ok_and(|count| count == 0)) {
        return Err(Failure::refused(format!(
            "bundle: was to be used until {}, the clock says {now}; give this ceremony up with `keyrite ceremony abandon --ledger {}` and make the bundle anew [BUNDLE-TIME]",
            expires.0,
            ledger.folder().display()
        )));
    }
    if ledger.release(ceremony)?.is_some() {
        return Ok(());
    }
    let used = needed(plan);
    let keys = ledger.keys()?;
    let mut used = keys.iter().filter(|key| used.iter().any(|(name, _, _)| *name == key.name));
    used.try_for_each(|key| check_still_valid(key, now))
}
