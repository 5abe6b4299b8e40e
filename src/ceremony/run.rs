//! The run: performs a plan's steps in order and records the start and end of each.

use super::conductor::Conductor;
use super::step::performer;
use super::transcript::Transcript;
use crate::digest::Digest;
use crate::failure::Failure;
use crate::plan::step::{heading, is_to_come};
use crate::plan::{Act, Step};
use crate::record::{Abandoned, End, Event, Interrupted as Interruption, Prompt, StepDone, StepStarted};

/// An interrupted ceremony.
#[derive(Debug)]
pub struct Interrupted {
    /// Cause of the interruption.
    pub failure: Failure,
    /// Whether anything may have been signed: a serial number is reserved.
    pub signed: bool,
    /// Whether anything was made, so that the ceremony cannot be abandoned.
    pub made: bool,
    /// Whether it can be resumed.
    pub open: bool,
    /// Head of the transcript, if all of it is on disk.
    pub head: Option<Digest>,
}

/// A finished ceremony.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Number of the ceremony in its ledger.
    pub ceremony: i64,
    /// Number of keys generated in the token.
    pub made: usize,
    /// Number of certificates issued.
    pub issued: usize,
    /// Number of requests refused.
    pub refused: usize,
    /// SHA-256 of the manifest, if there is a release.
    pub manifest: Option<Digest>,
    /// Head of the transcript.
    pub head: Digest,
    /// Roots of the ledger: name and SHA-256 over the DER.
    pub roots: Vec<(String, Digest)>,
}

impl Conductor<'_> {
    /// Performs the remaining steps.
    ///
    /// # Errors
    /// [`Interrupted`]. If nothing was made, and people had not confirmed the plan or a file
    /// answers, the ceremony is closed as abandoned; otherwise it can be resumed.
    pub fn run(mut self) -> Result<Outcome, Interrupted> {
        self.perform().map_err(|failure| self.interrupted(failure))
    }

    fn interrupted(&mut self, failure: Failure) -> Interrupted {
        // Records that cannot be written count as something made: better to resume once too often.
        let written = self.write_down().is_ok();
        let signed = self.state().may_have_signed();
        let made = !self.state().made().is_empty() || !written;
        // People who confirmed the plan should not have to start over; a file can.
        let untouched = !made && (!self.plan_confirmed || self.room.unattended());
        let reason = failure.to_string();
        let event = if untouched {
            Event::Abandoned(Abandoned { reason, by: None })
        } else {
            Event::Interrupted(Interruption { reason })
        };
        let before = self.transcript.clone();
        let noted = self.record(event);
        // The failure is shown on the screen even if it cannot be written.
        let written = noted.and_then(|()| if untouched { self.finish(before) } else { self.write_down() });
        let closed = untouched && written.is_ok();
        let head = written.is_ok().then(|| self.transcript.head());
        Interrupted { failure, signed, made, open: !closed, head }
    }

    fn perform(&mut self) -> Result<Outcome, Failure> {
        self.begin()?;
        let steps = self.plan.script().step.clone();
        let done = self.state().done;
        for (at, step) in steps.iter().enumerate().filter(|(at, step)| is_to_come(step, *at, done)) {
            if (self.environment.stopped)() {
                return Err(Failure::stopped(format!("stopped before step {}", at + 1)));
            }
            self.room.show(&heading(&steps, at, done));
            self.step(step, at + 1, at < done)?;
        }
        if !self.plan.script().has("release") {
            self.inventory_after()?;
        }
        let before = self.transcript.clone();
        self.record(Event::End(End {}))?;
        self.finish(before)?;
        self.outcome()
    }

    fn step(&mut self, step: &Step, number: usize, again: bool) -> Result<(), Failure> {
        let act = step.act.name();
        self.confirm_count = *step.confirm(&self.plan.script().people);
        self.record(Event::Step(StepStarted { number, act: act.to_owned(), again }))?;
        if matches!(step.act, Act::Release(_)) {
            self.inventory_after()?;
        }
        if step.asks() == Some("go-on") {
            self.confirm(&Prompt::go_on(act))?;
        }
        performer(&step.act).perform(self)?;
        if again {
            return Ok(());
        }
        self.record(Event::Done(StepDone { number }))?;
        // People must not be asked again for answers already given.
        if self.room.unattended() { Ok(()) } else { self.write_down() }
    }

    /// Closes the ceremony together with the last record.
    fn finish(&mut self, before: Transcript) -> Result<(), Failure> {
        let finished = self.ledger.finish(self.id, self.transcript.pending());
        self.transcript.settle(before, finished)
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
            head: self.transcript.head(),
            roots: roots.filter_map(|key| Some((key.name, key.certificate?.digest()))).collect(),
        })
    }
}
