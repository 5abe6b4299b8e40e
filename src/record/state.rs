//! The state of a ceremony, derived from its records. It is the only source from which resume, audit and
//! report learn what was done, who is present, and whether the ceremony has had effects.

use super::{
    Custody, Event, Facts, Inventory, KeyCertificate, KeyIntended, KeyReserved, Person, Record, Refusals,
    Release, Review, Seal, Upgraded, count,
};
use crate::digest::Digest;

/// Limits per transcript: a hostile one may have as many records as fit on a medium.
const MOST_KEYS: usize = 1_000;
const MOST_PEOPLE: usize = 1_000;

/// The state of a ceremony after its records so far.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// The facts with which the ceremony began.
    pub begin: Option<Box<Facts>>,
    /// Number of times the ceremony was resumed.
    pub resumed: usize,
    /// Whether a file answered prompts, in this or an earlier run.
    pub unattended: bool,
    /// People who signed in since the ceremony began or was last resumed.
    pub present: Vec<Person>,
    /// Number of the current step, from 1; 0 before the first.
    pub step: usize,
    /// Time at which the current step began, UTC.
    pub step_began: String,
    /// Time of the last record, UTC.
    pub time: String,
    /// Number of completed steps.
    pub done: usize,
    /// Progress of a change of the token's PIN.
    pub pin: Option<PinChange>,
    /// Objects of the last accepted inventory, without parts of unfinished keys.
    pub look: Option<Inventory>,
    /// The keys that were to be generated, in order.
    pub keys: Vec<KeyState>,
    /// Number of reserved certificates, including those of keys in the token.
    pub reserved: u64,
    /// Requests that were refused in the last review.
    pub refusals: Refusals,
    /// The last review.
    pub reviewed: Option<Review>,
    /// Total number of issued certificates, once all are issued.
    pub issued: Option<u64>,
    /// The bundle digest, once requests were imported.
    pub imported: Option<Digest>,
    /// The seal, once the transcript was sealed for a release.
    pub seal: Option<Seal>,
    /// The signed and the written manifest.
    pub sealed: Sealed,
    /// SHA-256 of the last record with which people left the room.
    pub left: Option<Digest>,
    /// Number of exceptions reported.
    pub exceptions: usize,
    /// Whether the ceremony is complete.
    pub ended: bool,
    /// The older ledger, if this is the transcript of an upgrade instead of a ceremony.
    pub upgraded: Option<Upgraded>,
    /// Whether the ceremony was abandoned.
    pub abandoned: bool,
    records: u64,
    handed_out: bool,
    leaving: bool,
}

/// The manifests of a ceremony.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sealed {
    /// The manifest that was signed.
    pub signed: Option<Release>,
    /// The manifest that was written with its release.
    pub released: Option<Release>,
}

/// The progress of a change of the token's PIN to that of a set of shares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PinChange {
    /// The shares are being handed out.
    Begun(String),
    /// The shares were handed out; the token has either the old or the new PIN.
    HandedOut(String),
    /// The token has the new PIN.
    Changed(String),
    /// The shares are void.
    Void(String),
}

/// A key that was to be generated.
#[derive(Clone, Debug, Default)]
pub struct KeyState {
    /// Name of the key.
    pub name: String,
    /// CKA_ID in hexadecimal.
    pub id: String,
    /// The record that announced it.
    pub intended: Option<KeyIntended>,
    /// SHA-256 of the SubjectPublicKeyInfo of the generated pair.
    pub generated: Option<Digest>,
    /// Reservations for its certificate.
    pub reserved: Vec<KeyReserved>,
    /// The certificate.
    pub certificate: Option<KeyCertificate>,
    /// Whether the key was withdrawn: the token has no objects of it.
    pub withdrawn: bool,
}

impl State {
    /// Applies the next record.
    ///
    /// # Errors
    /// Why the record does not follow from the state; it is applied as far as possible.
    pub fn apply(&mut self, record: &Record) -> Result<(), String> {
        self.records += 1;
        let first = self.records == 1;
        let over = self.ended || self.abandoned;
        self.time.clone_from(&record.time);
        if std::mem::take(&mut self.leaving) {
            self.left = Some(record.previous);
        }
        let fits = self.take(&record.event);
        match &record.event {
            Event::Upgraded(_) if first => fits,
            Event::Begin(_) | Event::Upgraded(_) if !first => {
                Err("begins a ceremony that has already begun".into())
            }
            event if first && !matches!(event, Event::Begin(_)) => {
                Err("is the first record, which must begin the ceremony".into())
            }
            _ if over => Err("follows the end of the ceremony".into()),
            _ => fits,
        }
    }

    fn take(&mut self, event: &Event) -> Result<(), String> {
        match event {
            Event::Begin(facts) | Event::Resume(facts) => return self.begin(facts, event),
            Event::Present(person) if self.present.len() < MOST_PEOPLE => self.present.push(person.clone()),
            Event::Present(_) => return Err(format!("more than {MOST_PEOPLE} people signed in")),
            Event::Step(step) => {
                self.step = step.number;
                self.step_began.clone_from(&self.time);
                if step.act == "review" {
                    // A review repeated after an interruption records its refusals again.
                    self.refusals = Refusals::default();
                }
            }
            Event::Done(step) => self.done = self.done.max(step.number),
            Event::Inventory(look) => self.look = look.expected().or(self.look.take()),
            Event::Custody(custody) => return self.custody(custody),
            Event::Import(import) => {
                self.imported = import.bundle_sha256;
                if self.begin.as_ref().is_some_and(|begin| begin.indexes != import.indexes) {
                    return Err("imports other indexes than those in the begin record".into());
                }
            }
            Event::Refused(refused) => {
                for one in &refused.requests {
                    self.refusals.take(one.path.as_str(), &one.request_sha256, &one.reasons);
                }
            }
            Event::Review(review) => self.reviewed = Some(*review),
            Event::Reserved(run) => self.reserved = self.reserved.saturating_add(run.certificates),
            Event::Issued(issued) => self.issued = Some(issued.certificates),
            Event::Seal(seal) => self.seal = Some(seal.clone()),
            Event::Sealed(release) => self.sealed.signed = Some(*release),
            Event::Released(release) => self.sealed.released = Some(*release),
            Event::Left(_) => {
                self.present.clear();
                self.leaving = true;
            }
            Event::Exception(_) => self.exceptions += 1,
            Event::End(_) => self.ended = true,
            Event::Upgraded(older) => {
                self.ended = true;
                self.upgraded = Some(*older);
            }
            Event::Abandoned(_) => self.abandoned = true,
            event => return self.key_event(event),
        }
        Ok(())
    }

    fn begin(&mut self, facts: &Facts, event: &Event) -> Result<(), String> {
        self.unattended |= facts.unattended;
        self.present.clear();
        self.step = 0;
        self.resumed += usize::from(matches!(event, Event::Resume(_)));
        let Some(begin) = &self.begin else {
            self.begin = Some(Box::new(facts.clone()));
            return Ok(());
        };
        match begin.changed(facts) {
            None => Ok(()),
            Some((name, was, is)) => Err(format!("resumes with {name} {is}, begun with {was}")),
        }
    }

    fn custody(&mut self, custody: &Custody) -> Result<(), String> {
        let before = self.pin.take();
        let (pin, fits) = match custody {
            Custody::Begun { set } => (PinChange::Begun(set.clone()), true),
            Custody::HandedOut { set, .. } => {
                self.handed_out = true;
                (PinChange::HandedOut(set.clone()), before == Some(PinChange::Begun(set.clone())))
            }
            Custody::Changed { set, .. } => {
                self.handed_out = true;
                (PinChange::Changed(set.clone()), before == Some(PinChange::HandedOut(set.clone())))
            }
            Custody::Void { set } => (PinChange::Void(set.clone()), true),
            _ => {
                self.pin = before;
                return Ok(());
            }
        };
        self.pin = Some(pin);
        if fits {
            Ok(())
        } else {
            Err("continues with a set of shares that was not begun or not handed out".into())
        }
    }

    fn key_event(&mut self, event: &Event) -> Result<(), String> {
        match event {
            Event::KeyIntended(intended) => {
                self.key_of(&intended.name, &intended.key_id)?.intended = Some(intended.clone());
            }
            Event::KeyGenerated(generated) => {
                let key = self.key_of(&generated.name, &generated.key_id)?;
                key.generated = Some(generated.spki_sha256);
            }
            Event::KeyWithdrawn(withdrawn) => {
                self.key_of(&withdrawn.name, &withdrawn.key_id)?.withdrawn = true;
            }
            Event::KeyReserved(reserved) => {
                self.reserved = self.reserved.saturating_add(1);
                let known = self.keys.iter().rev().find(|key| key.name == reserved.name);
                let id = known.map(|key| key.id.clone());
                let key = self.key_of(&reserved.name, id.as_deref().unwrap_or_default())?;
                if key.reserved.len() >= MOST_KEYS {
                    return Err(format!("reserves more than {MOST_KEYS} certificates for one key"));
                }
                key.reserved.push(reserved.clone());
                if id.is_none() {
                    return Err(format!("reserves a certificate for the unknown key {}", reserved.name));
                }
            }
            Event::Certificate(certificate) => {
                let key = self.key_of(&certificate.name, &certificate.key_id)?;
                if key.certificate.as_ref().is_some_and(|other| other != certificate) {
                    return Err(format!("different certificate for the key {}", certificate.name));
                }
                key.certificate = Some(certificate.clone());
            }
            _ => {}
        }
        Ok(())
    }

    fn key_of(&mut self, name: &str, id: &str) -> Result<&mut KeyState, String> {
        let at = self.keys.iter().position(|key| key.name == name && key.id == id);
        let at = match at {
            Some(at) => at,
            None if self.keys.len() >= MOST_KEYS => return Err(format!("more than {MOST_KEYS} keys")),
            None => {
                let key = KeyState { name: name.to_owned(), id: id.to_owned(), ..KeyState::default() };
                self.keys.push(key);
                self.keys.len() - 1
            }
        };
        self.keys.get_mut(at).ok_or_else(String::new)
    }

    /// Returns the certificates of keys in the token, in order of creation.
    pub fn certificates(&self) -> impl Iterator<Item = &KeyCertificate> {
        self.keys.iter().filter_map(|key| key.certificate.as_ref())
    }

    /// Returns the key with this name, unless it was withdrawn.
    pub fn key(&self, name: &str) -> Option<&KeyState> {
        self.keys.iter().find(|key| key.name == name && !key.withdrawn)
    }

    /// Returns the key that was to be generated and has no certificate yet.
    pub fn unfinished_key(&self) -> Option<&KeyState> {
        self.keys.iter().find(|key| !key.withdrawn && key.certificate.is_none())
    }

    /// Whether any serial number is reserved, so that a certificate may have been signed.
    pub fn may_have_signed(&self) -> bool {
        self.reserved > 0
    }

    /// Describes the ceremony's effects outside its transcript; a ceremony with effects cannot be abandoned.
    pub fn made(&self) -> Vec<String> {
        let keys = self.keys.iter().filter(|key| !key.withdrawn).count() as u64;
        [
            (keys, "key"),
            (self.reserved, "reserved serial number"),
            (u64::from(self.handed_out), "new PIN"),
            (u64::from(self.seal.is_some()), "sealed transcript"),
        ]
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, thing)| count(number, thing))
        .collect()
    }
}
