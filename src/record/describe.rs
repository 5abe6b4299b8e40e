//! Describes events in words, for reports. Consecutive records of one kind are described once, by their total.

use super::{Custody, Event, Import, InventoryObject, Look, MachineFacts, Record, ShareSource};
use crate::digest::Digest;

/// Formats a count with its noun: "1 key", "2 keys".
pub fn count(number: u64, thing: &str) -> String {
    let end = match number {
        1 => "",
        _ if thing.ends_with('s') => "es",
        _ => "s",
    };
    format!("{number} {thing}{end}")
}

/// The description of a record.
#[derive(Debug)]
pub enum Described {
    /// A new line.
    New(String),
    /// A line that replaces the last one: its total has increased.
    Replace(String),
}

/// Describes the records of the current step.
#[derive(Debug, Default)]
pub struct Description {
    step: usize,
    certificates: u64,
    refusals: u64,
    proved: u64,
    last: &'static str,
}

impl Description {
    /// Starts a step.
    pub fn at(step: usize) -> Self {
        Self { step, ..Self::default() }
    }

    /// Returns the number of the current step.
    pub fn step(&self) -> usize {
        self.step
    }

    /// Returns the description of the next record, if there is one.
    pub fn take(&mut self, record: &Record) -> Option<Described> {
        let (sum, thing, what) = match &record.event {
            Event::Signed(run) => {
                self.certificates += run.certificates;
                (self.certificates, "certificate", "signed, each signature verified")
            }
            Event::Refused(refused) => {
                self.refusals += refused.requests.len() as u64;
                (self.refusals, "request", "refused, listed below")
            }
            Event::KeyProved(_) => {
                self.proved += 1;
                (self.proved, "key", "proved: attributes read back, a challenge signed and verified")
            }
            // Written for resume and audit.
            Event::Done(_) | Event::Reserved(_) => return None,
            event => {
                self.last = "";
                return sentence(event).map(Described::New);
            }
        };
        let line = format!("{} {what}", count(sum, thing));
        let described = if self.last == what { Described::Replace(line) } else { Described::New(line) };
        self.last = what;
        Some(described)
    }
}

fn sentence(event: &Event) -> Option<String> {
    Some(match event {
        Event::Step(step) if step.again => "repeated after an interruption".into(),
        Event::Step(_) | Event::Done(_) | Event::Reserved(_) => return None,
        Event::Begin(_) => "the ceremony begins".into(),
        Event::Resume(_) => "the ceremony is resumed after an interruption".into(),
        Event::Present(person) => format!("{} signed in as {}", person.name, person.role.as_str()),
        Event::Confirmed(said) => format!(
            "{} ({}) confirmed {}: typed \"{}\"",
            said.by,
            said.role.as_str(),
            said.asked.id(),
            said.answer
        ),
        Event::Mistyped(one) => {
            format!("{} ({}) gave a wrong answer to {}", one.by, one.role.as_str(), one.prompt)
        }
        Event::Exception(exception) => format!("EXCEPTION, reported by {}: {}", exception.by, exception.text),
        Event::Statement(said) => format!(
            "{} of {}: {}, by {} ({})",
            said.kind.as_str(),
            said.label,
            said.value,
            said.by,
            said.role.as_str()
        ),
        Event::Machine(facts) => machine(facts),
        Event::Login(login) => {
            let token = &login.token;
            format!(
                "login attempted: token {}, serial {}, {} {}, firmware {}",
                token.label, token.serial, token.manufacturer, token.model, token.firmware
            )
        }
        Event::TokenOpen(open) => {
            format!("login succeeded: the token with serial {} is open", open.token_serial)
        }
        Event::Inventory(look) => inventory(look),
        Event::Custody(custody) => self::custody(custody),
        Event::Import(import) => self::import(import),
        Event::Refused(refused) => format!("{} refused", count(refused.requests.len() as u64, "request")),
        Event::Review(review) => format!("{} approved, {} refused", review.approved, review.refused),
        Event::Signed(run) => format!("{} signed", count(run.certificates, "certificate")),
        Event::Issued(issued) => format!("{} issued in total", count(issued.certificates, "certificate")),
        Event::Seal(seal) => format!(
            "the transcript is sealed for release {}, to be signed by {}",
            seal.sequence, seal.manifest_key
        ),
        Event::Sealed(release) => format!(
            "the manifest of release {} is signed, SHA-256 {}",
            release.sequence, release.manifest_sha256
        ),
        Event::Released(release) => {
            format!("release {}, manifest SHA-256 {}", release.sequence, release.manifest_sha256)
        }
        Event::Left(_) => "people leave the room; the token is closed".into(),
        Event::Interrupted(interrupted) => format!("interrupted: {}", interrupted.reason),
        Event::Abandoned(abandoned) => match &abandoned.by {
            Some(by) => format!("abandoned by {by}: {}", abandoned.reason),
            None => format!("abandoned: {}", abandoned.reason),
        },
        Event::End(_) => "the ceremony ends".into(),
        Event::Upgraded(older) => format!(
            "the ledger is an upgraded copy of one of version {}, database SHA-256 {}",
            older.from_version, older.database_sha256
        ),
        of_key @ (Event::KeyIntended(_)
        | Event::KeyFound(_)
        | Event::KeyWithdrawn(_)
        | Event::KeyGenerated(_)
        | Event::KeyProved(_)
        | Event::KeyReserved(_)
        | Event::Certificate(_)) => return key(of_key),
    })
}

fn key(event: &Event) -> Option<String> {
    Some(match event {
        Event::KeyIntended(key) => {
            format!("the key of {} is about to be generated: {}, ID {}", key.name, key.key, key.key_id)
        }
        Event::KeyFound(key) => match (&key.reason, &key.spki_sha256) {
            (None, Some(spki)) => format!(
                "after an interruption, a complete key pair of {} was found, ID {}, SPKI SHA-256 {spki}",
                key.name, key.key_id
            ),
            (reason, _) => format!(
                "after an interruption, objects of the key of {} were found, ID {}: {}",
                key.name,
                key.key_id,
                reason.as_deref().unwrap_or_default()
            ),
        },
        Event::KeyWithdrawn(key) => format!(
            "the key of {} with ID {} was withdrawn: the token has no objects of it; destroyed: {}",
            key.name,
            key.key_id,
            count(key.destroyed.len() as u64, "object")
        ),
        Event::KeyGenerated(key) => {
            format!("key {} generated in the token: {}, SPKI SHA-256 {}", key.name, key.key, key.spki_sha256)
        }
        Event::KeyProved(key) => format!("key {} proved", key.name),
        Event::KeyReserved(key) => {
            format!("serial number {} reserved for the certificate of {}", key.serial, key.name)
        }
        Event::Certificate(key) => format!(
            "certificate of {}: {}, serial number {}, valid to {}, SHA-256 {}",
            key.name, key.subject, key.serial, key.not_after, key.sha256
        ),
        _ => return None,
    })
}

fn machine(facts: &MachineFacts) -> String {
    let list = |list: &[String]| if list.is_empty() { "none".to_owned() } else { list.join(", ") };
    format!(
        "{}; network up: {}; swap: {}; memory locked: {}; loader variables: {}",
        facts.kernel,
        list(&facts.network_up),
        list(&facts.swap),
        if facts.memory_locked { "yes" } else { "no" },
        list(&facts.loader_variables)
    )
}

fn import(import: &Import) -> String {
    let digest = import.bundle_sha256.as_ref().map(Digest::to_string).unwrap_or_default();
    let mut line = format!("{} imported, bundle digest {digest}", count(import.requests as u64, "request"));
    for index in &import.indexes {
        let approvers = match index.approvers.as_slice() {
            [] => "none".to_owned(),
            names => names.join(", "),
        };
        line.push_str(&format!(
            "; index {}: cluster {}, sequence {}, created {}, approved by {approvers}",
            index.index_sha256,
            index.cluster.as_ref().map_or("none", |name| name.as_str()),
            index.sequence.number(),
            index.created.0,
        ));
    }
    line
}

fn inventory(look: &Look) -> String {
    let mut line = format!(
        "{} on the token, {} unknown to this ledger",
        count(look.objects.len() as u64, "object"),
        look.not_of_this_ledger
    );
    for (list, what) in [(&look.appeared, "APPEARED"), (&look.gone, "gone")] {
        let name = |one: &InventoryObject| format!("{} {}", one.class, one.label);
        let names: Vec<String> = list.iter().map(name).collect();
        if !names.is_empty() {
            line.push_str(&format!("; {what} since the last inventory: {}", names.join(", ")));
        }
    }
    if !look.accepted {
        line.push_str("; NOT ACCEPTED");
    }
    line
}

/// Names shares by index and never shows them.
fn custody(custody: &Custody) -> String {
    match custody {
        Custody::Begun { set } => {
            format!("set {set}: a new PIN was generated and split; its shares are being handed out")
        }
        Custody::ShownAgain { share, to } => format!("share {share} was shown again to {to}"),
        Custody::HandedOut { set, threshold, .. } => format!(
            "set {set}: all shares of the new PIN were handed out; any {threshold} of them open the token once it has that PIN"
        ),
        Custody::Changed { set, .. } => format!("set {set}: the token has the new PIN"),
        Custody::NotTaken { set } => format!("set {set}: the token REFUSED the PIN of its shares"),
        Custody::Void { set } => {
            format!("set {set}: the token does not have the new PIN; its shares are void")
        }
        Custody::Share { share, by, from: ShareSource::File, .. } => {
            format!("share {share} of {by} was read from a file: nobody typed it")
        }
        Custody::Share { share, by, .. } => format!("{by} typed share {share}"),
        Custody::Collected { set, .. } => {
            format!("enough shares of set {} were entered", set.as_deref().unwrap_or_default())
        }
    }
}
