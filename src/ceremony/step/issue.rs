//! `issue`: signs, verifies and records reserved batches while the next ones are built; batches keep their
//! order.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::Perform;
use crate::ceremony::conductor::{Conductor, OpenToken};
use crate::failure::Failure;
use crate::issuance::{Reserved, Serial, Signed, Templates, ToBeSigned};
use crate::ledger::{Advance, Reservation, Row, Rows};
use crate::plan::step;
use crate::record::{Event as RecordEvent, Issued, Run, count};
use crate::signing::{Batch, Event, Pipeline, Progress, Queues, Signers, approval};
use crate::token::Session;

/// Maximum and minimum certificates in a batch.
const BATCH: (usize, usize) = (64, 4);
/// The remaining requests are divided into this many times the batches that may be in flight: batches shrink
/// towards the end, so that no session signs long after the others are idle.
const BATCHES_LEFT: usize = 2;

/// While enough is queued for signing, finished work is collected for up to this time and written in one
/// transaction.
const GATHER: Duration = Duration::from_millis(20);

impl Perform for step::Issue {
    fn perform(&self, conductor: &mut Conductor<'_>) -> Result<(), Failure> {
        // Each session moves to a separate thread while this one writes the ledger.
        let open = conductor.open.take().ok_or_else(|| Failure::fault("no token is open"))?;
        let mut sessions = vec![open.session];
        let result = conductor.issue_with(&mut sessions);
        conductor.open = sessions.into_iter().next().map(|session| OpenToken { session, pin: open.pin });
        result?;
        let certificates = conductor.approved as u64;
        conductor
            .room
            .show(&format!("  {} issued, each signature verified", count(certificates, "certificate")));
        conductor.record(RecordEvent::Issued(Issued { certificates }))
    }
}

impl Conductor<'_> {
    fn issue_with(&mut self, sessions: &mut Vec<Session>) -> Result<(), Failure> {
        let signers = self.signers()?;
        let authority = |name: &str| signers.get(name).map(|(authority, _)| Arc::clone(authority));
        let templates = Templates::new(&self.policy, authority)?;
        let Some(first) = sessions.first() else { return Ok(()) };
        let seed = first.random(32)?;
        let further = self.module.further_sessions(first, self.approved)?;
        sessions.extend(further);
        let policy = Arc::clone(&self.policy);
        let halt = AtomicBool::new(false);
        let pipeline = Pipeline { signers: &signers, templates: &templates, policy: &policy, halt: &halt };
        let processors = self.environment.processors.min(self.approved);
        pipeline.run(sessions, processors, |queues| {
            let mut coordinator = Coordinator {
                pipeline: &pipeline,
                row: self.ledger.last_reserved_request(self.id)?,
                done: self.ledger.answered(self.id)?,
                conductor: self,
                seed,
                next_batch: 0,
                next_reserve: 0,
                built: BTreeMap::new(),
                next_record: 0,
                signed: BTreeMap::new(),
                under_way: 0,
                failure: None,
                halt: &halt,
                dispatched: 0,
            };
            coordinator.work(queues)
        })
    }

    /// Returns the authorities that the roster names, with their keys.
    fn signers(&self) -> Result<Signers, Failure> {
        let mut found = Signers::new();
        for line in &self.plan.script().roster {
            let name: &str = &line.authority;
            if !found.contains_key(name) {
                found.insert(name.into(), (Arc::new(self.authority(name)?), self.stored_key(name)?));
            }
        }
        Ok(found)
    }
}

/// Writes the ledger: collects the work that the pipeline finished and dispatches the next.
struct Coordinator<'d, 'c> {
    conductor: &'d mut Conductor<'c>,
    pipeline: &'d Pipeline<'d>,
    /// Random octets of the token.
    seed: Vec<u8>,
    /// Last request dispatched.
    row: i64,
    done: usize,
    next_batch: u64,
    next_reserve: u64,
    built: BTreeMap<u64, Vec<(i64, ToBeSigned)>>,
    next_record: u64,
    /// Batches signed out of order: only a run of rows without a gap is recorded.
    signed: BTreeMap<u64, Vec<(Reservation, Signed)>>,
    under_way: usize,
    failure: Option<(u64, Failure)>,
    halt: &'d AtomicBool,
    /// Number of requests dispatched in this run or answered before it.
    dispatched: usize,
}

impl Coordinator<'_, '_> {
    fn work(&mut self, queues: &Queues) -> Result<(), Failure> {
        self.sign_reserved(queues)?;
        self.dispatched = self.done;
        loop {
            if (self.conductor.environment.stopped)() {
                self.halt.store(true, Ordering::Relaxed);
            }
            while self.failure.is_none() && self.under_way < queues.capacity() && self.dispatch(queues)? {}
            // Batches behind one that was kept or failed stay reserved and are signed again on resumption.
            if self.under_way == self.signed.len() {
                break;
            }
            let mut advance = Advance::default();
            let mut event = Some(queues.wait()?);
            let end = Instant::now() + GATHER;
            while let Some(one) = event {
                self.take(one, &mut advance);
                event = if queues.enough_to_sign() { queues.wait_until(end) } else { queues.try_next() };
            }
            self.advance(advance, queues)?;
        }
        match self.failure.take() {
            Some((_, error)) => Err(error),
            None if self.done < self.conductor.approved => Err(Failure::stopped(format!(
                "stopped when {} of {} certificates were issued",
                self.done, self.conductor.approved
            ))),
            None => Ok(()),
        }
    }

    /// Signs what an interrupted run reserved: the same octets with the same serial numbers.
    fn sign_reserved(&mut self, queues: &Queues) -> Result<(), Failure> {
        let mut row = self.conductor.ledger.before(self.conductor.id)?;
        loop {
            let reserved = self.conductor.ledger.rows_after(Rows::Reserved, row, BATCH.0)?;
            let Some(last) = reserved.last() else { return Ok(()) };
            row = last.id;
            self.conductor.write_down()?;
            let again = reserved.iter().map(|row| self.reserved(row));
            let batch = again.collect::<Result<_, Failure>>()?;
            self.under_way += 1;
            queues.sign(Batch { number: self.next_batch, items: batch })?;
            self.next_batch += 1;
            self.next_reserve += 1;
            let mut advance = Advance::default();
            self.take(queues.wait()?, &mut advance);
            self.advance(advance, queues)?;
            if self.failure.is_some() || (self.conductor.environment.stopped)() {
                return Ok(());
            }
        }
    }

    /// Restores a reservation made before the interruption: the approval must yield the same octets.
    fn reserved(&self, row: &Row) -> Result<Reservation, Failure> {
        let approval = approval(&self.conductor.policy, row)?;
        let other = || {
            Failure::fault(format!(
                "ledger: {}: the reserved octets are not those of the approval",
                approval.path()
            ))
        };
        let reserved = Reserved::of(&row.reserved.as_ref().ok_or_else(other)?.tbs)?;
        let tbs = self.pipeline.fill(&approval, reserved.serial, reserved.start)?;
        self.conductor.ledger.reservation(row.id, tbs)?.ok_or_else(other)
    }

    /// Dispatches the next batch to be built; false if there is none or cancellation was requested.
    fn dispatch(&mut self, queues: &Queues) -> Result<bool, Failure> {
        if self.halt.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let left = self.conductor.approved.saturating_sub(self.dispatched);
        let batch = (left / (BATCHES_LEFT * queues.capacity())).clamp(BATCH.1, BATCH.0);
        let approved = self.conductor.ledger.rows_after(Rows::Approved, self.row, batch)?;
        let Some(last) = approved.last() else { return Ok(false) };
        self.row = last.id;
        self.dispatched += approved.len();
        let now = self.conductor.now()?;
        let items = approved.into_iter().map(|row| Ok((self.serial(row.id)?, row)));
        let items = items.collect::<Result<_, Failure>>()?;
        queues.build(Batch { number: self.next_batch, items }, now)?;
        self.next_batch += 1;
        self.under_way += 1;
        Ok(true)
    }

    fn serial(&self, row: i64) -> Result<Serial, Failure> {
        let system = self.conductor.environment.random()?;
        Ok(Serial::derive(&self.seed, &system, self.conductor.id, row))
    }

    fn take(&mut self, event: Event, advance: &mut Advance) {
        match event {
            Event::Built(Batch { number, items }) => {
                self.built.insert(number, items);
            }
            Event::Signed(Batch { number, items }) => {
                self.signed.insert(number, items);
                while let Some(items) = self.signed.remove(&self.next_record) {
                    self.under_way -= 1;
                    self.next_record += 1;
                    advance.signed.extend(items);
                }
            }
            Event::Kept => self.under_way -= 1,
            Event::Failed(number, error) => {
                self.under_way -= 1;
                self.halt.store(true, Ordering::Relaxed);
                if self.failure.as_ref().is_none_or(|(first, _)| number < *first) {
                    self.failure = Some((number, error));
                }
            }
        }
    }

    /// Records what was signed, and reserves the batches that are next in order.
    fn advance(&mut self, mut advance: Advance, queues: &Queues) -> Result<(), Failure> {
        if self.failure.is_some() {
            // Nothing new is started: drop batches that were built but not reserved.
            self.under_way -= self.built.len();
            self.built.clear();
        }
        let mut sizes = Vec::new();
        while let Some(items) = self.built.remove(&self.next_reserve) {
            sizes.push((self.next_reserve, items.len()));
            advance.reserve.extend(items);
            self.next_reserve += 1;
        }
        if advance.signed.is_empty() && sizes.is_empty() {
            return Ok(());
        }
        let signed = advance.signed.len();
        let before = self.conductor.transcript.clone();
        let certificates = advance.signed.iter().map(|(of, signed)| (of.tbs().serial(), signed.digest()));
        if let Some(run) = Run::of(certificates) {
            self.conductor.record(RecordEvent::Signed(run))?;
        }
        if let Some(run) = Run::of(advance.reserve.iter().map(|(_, tbs)| (tbs.serial(), tbs.digest()))) {
            self.conductor.record(RecordEvent::Reserved(run))?;
        }
        advance.lines = self.conductor.transcript.pending().to_vec();
        let advanced = self.conductor.ledger.advance(advance);
        let mut reserved = self.conductor.transcript.settle(before, advanced)?.into_iter();
        let batches = sizes.len() as u64;
        for (number, size) in sizes {
            queues.sign(Batch { number, items: reserved.by_ref().take(size).collect() })?;
        }
        if batches > 0 && self.next_reserve > queues.capacity() as u64 {
            // From now on the sessions have enough to sign during a checkpoint of the ledger.
            self.conductor.ledger.enable_checkpoints()?;
        }
        self.done += signed;
        let Conductor { approved, refused, .. } = *self.conductor;
        self.conductor.room.progress(&Progress {
            doing: "issued",
            done: self.done,
            all: Some(approved),
            refused,
        });
        Ok(())
    }
}
