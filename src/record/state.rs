//! State: what the records of a ceremony add up to. Resume, audit and report ask it, and nothing else, what
//! was done, who is there, and whether anything was made.

use super::{
    Custody, Event, Facts, Inventory, KeyCertificate, KeyReserved, Person, Record, Refusals, Release, Review,
    Seal, Upgraded, count,
};
use crate::digest::Digest;

/// Keys and people of one transcript: a hostile one may have as many records as a medium holds.
const MOST_KEYS: usize = 1_000;
const MOST_PEOPLE: usize = 1_000;

/// What the records of a ceremony add up to.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// The facts with which it began.
    pub begin: Option<Box<Facts>>,
    /// How many times it was resumed.
    pub resumed: usize,
    /// Whether a file answered, in this run or in one before it.
    pub unattended: bool,
    /// Who signed in since it began, or was resumed.
    pub present: Vec<Person>,
    /// Number of the step under way, from 1; 0 before the first.
    pub step: usize,
    /// When that step began, UTC.
    pub step_began: String,
    /// The time of the last record, UTC.
    pub time: String,
    /// How many steps are done, from the first.
    pub done: usize,
    /// How far a change of the token's PIN has come.
    pub pin: Option<PinChange>,
    /// What the last accepted look at the token found, without parts of unfinished keys.
    pub look: Option<Inventory>,
    /// The keys that the token was asked for, in their order.
    pub keys: Vec<KeyState>,
    /// How many certificates were reserved, those of keys in the token too.
    pub reserved: u64,
    /// The requests that were refused in the last review.
    pub refusals: Refusals,
    /// The last review.
    pub reviewed: Option<Review>,
    /// How many certificates were issued in all, once they are.
    pub issued: Option<u64>,
    /// The bundle digest, once the requests came in.
    pub imported: Option<Digest>,
    /// The transcript was sealed for a release.
    pub seal: Option<Seal>,
    /// The manifest that was signed, and the one that was written.
    pub sealed: Sealed,
    /// SHA-256 over the record with which people left the room last.
    pub left: Option<Digest>,
    /// How many exceptions were reported.
    pub exceptions: usize,
    /// Whether it is finished.
    pub ended: bool,
    /// What the ledger was before, when this is no ceremony but its upgrade.
    pub upgraded: Option<Upgraded>,
    /// Whether it was given up.
    pub abandoned: bool,
    records: u64,
    handed_out: bool,
    leaving: bool,
}

/// Manifests of the ceremony.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sealed {
    /// The one that was signed.
    pub signed: Option<Release>,
    /// The one that was written.
    pub released: Option<Release>,
}

/// How far a change of the token's PIN has come: with a set of shares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PinChange {
    /// Its shares are being handed out.
    Begun(String),
    /// Its shares are handed out; the token has the old PIN or the new one.
    HandedOut(String),
    /// The token has the new PIN.
    Changed(String),
    /// Its shares open nothing.
    Void(String),
}

/// A key that the token was asked for.
#[derive(Clone, Debug, Default)]
pub struct KeyState {
    /// Its name.
    pub name: String,
    /// CKA_ID in hexadecimal.
    pub id: String,
    /// What lay on the token before; none in a record that does not say.
    pub before: Option<Inventory>,
    /// SHA-256 over the SubjectPublicKeyInfo of the pair that was generated.
    pub generated: Option<Digest>,
    /// What was reserved for its certificate.
    pub reserved: Vec<KeyReserved>,
    /// Its certificate.
    pub certificate: Option<KeyCertificate>,
    /// Whether the token holds nothing of it.
    pub withdrawn: bool,
}

impl State {
    /// Takes in the next record.
    ///
    /// # Errors
    /// Why it does not follow from those before it; it is taken in as far as it can be.
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
            Event::Begin(_) | Event::Upgraded(_) if !first => Err("begins a ceremony that has begun".into()),
            event if first && !matches!(event, Event::Begin(_)) => Err("does not begin the ceremony".into()),
            _ if over => Err("comes after the end of the ceremony".into()),
            _ => fits,
        }
    }

    fn take(&mut self, event: &Event) -> Result<(), String> {
        match event {
            Event::Begin(facts) | Event::Resume(facts) => return self.begin(facts, event),
            Event::Present(person) if self.present.len() < MOST_PEOPLE => self.present.push(person.clone()),
            Event::Present(_) => return Err(format!("more than {MOST_PEOPLE} people sign in")),
            Event::Step(step) => {
                self.step = step.number;
                self.step_began.clone_from(&self.time);
                if step.act == "review" {
                    // A review that is repeated after an interruption lists its refusals again.
                    self.refusals = Refusals::default();
                }
            }
            Event::Done(step) => self.done = self.done.max(step.number),
            Event::Inventory(look) => self.look = look.expected().or(self.look.take()),
            Event::Custody(custody) => return self.custody(custody),
            Event::Import(import) => {
                self.imported = import.bundle_sha256;
                if self.begin.as_ref().is_some_and(|begin| begin.indexes != import.indexes) {
                    return Err("imports other indexes than the ceremony began with".into());
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
            event => return self.key(event),
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
            Some((name, was, is)) => Err(format!("goes on with {name} {is}, begun was {was}")),
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
        match fits {
            true => Ok(()),
            false => Err("goes on with a set of shares that was not begun, or not handed out".into()),
        }
    }

    fn key(&mut self, event: &Event) -> Result<(), String> {
        match event {
            Event::KeyIntended(intended) => {
                self.key_of(&intended.name, &intended.key_id)?.before = Some(intended.before.clone());
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
                    return Err(format!("reserves more than {MOST_KEYS} certificates of one key"));
                }
                key.reserved.push(reserved.clone());
                if id.is_none() {
                    return Err(format!("reserves a certificate of the unknown key {}", reserved.name));
                }
            }
            Event::Certificate(certificate) => {
                let key = self.key_of(&certificate.name, &certificate.key_id)?;
                if key.certificate.as_ref().is_some_and(|other| other != certificate) {
                    return Err(format!("another certificate of the key {}", certificate.name));
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

    /// The certificates of keys in the token that were signed, in their order.
    pub fn certificates(&self) -> impl Iterator<Item = &KeyCertificate> {
        self.keys.iter().filter_map(|key| key.certificate.as_ref())
    }

    /// The key that the token was asked for and that has no certificate yet.
    pub fn unfinished_key(&self) -> Option<&KeyState> {
        self.keys.iter().find(|key| !key.withdrawn && key.certificate.is_none())
    }

    /// Whether a certificate may have been signed: its serial number is reserved.
    pub fn may_have_signed(&self) -> bool {
        self.reserved > 0
    }

    /// What there is of the ceremony outside its transcript, in words: one with anything is not given up.
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
