//! The lanes of issuing: threads that build and check, and one for each session that signs. They
//! hold neither ledger nor people.

use std::collections::{BTreeMap, HashMap};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_channel::{Receiver, Sender, bounded};
use der::DateTime;

use super::Error;
use crate::issuance::{Authority, Serial, Signed, Template, ToBeSigned};
use crate::keys::PublicKey;
use crate::ledger::{Approved, Reservation, StoredKey};
use crate::policy::{Approval, Policy};
use crate::token::{AuthorityKey, Session};

/// Authorities by name, with their keys in the token.
pub type Signers = BTreeMap<Arc<str>, (Arc<Authority>, StoredKey)>;
/// Templates by certificate profile and authority.
pub type Templates = HashMap<String, HashMap<Arc<str>, Template>>;

/// Work that goes from thread to thread together.
#[derive(Debug)]
pub struct Lot<T> {
    /// Its place in the order.
    pub number: u64,
    pub items: Vec<T>,
}

/// What threads that only compute do.
enum Task {
    Build(Lot<(Serial, Approved)>, DateTime),
    Check(Lot<(Reservation, Vec<u8>)>),
}

/// What the lanes tell.
pub enum Event {
    /// Octets are built and checked, ready to be reserved.
    Built(Lot<(i64, ToBeSigned)>),
    /// Reserved octets are signed, and the signatures verified.
    Signed(Lot<(Reservation, Signed)>),
    /// People want to stop, and no signature of the lot was made: it stays reserved.
    Kept,
    /// A lot came to nothing.
    Failed(u64, Error),
}

/// What the lanes need, besides sessions.
pub struct Lanes<'a> {
    pub signers: &'a Signers,
    pub templates: &'a Templates,
    pub policy: &'a Policy,
    /// Set when people want to stop: lots that wait for their signatures are not begun.
    pub halt: &'a AtomicBool,
}

/// The desk's end of the queues.
pub struct Link {
    tasks: Sender<Task>,
    to_sign: Sender<Lot<Reservation>>,
    events: Receiver<Event>,
    most: usize,
}

fn gone<E>(_: E) -> Error {
    Error::Fault("a thread that signs or checks is gone".into())
}

impl Link {
    /// How many lots may be under way: enough that no thread waits, few enough that memory is bounded.
    pub fn most(&self) -> usize {
        self.most
    }

    pub fn build(&self, lot: Lot<(Serial, Approved)>, now: DateTime) -> Result<(), Error> {
        self.tasks.send(Task::Build(lot, now)).map_err(gone)
    }

    pub fn sign(&self, lot: Lot<Reservation>) -> Result<(), Error> {
        self.to_sign.send(lot).map_err(gone)
    }

    pub fn wait(&self) -> Result<Event, Error> {
        self.events.recv().map_err(gone)
    }

    /// What has been done meanwhile.
    pub fn more(&self) -> Option<Event> {
        self.events.try_recv().ok()
    }
}

impl Lanes<'_> {
    /// Runs `desk` beside the lanes. Every session proves its keys before the desk begins.
    pub fn run(
        &self,
        sessions: &mut [Session],
        processors: usize,
        desk: impl FnOnce(&Link) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let most = 4 * (sessions.len() + processors);
        // No queue can fill up, so that no thread waits for another but for work.
        let (tasks, task_queue) = bounded(most);
        let (to_sign, sign_queue) = bounded(most);
        let (events, event_queue) = bounded(most);
        let (ready, readiness) = bounded(sessions.len());
        std::thread::scope(|scope| {
            let count = sessions.len();
            for session in sessions {
                let lane = (sign_queue.clone(), tasks.clone(), events.clone(), ready.clone());
                scope.spawn(move || match guarded(|| self.keys(session)) {
                    Ok(keys) => {
                        let (queue, tasks, events, ready) = lane;
                        if ready.send(Ok(())).is_ok() {
                            drop(ready);
                            self.sign(&keys, &queue, &tasks, &events);
                        }
                    }
                    // Nobody listens when the other sessions failed, too.
                    Err(error) => drop(lane.3.send(Err(error))),
                });
            }
            drop(ready);
            (0..count).try_for_each(|_| readiness.recv().map_err(gone)?)?;
            for _ in 0..processors.max(1) {
                let (queue, events) = (task_queue.clone(), events.clone());
                scope.spawn(move || self.compute(&queue, &events));
            }
            drop((task_queue, sign_queue, events));
            let link = Link { tasks, to_sign, events: event_queue, most };
            let result = desk(&link);
            // After an error nothing that still waits is signed; it stays reserved.
            self.halt.store(true, Ordering::Relaxed);
            // The queues are closed from the front: what is under way ends, then the threads do.
            drop(link);
            result
        })
    }

    fn keys<'s>(&self, session: &'s mut Session) -> Result<BTreeMap<Arc<str>, AuthorityKey<'s>>, Error> {
        let session: &'s Session = session;
        let mut keys = BTreeMap::new();
        for (name, (authority, stored)) in self.signers {
            keys.insert(Arc::clone(name), session.authority_key(stored, authority.key())?.0);
        }
        Ok(keys)
    }

    fn sign(
        &self,
        keys: &BTreeMap<Arc<str>, AuthorityKey<'_>>,
        queue: &Receiver<Lot<Reservation>>,
        tasks: &Sender<Task>,
        events: &Sender<Event>,
    ) {
        for lot in queue {
            let number = lot.number;
            let sent = match self.halt.load(Ordering::Relaxed) {
                true => events.send(Event::Kept).is_ok(),
                false => match guarded(|| sign_lot(keys, lot)) {
                    Ok(signed) => tasks.send(Task::Check(signed)).is_ok(),
                    Err(error) => events.send(Event::Failed(number, error)).is_ok(),
                },
            };
            if !sent {
                return;
            }
        }
    }

    fn compute(&self, queue: &Receiver<Task>, events: &Sender<Event>) {
        for task in queue {
            let (number, done) = match task {
                Task::Build(lot, now) => (lot.number, guarded(|| self.build(lot, now)).map(Event::Built)),
                Task::Check(lot) => (lot.number, guarded(|| check(lot)).map(Event::Signed)),
            };
            if events.send(done.unwrap_or_else(|error| Event::Failed(number, error))).is_err() {
                return;
            }
        }
    }

    fn build(&self, lot: Lot<(Serial, Approved)>, now: DateTime) -> Result<Lot<(i64, ToBeSigned)>, Error> {
        let mut items = Vec::with_capacity(lot.items.len());
        for (serial, approved) in lot.items {
            let row = approved.row;
            let approval = approval(self.policy, approved)?;
            items.push((row, self.fill(&approval, serial, now)?));
        }
        Ok(Lot { number: lot.number, items })
    }

    /// The octets of the certificate for what was approved.
    pub fn fill(&self, approval: &Approval, serial: Serial, now: DateTime) -> Result<ToBeSigned, Error> {
        let templates = self.templates.get(approval.profile_name());
        let template = templates.and_then(|templates| templates.get(approval.authority()));
        let template =
            template.ok_or_else(|| Error::Fault(format!("{}: has no template", approval.path())))?;
        Ok(template.fill(approval, serial, now)?)
    }
}

/// An approval as policy reads it from the ledger.
pub fn approval(policy: &Policy, approved: Approved) -> Result<Approval, Error> {
    let Approved { path, request, spki, kept, .. } = approved;
    let key = PublicKey::accepted(&spki).map_err(|e| Error::Fault(format!("ledger: {path}: {e}")))?;
    policy.restore(path, request, key, &kept).map_err(|e| Error::Fault(e.0))
}

/// A lot that panics fails like any other: the desk waits for every lot that is under way.
fn guarded<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    std::panic::catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(Error::Fault("internal: a lot panicked, see above".into())))
}

fn sign_lot(
    keys: &BTreeMap<Arc<str>, AuthorityKey<'_>>,
    lot: Lot<Reservation>,
) -> Result<Lot<(Reservation, Vec<u8>)>, Error> {
    let mut items = Vec::with_capacity(lot.items.len());
    for reservation in lot.items {
        let issuer = reservation.tbs().issuer();
        let key = keys.get(issuer).ok_or_else(|| Error::Fault(format!("{issuer}: has no key here")))?;
        let signature = key.sign(&reservation)?;
        items.push((reservation, signature));
    }
    Ok(Lot { number: lot.number, items })
}

fn check(lot: Lot<(Reservation, Vec<u8>)>) -> Result<Lot<(Reservation, Signed)>, Error> {
    let mut items = Vec::with_capacity(lot.items.len());
    for (reservation, signature) in lot.items {
        let signed = Signed::assemble(reservation.tbs(), signature)?;
        items.push((reservation, signed));
    }
    Ok(Lot { number: lot.number, items })
}
