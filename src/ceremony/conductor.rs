//! The conductor: what a ceremony under way works with, and how it writes down what happens.

use std::sync::Arc;

use der::DateTime;
use secrecy::SecretString;

use super::Environment;
use super::checks::check_clock;
use super::room::Room;
use super::transcript::Transcript;
use crate::failure::Failure;
use crate::ledger::{Error as LedgerError, Ledger, Line};
use crate::plan::{Count, Plan, Setup};
use crate::policy::Policy;
use crate::record::{Event, State, TokenFacts};
use crate::token::{Module, Selector, Session};

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
    /// The token, once a step has opened it.
    pub(super) open: Option<OpenToken>,
    pub(super) environment: &'a Environment<'a>,
    pub(super) room: &'a mut dyn Room,
    pub(super) final_try: bool,
    pub(super) transcript: Transcript,
    /// Whether it goes on after an interruption.
    pub(super) resumed: bool,
    /// How many of those who are there confirm what the step asks.
    pub(super) asking: Count,
    /// Whether the plan was confirmed.
    pub(super) agreed: bool,
}

/// An open token.
pub struct OpenToken {
    pub session: Session,
    /// The PIN that opened it, when a step is to change it.
    pub pin: Option<SecretString>,
}

impl std::fmt::Debug for Conductor<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Conductor").field("id", &self.id).finish_non_exhaustive()
    }
}

impl<'a> Conductor<'a> {
    /// A ceremony that waits for its steps, for the first time or after an interruption.
    pub(super) fn new(
        id: i64,
        parts: Parts,
        (resumed, final_try): (bool, bool),
        environment: &'a Environment<'a>,
        room: &'a mut dyn Room,
    ) -> Result<Self, Failure> {
        let Parts { plan, setup, ledger, module, token, policy, transcript } = parts;
        let (approved, refused) = ledger.counts(id)?;
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
            asking: Count::default(),
            agreed: resumed,
        })
    }

    /// What the records of the ceremony add up to.
    pub(super) fn state(&self) -> &State {
        self.transcript.state()
    }

    /// Notes one event; its record is on disk with [`Conductor::write_down`] or with the next thing that is
    /// written.
    pub(super) fn record(&mut self, event: Event) -> Result<(), Failure> {
        self.transcript.note((self.environment.now)(), event)
    }

    /// Notes one event and writes its record down in one transaction with the rows that it describes; neither
    /// is there when that fails.
    pub(super) fn record_with<T>(
        &mut self,
        event: Event,
        write: impl FnOnce(&mut Ledger, &[Line]) -> Result<T, LedgerError>,
    ) -> Result<T, Failure> {
        let before = self.transcript.clone();
        self.record(event)?;
        let written = write(&mut self.ledger, self.transcript.noted());
        self.transcript.settle(before, written)
    }

    /// Writes down what was noted: before people are asked, before the token makes or signs.
    pub(super) fn write_down(&mut self) -> Result<(), Failure> {
        self.transcript.write(&mut self.ledger)
    }

    /// The time, which must not run behind the ledger.
    pub(super) fn now(&self) -> Result<DateTime, Failure> {
        let now = (self.environment.now)();
        check_clock(&self.ledger, now)?;
        Ok(now)
    }

    /// The open session.
    pub(super) fn session(&self) -> Result<&Session, Failure> {
        self.open.as_ref().map(|open| &open.session).ok_or_else(|| Failure::fault("no token is open"))
    }

    /// What the token says of itself now.
    pub(super) fn look_at_token(&mut self) -> Result<(), Failure> {
        let serial = Some(self.token.serial.clone());
        self.token = self.module.choose(&Selector { serial, label: None })?;
        Ok(())
    }
}
