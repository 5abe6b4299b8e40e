//! The conductor: performs a plan's steps in order, writes each down before and after, and takes
//! up a ceremony that was interrupted.

use std::sync::Arc;

use der::DateTime;
use serde_json::{Value, json};

use super::preflight::{Setup, check_clock, policy};
use super::transcript::Transcript;
use super::{Error, People, Plan, Prompt, Step, Surroundings};
use crate::digest::Digest;
use crate::ledger::Ledger;
use crate::policy::Policy;
use crate::token::{HsmProfile, Module, Selector, Session, TokenFacts};

/// What a ceremony works with.
pub struct Parts {
    pub plan: Plan,
    pub setup: Setup,
    pub ledger: Ledger,
    pub module: Module,
    pub token: TokenFacts,
    pub policy: Policy,
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
    next_step: usize,
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
    pub error: Error,
    /// Whether anything of this ceremony may have been signed: a serial number is reserved.
    pub signed: bool,
    /// Whether it waits to be resumed.
    pub open: bool,
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
    /// Roots of the ledger: name and SHA-256 over the DER.
    pub roots: Vec<(String, Digest)>,
}

impl<'a> Conductor<'a> {
    pub(super) fn begin(
        id: i64,
        parts: Parts,
        final_try: bool,
        surroundings: &'a Surroundings<'a>,
        people: &'a mut dyn People,
    ) -> Result<Self, Error> {
        Self::take_up(id, parts, ("begin", 0), final_try, surroundings, people)
    }

    fn take_up(
        id: i64,
        parts: Parts,
        (event, next_step): (&str, usize),
        final_try: bool,
        surroundings: &'a Surroundings<'a>,
        people: &'a mut dyn People,
    ) -> Result<Self, Error> {
        let Parts { plan, setup, ledger, module, token, policy } = parts;
        let transcript = Transcript::open(&ledger, id)?;
        let (approved, refused) = ledger.counts(id)?;
        let mut this = Self {
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
            next_step,
        };
        let facts = this.facts()?;
        this.record(event, facts)?;
        Ok(this)
    }

    /// Takes up the ledger's unfinished ceremony. Plan, requests and HSM profile come from the ledger.
    ///
    /// # Errors
    /// [`Error::Wrong`] when there is nothing to resume; otherwise as [`super::Start::prepare`].
    pub fn resume(
        ledger: Ledger,
        final_try: bool,
        surroundings: &'a Surroundings<'a>,
        people: &'a mut dyn People,
    ) -> Result<Self, Error> {
        let open = ledger.open_ceremony()?.ok_or_else(|| {
            Error::Wrong(format!(
                "{}: no ceremony is unfinished, there is nothing to resume",
                ledger.folder().display()
            ))
        })?;
        let setup: Setup =
            serde_json::from_str(&open.plan).map_err(|e| Error::Fault(format!("ledger: plan: {e}")))?;
        check_clock(&ledger, (surroundings.now)())?;
        let plan = Plan::from_files(setup.plan.clone())?;
        let module = Module::load(HsmProfile::parse(&setup.hsm)?)?;
        let token = module
            .choose(&Selector { serial: Some(setup.token_serial.clone()), label: None })
            .map_err(|e| {
                Error::Fault(format!(
                    "{e}\nthis ceremony goes on only with the token of serial {:?}; attach it",
                    setup.token_serial
                ))
            })?;
        let policy = policy(&plan, Some(&ledger))?;
        let parts = Parts { plan, setup, ledger, module, token, policy };
        Self::take_up(open.id, parts, ("resume", open.next_step), final_try, surroundings, people)
    }

    /// Performs the steps that are left.
    ///
    /// # Errors
    /// [`Interrupted`]. When nothing was signed and no key was made, the ceremony is closed as
    /// abandoned and a new one can begin.
    pub fn run(mut self) -> Result<Outcome, Interrupted> {
        self.perform().map_err(|error| self.interrupted(error))
    }

    fn interrupted(&mut self, error: Error) -> Interrupted {
        // What cannot be read from the ledger counts as signed: better to resume once too often.
        let signed = self.ledger.reservations(self.id).map_or(true, |count| count > 0);
        let keys = self.ledger.keys().map_or(true, |keys| keys.iter().any(|key| key.ceremony == self.id));
        let untouched = !signed && !keys;
        let event = if untouched { "abandoned" } else { "interrupted" };
        let written = self.record(event, json!({ "reason": error.to_string() }));
        let written = written.and_then(|()| self.write_down());
        let closed = untouched && written.is_ok() && self.ledger.finish(self.id, &[]).is_ok();
        Interrupted { error, signed, open: !closed }
    }

    fn perform(&mut self) -> Result<Outcome, Error> {
        self.welcome()?;
        let steps = self.plan.script().step.clone();
        for (at, step) in steps.iter().enumerate() {
            let again = at < self.next_step;
            // A token session does not outlive an interruption, and neither does a look at the machine.
            if again && !matches!(step, Step::Machine { .. } | Step::OpenToken {} | Step::Inventory {}) {
                continue;
            }
            self.people.show(&format!("\nStep {} of {}: {}", at + 1, steps.len(), step.act()));
            self.record("step", json!({ "number": at + 1, "act": step.act(), "again": again }))?;
            // What was done before is on disk before anything is made; the rest may be done again.
            if step.makes() {
                self.ledger.step_done(self.id, at, self.transcript.noted())?;
                self.transcript.wrote();
            }
            self.step(step)?;
            self.next_step = self.next_step.max(at + 1);
        }
        self.record("end", json!({}))?;
        self.ledger.finish(self.id, self.transcript.noted())?;
        self.outcome()
    }

    fn step(&mut self, step: &Step) -> Result<(), Error> {
        match step {
            Step::Machine { network } => self.machine(*network),
            Step::OpenToken {} => self.open_token(),
            Step::Inventory {} => self.inventory(),
            Step::CreateAuthority { .. } | Step::CreateManifestKey { .. } => self.create(step),
            Step::Import {} => self.import(),
            Step::Review { .. } => self.review(),
            Step::Issue {} => self.issue(),
            Step::Release { manifest_key } => self.publish(manifest_key),
        }
    }

    /// Shows the plan and has its digest confirmed.
    fn welcome(&mut self) -> Result<(), Error> {
        let digest = self.plan.digest();
        let kind = if self.ledger.is_rehearsal() { "REHEARSAL: " } else { "" };
        let title = crate::media::shown(&self.plan.script().title);
        self.people.show(&format!(
            "{kind}{title}\nCeremony {} of the ledger {}\nPlan digest:\n  {}\n  {}",
            self.id,
            self.ledger.folder().display(),
            grouped(&digest.to_string()),
            wrapped(&digest.words())
        ));
        let words = digest.words();
        let expected = words.split(' ').take(6).collect::<Vec<_>>().join(" ");
        self.confirm(Prompt {
            id: "plan",
            question: "Compare the digest with the one on paper, and type its first six words".into(),
            expected,
        })
    }

    /// Asks, and writes question and answer down.
    pub(super) fn confirm(&mut self, prompt: Prompt) -> Result<(), Error> {
        if !self.people.unattended() {
            // People may take their time, and the power may go meanwhile.
            self.write_down()?;
        }
        let answer = self.people.confirm(&prompt)?;
        self.record(
            "confirmed",
            json!({ "prompt": prompt.id, "question": prompt.question, "answer": answer }),
        )
    }

    /// Notes one record of the transcript; it is on disk with [`Conductor::write_down`] or with
    /// the next thing that is written.
    pub(super) fn record(&mut self, event: &str, data: Value) -> Result<(), Error> {
        self.transcript.note((self.surroundings.now)(), event, data)
    }

    /// Writes down what was noted: before people are asked, before the token makes or signs.
    pub(super) fn write_down(&mut self) -> Result<(), Error> {
        self.transcript.write(&mut self.ledger)
    }

    /// The time, which must not run behind the ledger.
    pub(super) fn now(&self) -> Result<DateTime, Error> {
        let now = (self.surroundings.now)();
        check_clock(&self.ledger, now)?;
        Ok(now)
    }

    /// The open session.
    pub(super) fn session(&self) -> Result<&Session, Error> {
        self.session.as_ref().ok_or_else(|| Error::Fault("no token is open".into()))
    }

    fn facts(&self) -> Result<Value, Error> {
        let files: Vec<Value> = self
            .plan
            .listing()
            .iter()
            .map(|(path, digest)| json!({ "path": path, "sha256": digest }))
            .collect();
        Ok(json!({
            "title": self.plan.script().title,
            "plan": { "sha256": self.plan.digest(), "files": files },
            "rehearsal": self.ledger.is_rehearsal(),
            "unattended": self.people.unattended(),
            "tool": { "version": self.surroundings.tool_version, "sha256": self.surroundings.tool_digest()? },
            "hsm_profile": { "name": self.module.profile().name, "sha256": Digest::of(self.setup.hsm.as_bytes()) },
            "module": { "path": self.module.path(), "sha256": self.module.digest() },
            "bundle_sha256": self.setup.bundle,
        }))
    }

    fn outcome(&self) -> Result<Outcome, Error> {
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
            roots: roots.filter_map(|key| Some((key.name, key.certificate?.digest()))).collect(),
        })
    }
}

/// Hexadecimal digits in groups of eight.
fn grouped(hex: &str) -> String {
    let digits: Vec<char> = hex.chars().collect();
    digits.chunks(8).map(|chunk| chunk.iter().collect::<String>()).collect::<Vec<_>>().join(" ")
}

/// Words, six a line.
fn wrapped(words: &str) -> String {
    let words: Vec<&str> = words.split(' ').collect();
    words.chunks(6).map(|line| line.join(" ")).collect::<Vec<_>>().join("\n  ")
}
