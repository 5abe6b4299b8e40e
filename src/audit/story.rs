//! A transcript as it tells itself, read line by line: what later comparisons need of it.

use serde_json::Value;

use super::marks::{KeyMark, Looks, Mark, Refusals, Seal};
use super::records::{
    Begin, Custody, Done, Import, InventoryData, IssuedData, KeyCertificate, KeyData, KeyReserved,
    KeyWithdrawn, LASTING, Login, Present, RefusedData, Released, Review, Run, Sequence, StepData,
    TokenSerial, ToolFacts,
};
use crate::digest::{Digest, Hasher};
use crate::release::{Record, chain_head};

/// So many acts of people and steps, keys and their certificates are kept of one transcript: a
/// hostile one may have as many records as a medium holds.
const MOST_MARKS: usize = 100_000;
const MOST_KEYS: usize = 1_000;
/// So many runs of certificates: three times those of the largest bundle.
const MOST_RUNS: usize = 100_000;

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
    /// What the first record says of what lasts as long as the ceremony.
    pub lasting: serde_json::Map<String, Value>,
    /// The program that wrote the last part.
    pub tool: Option<ToolFacts>,
    /// Where another program took the ceremony up.
    pub other_tool: Option<String>,
    /// The serial of the token that the first record of one names, and a record with another one.
    pub token: Option<String>,
    pub other_token: Option<String>,
    pub unattended: bool,
    pub first_time: Option<String>,
    pub last_time: Option<String>,
    pub backwards: Option<String>,
    pub marks: Vec<Mark>,
    pub seal: Option<Seal>,
    /// Number and digest of the manifest that was signed, and of the one that went out.
    pub sealed: Option<(u64, Digest)>,
    pub released: Option<(u64, Digest)>,
    pub runs: Vec<Run>,
    /// Runs of what was reserved, and what was for keys in the token.
    pub reserved: Vec<Run>,
    pub reserved_keys: Vec<KeyReserved>,
    /// So many steps are done, from the first.
    pub done: usize,
    pub keys: Vec<KeyCertificate>,
    /// Names of the keys that were generated and not withdrawn, and how many were proved.
    pub generated: Vec<String>,
    pub proved: usize,
    pub weak: Option<String>,
    pub refusals: Refusals,
    pub reviewed: Option<(u64, u64)>,
    pub issued: Option<u64>,
    pub imported: Option<Digest>,
    pub ended: bool,
    pub abandoned: bool,
    /// The first record of something made: a ceremony with one is not given up.
    pub made: Option<String>,
    pub exceptions: usize,
    pub looks: Looks,
    file: Hasher,
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
        self.place(&record.event);
        self.clock(&record);
        if let Err(error) = self.event(&record.event, &record.time, record.data) {
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

    /// A story begins once, and nothing comes after its end.
    fn place(&mut self, event: &str) {
        let number = self.lines;
        if (event == "begin") != (number == 1) {
            self.breaks(format!("record {number} is {event}; the first record is begin, and no other"));
        }
        if self.ended || self.abandoned {
            self.breaks(format!("record {number} ({event}) stands after the ceremony's end"));
        }
    }

    fn clock(&mut self, record: &Record) {
        if let Some(last) = self.last_time.as_ref().filter(|last| **last > record.time) {
            let text = format!("record {} is of {}, the one before of {last}", self.lines, record.time);
            self.backwards.get_or_insert(text);
        }
        if record.time.parse::<der::DateTime>().is_err() {
            self.breaks(format!("record {} has no time", self.lines));
        }
        self.first_time.get_or_insert_with(|| record.time.clone());
        self.last_time = Some(record.time.clone());
    }

    fn event(&mut self, event: &str, time: &str, data: Value) -> Result<(), serde_json::Error> {
        match event {
            "begin" | "resume" => self.began(event, data)?,
            "step" => {
                let step: StepData = serde_json::from_value(data)?;
                if step.act == "review" {
                    // A review that is repeated after an interruption tells its refusals again.
                    self.refusals = Refusals::default();
                }
                self.mark(Mark::Step { number: step.number, act: step.act, time: time.to_owned() });
            }
            "confirmed" => {
                self.mark(Mark::Confirmed(serde_json::from_value(data)?, time.to_owned()));
            }
            "statement" => self.mark(Mark::Statement(serde_json::from_value(data)?)),
            "present" => {
                let Present { role, name } = serde_json::from_value(data)?;
                self.mark(Mark::Present(role, name));
            }
            "exception" => self.exceptions += 1,
            "custody" => self.custody(serde_json::from_value(data)?),
            "login" => self.at_token(serde_json::from_value::<Login>(data)?.token.serial),
            "token-open" => self.at_token(serde_json::from_value::<TokenSerial>(data)?.token_serial),
            "key-generated" => {
                let generated = serde_json::from_value(data.clone())?;
                self.key(event, serde_json::from_value(data)?);
                self.mark(Mark::Key(KeyMark::Generated(generated)));
            }
            "key-proved" => self.key(event, serde_json::from_value(data)?),
            "key-intended" => self.mark(Mark::Key(KeyMark::Intended(serde_json::from_value(data)?))),
            "key-found" => self.mark(Mark::Key(KeyMark::Found(serde_json::from_value(data)?))),
            "key-withdrawn" => self.withdrawn(serde_json::from_value(data)?),
            "certificate" => {
                self.makes(event);
                let key: KeyCertificate = serde_json::from_value(data)?;
                self.mark(Mark::Key(KeyMark::Certificate(key.clone())));
                match self.keys.contains(&key) {
                    true => {}
                    false if self.keys.len() < MOST_KEYS => self.keys.push(key),
                    false => self.too_many("certificates of keys", MOST_KEYS),
                }
            }
            "signed" if self.runs.len() < MOST_RUNS => {
                self.makes(event);
                self.runs.push(serde_json::from_value(data)?);
            }
            "reserved" if self.reserved.len() < MOST_RUNS => {
                self.makes(event);
                self.reserved.push(serde_json::from_value(data)?);
            }
            "signed" | "reserved" => self.too_many("runs of certificates", MOST_RUNS),
            "key-reserved" if self.reserved_keys.len() < MOST_KEYS => {
                self.makes(event);
                self.reserved_keys.push(serde_json::from_value(data)?);
            }
            "key-reserved" => self.too_many("reservations for keys", MOST_KEYS),
            "done" => {
                let Done { number } = serde_json::from_value(data)?;
                self.done = self.done.max(number);
                self.mark(Mark::Done(number));
            }
            "refused" => self.refused(&serde_json::from_value(data)?),
            "seal" => {
                self.makes(event);
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
                self.imported = bundle_sha256;
                if self.lasting.get("indexes") != Some(&indexes) {
                    self.breaks(format!("record {} imports other indexes than it began with", self.lines));
                }
            }
            "review" => {
                let Review { approved, refused } = serde_json::from_value(data)?;
                self.reviewed = Some((approved, refused));
            }
            "inventory" => self.look(serde_json::from_value(data)?),
            "issued" => {
                let IssuedData { certificates } = serde_json::from_value(data)?;
                if certificates > 0 {
                    self.makes(event);
                }
                self.issued = Some(certificates);
            }
            "sealed" => {
                let Released { sequence, manifest_sha256 } = serde_json::from_value(data)?;
                self.sealed = Some((sequence, manifest_sha256));
            }
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

    fn began(&mut self, event: &str, data: Value) -> Result<(), serde_json::Error> {
        let facts: serde_json::Map<String, Value> = serde_json::from_value(data)?;
        let begin = Begin::of(&facts)?;
        self.at_token(begin.token_serial.clone());
        self.unattended |= begin.unattended;
        self.mark(if event == "resume" { Mark::Resume } else { Mark::Begin });
        if let Some(last) = self.tool.replace(begin.tool.clone()).filter(|last| *last != begin.tool) {
            let (number, now) = (self.lines, &begin.tool);
            let text = format!("record {number}: the program is {now}, it was {last} before");
            self.other_tool.get_or_insert(text);
        }
        if self.begin.is_none() {
            (self.begin, self.lasting) = (Some(begin), facts);
        } else if let Some(name) = LASTING.iter().find(|name| facts.get(**name) != self.lasting.get(**name)) {
            let shown = |facts: &serde_json::Map<String, Value>| {
                facts.get(*name).map_or_else(|| "nothing".to_owned(), Value::to_string)
            };
            let (before, now) = (shown(&self.lasting), shown(&facts));
            self.breaks(format!("record {} goes on with {name} {now}, begun was {before}", self.lines));
        }
        Ok(())
    }

    /// Takes in that something was made.
    fn makes(&mut self, event: &str) {
        let text = format!("record {} ({event})", self.lines);
        self.made.get_or_insert(text);
    }

    /// Takes in the serial of the token that a record names.
    fn at_token(&mut self, serial: String) {
        match &self.token {
            None => self.token = Some(serial),
            Some(token) if *token != serial => {
                let text =
                    format!("record {} is of the token {serial}, the ceremony is of {token}", self.lines);
                self.other_token.get_or_insert(text);
            }
            Some(_) => {}
        }
    }

    fn custody(&mut self, custody: Custody) {
        if ["handed-out", "changed"].contains(&custody.phase.as_str()) {
            self.makes("custody");
            custody.token_serial.clone().into_iter().for_each(|serial| self.at_token(serial));
            self.mark(Mark::Custody(custody));
        }
    }

    fn key(&mut self, event: &str, key: KeyData) {
        if let Some((attribute, value)) = key.weak() {
            let text = format!("key {}: {attribute} is {value}", key.name);
            self.weak.get_or_insert(text);
        }
        match event {
            "key-generated" if self.generated.len() < MOST_KEYS => {
                self.generated.push(key.name);
            }
            "key-generated" => self.too_many("keys", MOST_KEYS),
            _ => self.proved += 1,
        }
    }

    /// The token holds nothing of a key, which was generated or was to be.
    fn withdrawn(&mut self, key: KeyWithdrawn) {
        self.generated.retain(|generated| *generated != key.name);
        for reserved in self.reserved_keys.iter_mut().filter(|reserved| reserved.name == key.name) {
            reserved.withdrawn = true;
        }
        self.mark(Mark::Key(KeyMark::Withdrawn(key)));
    }

    /// What was made in the ceremony, in words: one in which something was is not given up.
    pub fn has_made(&self) -> Option<String> {
        let key = || self.generated.first().map(|name| format!("the key of {name}"));
        self.made.clone().or_else(key)
    }

    fn look(&mut self, found: InventoryData) {
        self.at_token(found.token_serial);
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
