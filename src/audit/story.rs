//! A transcript as it tells itself, read line by line: what later comparisons need of it.

use serde::Deserialize;
use serde_json::Value;

use super::records::{
    Confirmed, Import, IndexFacts, InventoryData, IssuedData, KeyData, Present, RefusedData, Released,
    Review, Sequence, StepData,
};
use crate::ceremony::Role;
use crate::digest::{Digest, Hasher};
use crate::release::{Record, chain_head};

/// So many acts of people and steps, keys and their certificates are kept of one transcript: a
/// hostile one may have as many records as a medium holds.
const MOST_MARKS: usize = 100_000;
const MOST_KEYS: usize = 1_000;
/// So many runs of certificates: three times those of the largest bundle.
const MOST_RUNS: usize = 100_000;

/// What began a ceremony, or took it up again.
#[derive(Clone, Debug, Deserialize)]
pub struct Begin {
    pub title: String,
    pub plan: PlanFacts,
    pub rehearsal: bool,
    pub unattended: bool,
    pub tool: ToolFacts,
    pub bundle_sha256: Option<Digest>,
    pub hsm_profile: HsmProfileFacts,
}

#[derive(Clone, Debug, Deserialize)]
pub struct HsmProfileFacts {
    pub sha256: Digest,
}

#[derive(Clone, Debug, Deserialize)]
pub struct PlanFacts {
    pub sha256: Digest,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ToolFacts {
    pub version: String,
    pub sha256: Digest,
}

/// A run of certificates, in their order.
#[derive(Clone, Debug, Deserialize)]
pub struct Run {
    pub certificates: u64,
    pub first_serial: String,
    pub last_serial: String,
    pub listing_sha256: Digest,
}

/// The certificate of a key in the token.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct KeyCertificate {
    pub name: String,
    pub role: String,
    pub serial: String,
    pub sha256: Digest,
    pub spki_sha256: Digest,
}

/// What people and steps did, in order.
#[derive(Clone, Debug)]
pub enum Mark {
    Begin,
    Resume,
    Step { number: usize, act: String },
    Present(Role, String),
    Confirmed { prompt: String, answer: String, role: Role, by: String },
    Certificate(String),
}

/// The seal: what the manifest says of the transcript.
#[derive(Clone, Debug)]
pub struct Seal {
    pub sequence: u64,
    pub head: Digest,
    /// SHA-256 over the lines so far.
    pub file: Digest,
}

/// A transcript.
#[derive(Debug, Default)]
pub struct Story {
    pub lines: u64,
    /// What the first line carries.
    pub previous: Option<String>,
    /// The digest of the last line.
    pub head: Option<String>,
    /// The first line that does not fit.
    pub broken: Option<String>,
    pub begin: Option<Begin>,
    /// The program that wrote the last part.
    pub tool: Option<ToolFacts>,
    pub unattended: bool,
    pub first_time: Option<String>,
    pub last_time: Option<String>,
    pub backwards: Option<String>,
    pub marks: Vec<Mark>,
    pub seal: Option<Seal>,
    pub released: Option<(u64, Digest)>,
    pub runs: Vec<Run>,
    pub keys: Vec<KeyCertificate>,
    /// Names of the keys that were generated, and those of which attributes were read.
    pub generated: Vec<String>,
    pub proved: usize,
    pub weak: Option<String>,
    pub refusals: Refusals,
    pub reviewed: Option<(u64, u64)>,
    pub issued: Option<u64>,
    pub imported: Option<Digest>,
    /// The indexes of the bundles that came in.
    pub indexes: Vec<IndexFacts>,
    pub ended: bool,
    pub abandoned: bool,
    pub exceptions: usize,
    pub looks: Looks,
    file: Hasher,
}

/// Looks at the token.
#[derive(Debug, Default)]
pub struct Looks {
    pub count: usize,
    /// Objects at the first look and at the last.
    pub first: usize,
    pub last: usize,
    /// Whether the last look found nothing that nobody expects.
    pub accepted: bool,
}

/// Refusals as a number and the digest of their list.
#[derive(Debug, Default)]
pub struct Refusals {
    pub count: u64,
    hasher: Hasher,
}

impl Refusals {
    /// Takes in the next: path, SHA-256 of the request, its reasons.
    pub fn take<'a>(
        &mut self,
        path: &str,
        request: &Digest,
        reasons: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) {
        self.count += 1;
        self.hasher.list(path, request);
        for (control, message) in reasons {
            for text in [control, message] {
                // A length before each text, so that no two lists look alike.
                self.hasher.update(&(text.len() as u64).to_be_bytes());
                self.hasher.update(text.as_bytes());
            }
        }
    }

    /// The digest of the list.
    pub fn digest(&self) -> Digest {
        self.hasher.clone().finish()
    }
}

impl Story {
    /// Takes in the next line, without its line feed.
    pub fn line(&mut self, line: &str) {
        self.lines += 1;
        let previous = self.head.replace(chain_head(line));
        self.file.update(line.as_bytes());
        self.file.update(b"\n");
        let record: Record = match serde_json::from_str(line) {
            Ok(record) => record,
            Err(error) => return self.breaks(format!("record {} is none: {error}", self.lines)),
        };
        if record.number != self.lines {
            self.breaks(format!("where record {} should stand, record {} stands", self.lines, record.number));
        }
        match previous {
            Some(previous) if previous != record.previous => self.breaks(format!(
                "record {} carries {} as the SHA-256 of the record before it, which has {previous}",
                self.lines, record.previous
            )),
            None => self.previous = Some(record.previous.clone()),
            Some(_) => {}
        }
        self.clock(&record);
        if let Err(error) = self.event(&record.event, record.data) {
            self.breaks(format!("record {} ({}): {error}", self.lines, record.event));
        }
    }

    /// The last line has no end.
    pub fn cut_off(&mut self) {
        self.breaks(format!("record {} is cut off", self.lines + 1));
    }

    fn breaks(&mut self, what: String) {
        self.broken.get_or_insert(what);
    }

    fn mark(&mut self, mark: Mark) {
        match self.marks.len() < MOST_MARKS {
            true => self.marks.push(mark),
            false => self.too_many("steps, confirmations and people", MOST_MARKS),
        }
    }

    fn too_many(&mut self, what: &str, most: usize) {
        self.breaks(format!("record {}: there are more than {most} {what}", self.lines));
    }

    fn clock(&mut self, record: &Record) {
        if let Some(last) = self.last_time.as_ref().filter(|last| **last > record.time) {
            let text = format!("record {} is of {}, the one before of {last}", self.lines, record.time);
            self.backwards.get_or_insert(text);
        }
        self.first_time.get_or_insert_with(|| record.time.clone());
        self.last_time = Some(record.time.clone());
    }

    fn event(&mut self, event: &str, data: Value) -> Result<(), serde_json::Error> {
        match event {
            "begin" | "resume" => self.began(event, serde_json::from_value(data)?),
            "step" => {
                let step: StepData = serde_json::from_value(data)?;
                if step.act == "review" {
                    // A review that is repeated after an interruption tells its refusals again.
                    self.refusals = Refusals::default();
                }
                self.mark(Mark::Step { number: step.number, act: step.act });
            }
            "confirmed" => {
                let said: Confirmed = serde_json::from_value(data)?;
                let Confirmed { prompt, answer, role, by } = said;
                self.mark(Mark::Confirmed { prompt, answer, role, by });
            }
            "present" => {
                let Present { role, name } = serde_json::from_value(data)?;
                self.mark(Mark::Present(role, name));
            }
            "exception" => self.exceptions += 1,
            "key-generated" | "key-proved" => self.key(event, serde_json::from_value(data)?),
            "certificate" => {
                let key: KeyCertificate = serde_json::from_value(data)?;
                self.mark(Mark::Certificate(key.name.clone()));
                match self.keys.contains(&key) {
                    true => {}
                    false if self.keys.len() < MOST_KEYS => self.keys.push(key),
                    false => self.too_many("certificates of keys", MOST_KEYS),
                }
            }
            "signed" if self.runs.len() < MOST_RUNS => self.runs.push(serde_json::from_value(data)?),
            "signed" => self.too_many("runs of certificates", MOST_RUNS),
            "refused" => self.refused(&serde_json::from_value(data)?),
            "seal" => {
                let Sequence { sequence } = serde_json::from_value(data)?;
                let head = self.head.as_deref().and_then(|head| head.parse().ok());
                let head = head.unwrap_or(Digest::of(b""));
                self.seal = Some(Seal { sequence, head, file: self.file.clone().finish() });
            }
            _ => self.outcome(event, data)?,
        }
        Ok(())
    }

    fn outcome(&mut self, event: &str, data: Value) -> Result<(), serde_json::Error> {
        match event {
            "import" => {
                let Import { bundle_sha256, indexes } = serde_json::from_value(data)?;
                (self.imported, self.indexes) = (bundle_sha256, indexes);
            }
            "review" => {
                let Review { approved, refused } = serde_json::from_value(data)?;
                self.reviewed = Some((approved, refused));
            }
            "inventory" => self.look(&serde_json::from_value(data)?),
            "issued" => self.issued = Some(serde_json::from_value::<IssuedData>(data)?.certificates),
            "released" => {
                let Released { sequence, manifest_sha256 } = serde_json::from_value(data)?;
                self.released = Some((sequence, manifest_sha256));
            }
            "end" => self.ended = true,
            "abandoned" => self.abandoned = true,
            _ => {}
        }
        Ok(())
    }

    fn began(&mut self, event: &str, begin: Begin) {
        self.unattended |= begin.unattended;
        self.tool = Some(begin.tool.clone());
        let again = event == "resume";
        self.mark(if again { Mark::Resume } else { Mark::Begin });
        match &self.begin {
            None => self.begin = Some(begin),
            Some(first) if first.plan.sha256 != begin.plan.sha256 => {
                let (first, now) = (first.plan.sha256, begin.plan.sha256);
                self.breaks(format!("record {} goes on with the plan {now}, begun was {first}", self.lines));
            }
            Some(_) => {}
        }
    }

    fn key(&mut self, event: &str, key: KeyData) {
        if let Some((attribute, value)) = key.weak() {
            let text = format!("key {}: {attribute} is {value}", key.name);
            self.weak.get_or_insert(text);
        }
        match event {
            "key-generated" if self.generated.len() < MOST_KEYS => self.generated.push(key.name),
            "key-generated" => self.too_many("keys", MOST_KEYS),
            _ => self.proved += 1,
        }
    }

    fn look(&mut self, found: &InventoryData) {
        let count = found.objects.len();
        if self.looks.count == 0 {
            self.looks.first = count;
        }
        self.looks = Looks {
            count: self.looks.count + 1,
            first: self.looks.first,
            last: count,
            accepted: found.accepted,
        };
    }

    fn refused(&mut self, data: &RefusedData) {
        for one in &data.requests {
            let reasons = one.reasons.iter().map(|reason| (reason.control.as_str(), reason.message.as_str()));
            self.refusals.take(&one.path, &one.request_sha256, reasons);
        }
    }
}
