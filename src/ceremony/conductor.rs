//! The conductor: the state of a running ceremony, and how it records events.

use std::sync::Arc;

use der::DateTime;
use secrecy::SecretString;

use super::Environment;
use super::checks::check_clock;
use super::room::Room;
use super::transcript::Transcript;
use crate::failure::Failure;
use crate::ledger::{CeremonyRow, Error as LedgerError, Ledger, Line};
use crate::plan::{Count, Plan, Setup};
use crate::policy::Policy;
use crate::record::{Event, State, TokenFacts};
use crate::token::{Module, Selector, Session};

/// Parts of a [`Conductor`] that preflight and resumption prepare.
pub struct Parts {
    pub plan: Plan,
    pub setup: Setup,
    pub ledger: Ledger,
    pub module: Module,
    pub token: TokenFacts,
    pub policy: Policy,
    pub transcript: Transcript,
}

/// A running ceremony.
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
    /// Set once a step has opened the token.
    pub(super) open: Option<OpenToken>,
    pub(super) environment: &'a Environment<'a>,
    pub(super) room: &'a mut dyn Room,
    pub(super) final_try: bool,
    pub(super) transcript: Transcript,
    /// Whether it continues after an interruption.
    pub(super) resumed: bool,
    /// Number of people of each role who confirm the prompts of the current step.
    pub(super) confirm_count: Count,
    /// Whether the plan was confirmed.
    pub(super) plan_confirmed: bool,
}

/// An open token.
pub struct OpenToken {
    pub session: Session,
    /// PIN that opened it, if a step will change it.
    pub pin: Option<SecretString>,
}

impl std::fmt::Debug for Conductor<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Conductor").field("id", &self.id).finish_non_exhaustive()
    }
}

impl<'a> Conductor<'a> {
    pub(super) fn new(
        id: i64,
        parts: Parts,
        (resumed, final_try): (bool, bool),
        environment: &'a Environment<'a>,
        room: &'a mut dyn Room,
    ) -> Result<Self, Failure> {
        let Parts { plan, setup, ledger, module, token, policy, transcript } = parts;
        let CeremonyRow { approved, refused, .. } = ledger.ceremony(id)?;
        Ok(Self {
            id,
            plan,
            setup,
            ledger,
            module,
            token,
            policy: Arc::new(policy),
            approved,
            refused,
            open: None,
            environment,
            room,
            final_try,
            transcript,
            resumed,
            confirm_count: Count::default(),
            plan_confirmed: resumed,
        })
    }

    /// Returns the state that the records of the ceremony result in.
    pub(super) fn state(&self) -> &State {
        self.transcript.state()
    }

    /// Records one event; the record reaches the disk with [`Conductor::write_down`] or the next write.
    pub(super) fn record(&mut self, event: Event) -> Result<(), Failure> {
        self.transcript.note((self.environment.now)(), event)
    }

    /// Records one event and writes its record and the rows that it describes in one transaction; on failure
    /// neither is kept.
    pub(super) fn record_with<T>(
        &mut self,
        event: Event,
        write: impl FnOnce(&mut Ledger, &[Line]) -> Result<T, LedgerError>,
    ) -> Result<T, Failure> {
        let before = self.transcript.clone();
        self.record(event)?;
        let written = write(&mut self.ledger, self.transcript.pending());
        self.transcript.settle(before, written)
    }

    /// Writes pending records to disk: before people are asked, and before the token makes or signs anything.
    pub(super) fn write_down(&mut self) -> Result<(), Failure> {
        self.transcript.write(&mut self.ledger)
    }

    /// Returns the time, which must not be behind the ledger.
    pub(super) fn now(&self) -> Result<DateTime, Failure> {
        let now = (self.environment.now)();
        check_clock(&self.ledger, now)?;
        Ok(now)
    }

    /// Returns the open session.
    pub(super) fn session(&self) -> Result<&Session, Failure> {
        self.open.as_ref().map(|open| &open.session).ok_or_else(|| Failure::fault("no token is open"))
    }

    /// Refreshes the facts about the token.
    pub(super) fn refresh_token(&mut self) -> Result<(), Failure> {
        let serial = Some(self.token.serial.clone());
        self.token = self.module.choose(&Selector { serial, label: None })?;
        Ok(())
    }
}
