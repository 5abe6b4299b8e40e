//! `issue`: what was reserved is signed, verified and recorded while the next is being built, in batches that
//! keep their order.

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
use crate::record::{Event as Happened, Issued, Run, count};
use crate::signing::{Batch, Event, Pipeline, Progress, Queues, Signers, approval};
use crate::token::Session;

/// So many certificates are a batch, at most and at least: what one thread works at before it hands on.
const BATCH: (usize, usize) = (64, 4);
/// Batches grow smaller towards the end, so that no session signs long after the others have nothing
/// left: what is left makes so many times the batches that may be under way.
const BATCHES_LEFT: usize = 2;

/// As long as enough waits to be signed, what the pipeline have done is gathered, up to this time, and
/// written down together.
const GATHER: Duration = Duration::from_millis(20);

impl Perform for step::Issue {
    fn perform(&self, conductor: &mut Conductor<'_>) -> Result<(), Failure> {
        // Sessions go to threads of their own while the ledger is written to.
        let open = conductor.open.take().ok_or_else(|| Failure::fault("no token is open"))?;
        let mut sessions = vec![open.session];
        let result = conductor.issue_with(&mut sessions);
        conductor.open = sessions.into_iter().next().map(|session| OpenToken { session, pin: open.pin });
        result?;
        let certificates = conductor.approved as u64;
        conductor
            .room
            .show(&format!("  {} issued, each signature verified", count(certificates, "certificate")));
        conductor.record(Happened::Issued(Issued { certificates }))
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
        pipeline.run(sessions, processors, |link| {
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
                handed_out: 0,
            };
            coordinator.work(link)
        })
    }

    /// The authorities that the roster names, with what the ledger knows of their keys.
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

/// Where the ledger is written: takes in what the pipeline have done, and gives them the next.
struct Coordinator<'d, 'c> {
    conductor: &'d mut Conductor<'c>,
    pipeline: &'d Pipeline<'d>,
    /// Random octets of the token.
    seed: Vec<u8>,
    /// The last request that was handed out.
    row: i64,
    done: usize,
    next_batch: u64,
    next_reserve: u64,
    built: BTreeMap<u64, Vec<(i64, ToBeSigned)>>,
    next_record: u64,
    /// Signed before one that comes first: what is recorded is a run of rows without a gap.
    signed: BTreeMap<u64, Vec<(Reservation, Signed)>>,
    under_way: usize,
    failure: Option<(u64, Failure)>,
    halt: &'d AtomicBool,
    /// Requests that were handed out in this run, or answered before it.
    handed_out: usize,
}

impl Coordinator<'_, '_> {
    fn work(&mut self, link: &Queues) -> Result<(), Failure> {
        self.sign_reserved(link)?;
        self.handed_out = self.done;
        loop {
            if (self.conductor.environment.stopped)() {
                self.halt.store(true, Ordering::Relaxed);
            }
            while self.failure.is_none() && self.under_way < link.most() && self.hand_out(link)? {}
            // What waits for a batch that was kept or failed stays reserved, and is signed again.
            if self.under_way == self.signed.len() {
                break;
            }
            let mut advance = Advance::default();
            let mut event = Some(link.wait()?);
            let end = Instant::now() + GATHER;
            while let Some(one) = event {
                self.take(one, &mut advance);
                event = match link.enough_to_sign() {
                    true => link.wait_until(end),
                    false => link.more(),
                };
            }
            self.advance(advance, link)?;
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

    /// Has signed what an interrupted run reserved: the same octets, the same serial numbers.
    fn sign_reserved(&mut self, link: &Queues) -> Result<(), Failure> {
        let mut row = self.conductor.ledger.before(self.conductor.id)?;
        loop {
            let reserved = self.conductor.ledger.rows_after(Rows::Reserved, row, BATCH.0)?;
            let Some(last) = reserved.last() else { return Ok(()) };
            row = last.id;
            self.conductor.write_down()?;
            let again = reserved.iter().map(|row| self.reserved(row));
            let batch = again.collect::<Result<_, Failure>>()?;
            self.under_way += 1;
            link.sign(Batch { number: self.next_batch, items: batch })?;
            self.next_batch += 1;
            self.next_reserve += 1;
            let mut advance = Advance::default();
            self.take(link.wait()?, &mut advance);
            self.advance(advance, link)?;
            if self.failure.is_some() || (self.conductor.environment.stopped)() {
                return Ok(());
            }
        }
    }

    /// A reservation that was made before the interruption: what was approved gives the very octets.
    fn reserved(&self, row: &Row) -> Result<Reservation, Failure> {
        let approval = approval(&self.conductor.policy, row)?;
        let other = || {
            Failure::fault(format!(
                "ledger: {}: other octets are reserved than were approved",
                approval.path()
            ))
        };
        let reserved = Reserved::of(&row.reserved.as_ref().ok_or_else(other)?.tbs)?;
        let tbs = self.pipeline.fill(&approval, reserved.serial, reserved.start)?;
        row.reservation(tbs).ok_or_else(other)
    }

    /// Hands the next requests out to be built; false when there are none, or people want to stop.
    fn hand_out(&mut self, link: &Queues) -> Result<bool, Failure> {
        if self.halt.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let left = self.conductor.approved.saturating_sub(self.handed_out);
        let batch = (left / (BATCHES_LEFT * link.most())).clamp(BATCH.1, BATCH.0);
        let approved = self.conductor.ledger.rows_after(Rows::Approved, self.row, batch)?;
        let Some(last) = approved.last() else { return Ok(false) };
        self.row = last.id;
        self.handed_out += approved.len();
        let now = self.conductor.now()?;
        let items = approved.into_iter().map(|row| Ok((self.serial(row.id)?, row)));
        let items = items.collect::<Result<_, Failure>>()?;
        link.build(Batch { number: self.next_batch, items }, now)?;
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

    /// Writes down what was signed, and reserves the batches whose turn it is.
    fn advance(&mut self, mut advance: Advance, link: &Queues) -> Result<(), Failure> {
        if self.failure.is_some() {
            // Nothing new is begun, so batches that were only built are put away.
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
            self.conductor.record(Happened::Signed(run))?;
        }
        if let Some(run) = Run::of(advance.reserve.iter().map(|(_, tbs)| (tbs.serial(), tbs.digest()))) {
            self.conductor.record(Happened::Reserved(run))?;
        }
        advance.lines = self.conductor.transcript.noted().to_vec();
        let advanced = self.conductor.ledger.advance(advance);
        let mut reserved = self.conductor.transcript.settle(before, advanced)?.into_iter();
        let batches = sizes.len() as u64;
        for (number, size) in sizes {
            link.sign(Batch { number, items: reserved.by_ref().take(size).collect() })?;
        }
        if batches > 0 && self.next_reserve > link.most() as u64 {
            // From now on the sessions have enough to sign while the ledger is tidied up.
            self.conductor.ledger.tidy()?;
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
