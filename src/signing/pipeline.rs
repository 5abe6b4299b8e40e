//! The signing pipeline: one thread per session, which signs, builds and checks; if there are more processors
//! than sessions, further threads that only build and check. None of them accesses the ledger or the room.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::Builder;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, bounded, select_biased};
use der::DateTime;

use super::approval;
use crate::failure::Failure;
use crate::issuance::{Authority, Serial, Signed, Templates, ToBeSigned};
use crate::ledger::{Reservation, Row, StoredKey};
use crate::parallel;
use crate::policy::{Approval, Policy};
use crate::token::{AuthorityKey, Session};

/// Authorities and their keys in the token, by name.
pub type Signers = BTreeMap<Arc<str>, (Arc<Authority>, StoredKey)>;

/// Work that is passed between threads as a unit.
#[derive(Debug)]
pub struct Batch<T> {
    /// Position in the order.
    pub number: u64,
    pub items: Vec<T>,
}

/// Work that needs no session.
enum Task {
    Build(Batch<(Serial, Row)>, DateTime),
    Check(Batch<(Reservation, Vec<u8>)>),
}

/// Work of a thread with a session.
enum Work {
    Sign(Batch<Reservation>),
    Compute(Task),
}

/// The queue ends of a session's thread.
struct Ends<'q> {
    to_sign: Receiver<Batch<Reservation>>,
    tasks: Receiver<Task>,
    signed: Sender<Task>,
    events: Sender<Event>,
    /// Number of sessions that are signing; only a hint, because two can start at the same time.
    signing: &'q AtomicUsize,
    /// Whether this is the only thread.
    alone: bool,
}

/// Result of the pipeline.
pub enum Event {
    /// Built and checked, ready to be reserved.
    Built(Batch<(i64, ToBeSigned)>),
    /// Signed, and the signatures verified.
    Signed(Batch<(Reservation, Signed)>),
    /// Cancelled before any signature of the batch was made: it stays reserved.
    Kept,
    /// A batch failed.
    Failed(u64, Failure),
}

/// Inputs of the pipeline besides sessions.
pub struct Pipeline<'a> {
    pub signers: &'a Signers,
    pub templates: &'a Templates,
    pub policy: &'a Policy,
    /// Set when cancellation is requested: batches queued for signing are not started.
    pub halt: &'a AtomicBool,
}

/// The coordinator's end of the queues.
pub struct Queues {
    tasks: Sender<Task>,
    to_sign: Sender<Batch<Reservation>>,
    events: Receiver<Event>,
    capacity: usize,
}

fn gone<E>(_: E) -> Failure {
    Failure::fault("a signing thread ended unexpectedly")
}

impl Queues {
    /// Maximum batches in flight: enough to keep every thread busy, few enough to bound memory.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    pub fn build(&self, batch: Batch<(Serial, Row)>, now: DateTime) -> Result<(), Failure> {
        self.tasks.send(Task::Build(batch, now)).map_err(gone)
    }

    pub fn sign(&self, batch: Batch<Reservation>) -> Result<(), Failure> {
        self.to_sign.send(batch).map_err(gone)
    }

    pub fn wait(&self) -> Result<Event, Failure> {
        self.events.recv().map_err(gone)
    }

    /// Whether enough is queued for signing that a slow write to the ledger does not matter.
    pub fn enough_to_sign(&self) -> bool {
        2 * self.to_sign.len() >= self.capacity
    }

    /// Waits for the next result until `end`.
    pub fn wait_until(&self, end: Instant) -> Option<Event> {
        self.events.recv_deadline(end).ok()
    }

    /// Returns the next result if there is one already.
    pub fn try_next(&self) -> Option<Event> {
        self.events.try_recv().ok()
    }
}

impl Pipeline<'_> {
    /// Runs `coordinate` in this thread while the pipeline works. Every session proves its keys before the
    /// coordinator starts.
    pub fn run(
        &self,
        sessions: &mut [Session],
        processors: usize,
        coordinate: impl FnOnce(&Queues) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let capacity = 8 * (sessions.len() + processors);
        // No queue can fill up, so a thread only ever waits for work.
        let (tasks, task_queue) = bounded(capacity);
        let (to_sign, sign_queue) = bounded(capacity);
        let (events, event_queue) = bounded(capacity);
        let (ready, readiness) = bounded(sessions.len());
        let signing = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            let (count, mut started) = (sessions.len(), Ok(0));
            for session in sessions {
                let ready = ready.clone();
                let ends = Ends {
                    to_sign: sign_queue.clone(),
                    tasks: task_queue.clone(),
                    signed: tasks.clone(),
                    events: events.clone(),
                    signing: &signing,
                    alone: count.max(processors) == 1,
                };
                let thread =
                    Builder::new().spawn_scoped(scope, move || match guarded(|| self.keys(session)) {
                        Ok(keys) => {
                            if ready.send(Ok(())).is_ok() {
                                drop(ready);
                                self.serve(&keys, ends);
                            }
                        }
                        // The receiver is gone if another session failed as well.
                        Err(error) => drop(ready.send(Err(error))),
                    });
                started = match (thread, started) {
                    (Ok(_), before) => Ok(before.unwrap_or_default() + 1),
                    (Err(error), Ok(0)) => Err(error),
                    (Err(_), before) => before,
                };
            }
            drop(ready);
            // One session is enough.
            let started = started.map_err(|e| Failure::fault(parallel::Error::Thread(e).to_string()))?;
            (0..started).try_for_each(|_| readiness.recv().map_err(gone)?)?;
            for _ in count..processors {
                let (queue, events) = (task_queue.clone(), events.clone());
                let compute = move || queue.iter().all(|task| self.compute(task, &events));
                // The thread is optional: sessions compute as well.
                let _ = Builder::new().spawn_scoped(scope, compute);
            }
            drop((task_queue, sign_queue, events));
            let queues = Queues { tasks, to_sign, events: event_queue, capacity };
            let result = coordinate(&queues);
            // After an error, queued batches are not signed; they stay reserved.
            self.halt.store(true, Ordering::Relaxed);
            // Closes the queues: each thread finishes its batch, drops the result and ends.
            drop(queues);
            result
        })
    }

    fn keys<'s>(&self, session: &'s mut Session) -> Result<BTreeMap<Arc<str>, AuthorityKey<'s>>, Failure> {
        let session: &'s Session = session;
        let mut keys = BTreeMap::new();
        for (name, (authority, stored)) in self.signers {
            keys.insert(Arc::clone(name), session.authority_key(stored, authority.key())?.0);
        }
        Ok(keys)
    }

    /// Works until the queues close, idle only if there is no work of any kind. While another session signs,
    /// tasks that need no session come first: sessions of a software token contend for locks, and a slow
    /// token leaves time for them. They also come first if this is the only thread: otherwise everything
    /// would be signed before the first signature is checked.
    fn serve(&self, keys: &BTreeMap<Arc<str>, AuthorityKey<'_>>, ends: Ends<'_>) {
        let Ends { to_sign, tasks, signed, events, signing, alone } = ends;
        loop {
            let work = match signing.load(Ordering::Relaxed) {
                0 if !alone => select_biased! {
                    recv(to_sign) -> batch => batch.map(Work::Sign),
                    recv(tasks) -> task => task.map(Work::Compute),
                },
                _ => select_biased! {
                    recv(tasks) -> task => task.map(Work::Compute),
                    recv(to_sign) -> batch => batch.map(Work::Sign),
                },
            };
            let sent = match work {
                Ok(Work::Sign(batch)) => {
                    signing.fetch_add(1, Ordering::Relaxed);
                    let sent = self.sign(keys, batch, &signed, &events);
                    signing.fetch_sub(1, Ordering::Relaxed);
                    sent
                }
                Ok(Work::Compute(task)) => self.compute(task, &events),
                // The coordinator is gone.
                Err(_) => return,
            };
            if !sent {
                return;
            }
        }
    }

    /// Signs a batch; false if the receiver is gone.
    fn sign(
        &self,
        keys: &BTreeMap<Arc<str>, AuthorityKey<'_>>,
        batch: Batch<Reservation>,
        signed: &Sender<Task>,
        events: &Sender<Event>,
    ) -> bool {
        let number = batch.number;
        if self.halt.load(Ordering::Relaxed) {
            events.send(Event::Kept).is_ok()
        } else {
            match guarded(|| sign_batch(keys, batch)) {
                Ok(batch) => signed.send(Task::Check(batch)).is_ok(),
                Err(error) => events.send(Event::Failed(number, error)).is_ok(),
            }
        }
    }

    /// Performs a task; false if the receiver is gone.
    fn compute(&self, task: Task, events: &Sender<Event>) -> bool {
        let (number, done) = match task {
            Task::Build(batch, now) => (batch.number, guarded(|| self.build(batch, now)).map(Event::Built)),
            Task::Check(batch) => (batch.number, guarded(|| check(batch)).map(Event::Signed)),
        };
        events.send(done.unwrap_or_else(|error| Event::Failed(number, error))).is_ok()
    }

    fn build(&self, batch: Batch<(Serial, Row)>, now: DateTime) -> Result<Batch<(i64, ToBeSigned)>, Failure> {
        let mut items = Vec::with_capacity(batch.items.len());
        for (serial, row) in batch.items {
            let approval = approval(self.policy, &row)?;
            items.push((row.id, self.fill(&approval, serial, now)?));
        }
        Ok(Batch { number: batch.number, items })
    }

    /// Returns the TBSCertificate of an approved request.
    pub fn fill(&self, approval: &Approval, serial: Serial, now: DateTime) -> Result<ToBeSigned, Failure> {
        let template = self.templates.get(approval);
        let template =
            template.ok_or_else(|| Failure::fault(format!("{}: has no template", approval.path())))?;
        Ok(template.fill(approval, serial, now)?)
    }
}

/// Turns a panic into an error: the coordinator waits for every batch in flight.
fn guarded<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    std::panic::catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(Failure::fault("internal: a batch panicked, see above")))
}

fn sign_batch(
    keys: &BTreeMap<Arc<str>, AuthorityKey<'_>>,
    batch: Batch<Reservation>,
) -> Result<Batch<(Reservation, Vec<u8>)>, Failure> {
    let mut items = Vec::with_capacity(batch.items.len());
    for reservation in batch.items {
        let issuer = reservation.tbs().issuer();
        let key = keys
            .get(issuer)
            .ok_or_else(|| Failure::fault(format!("{issuer}: its key is not in this session")))?;
        let signature = key.sign(&reservation)?;
        items.push((reservation, signature));
    }
    Ok(Batch { number: batch.number, items })
}

fn check(batch: Batch<(Reservation, Vec<u8>)>) -> Result<Batch<(Reservation, Signed)>, Failure> {
    let mut items = Vec::with_capacity(batch.items.len());
    for (reservation, signature) in batch.items {
        let signed = Signed::assemble(reservation.tbs(), signature)?;
        items.push((reservation, signed));
    }
    Ok(Batch { number: batch.number, items })
}
