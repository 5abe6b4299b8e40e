//! Reads a transcript line by line: its chain, clock and resulting state, and what later comparisons need.

use std::io::{self, Read};

use crate::digest::{Digest, Hasher};
use crate::plan::Plan;
use crate::record::{Event, Facts, KeyAttributes, Look, Record, Run, State, Tool, lines};

/// Maximum acts of people and steps kept of one transcript: a hostile one may have as many records as fit on
/// the medium.
const MOST_ACTS: usize = 100_000;
/// Maximum runs of certificates: three times those of the largest bundle.
const MOST_RUNS: usize = 100_000;

/// Maximum digests of lines kept of one transcript.
const MOST_HEADS: usize = 1 << 20;

/// A transcript after reading. The `String`s describe the first violation of each kind.
#[derive(Debug, Default)]
pub struct Reading {
    pub lines: u64,
    /// Digest that the first line carries.
    pub previous: Option<Digest>,
    /// Digest of the last line.
    pub head: Option<Digest>,
    /// Digests of the lines, at most [`MOST_HEADS`].
    pub heads: Vec<Digest>,
    /// Violation of the chain or of the order of records.
    pub broken: Option<String>,
    pub first_time: Option<String>,
    pub backwards: Option<String>,
    pub state: State,
    /// All records except those that come in large numbers.
    pub acts: Vec<Record>,
    /// Runs of signed certificates.
    pub runs: Vec<Run>,
    /// Runs of reserved certificates.
    pub reserved: Vec<Run>,
    /// Program that wrote the last part.
    pub tool: Option<Tool>,
    /// Change of the program.
    pub other_tool: Option<String>,
    /// Record that names another token than the first.
    pub other_token: Option<String>,
    /// How often attributes of keys were read back.
    pub attributes: usize,
    /// Key with a forbidden attribute.
    pub weak: Option<String>,
    pub looks: Looks,
    pub seal: Option<Sealed>,
    file: Hasher,
}

/// Inventories of the token: their number, and the number of objects in the first and the last.
#[derive(Debug, Default)]
pub struct Looks {
    pub count: usize,
    pub first: usize,
    pub last: usize,
    /// Whether the last inventory found no unexpected object.
    pub accepted: bool,
}

/// The transcript at its seal, as the manifest states it.
#[derive(Clone, Debug)]
pub struct Sealed {
    pub sequence: u64,
    pub head: Digest,
    /// SHA-256 over the lines up to the seal.
    pub file: Digest,
}

impl Reading {
    /// Reads a whole transcript.
    pub fn of(from: impl Read) -> io::Result<Self> {
        let mut reading = Self::default();
        lines(from, &mut |line, whole| {
            if !whole {
                reading.breaks(format!("record {} is truncated", reading.lines + 1));
            }
            reading.line(line);
        })?;
        Ok(reading)
    }

    /// Reads the next line, without its line feed.
    pub fn line(&mut self, line: &str) {
        self.lines += 1;
        let number = self.lines;
        let head = Digest::of(line.as_bytes());
        let previous = self.head.replace(head);
        if self.heads.len() < MOST_HEADS {
            self.heads.push(head);
        }
        self.file.update(line.as_bytes());
        self.file.update(b"\n");
        let record = match Record::read(line) {
            Ok(record) => record,
            Err(error) => return self.breaks(format!("record {number}: {error}")),
        };
        if record.number != number {
            self.breaks(format!("expected record {number}, found record {}", record.number));
        }
        match previous {
            Some(previous) if previous != record.previous => self.breaks(format!(
                "record {number} states {} as the SHA-256 of the previous record, but that is {previous}",
                record.previous
            )),
            None => self.previous = Some(record.previous),
            Some(_) => {}
        }
        let last = self.state.time.clone();
        if last > record.time {
            let text = format!("record {number} is dated {}, the previous one {last}", record.time);
            self.backwards.get_or_insert(text);
        }
        self.first_time.get_or_insert_with(|| record.time.clone());
        if let Err(wrong) = self.state.apply(&record) {
            self.breaks(format!("record {number} {wrong}"));
        }
        self.at_token(&record.event);
        self.take(record);
    }

    fn breaks(&mut self, what: String) {
        self.broken.get_or_insert(what);
    }

    fn take(&mut self, record: Record) {
        match &record.event {
            Event::Signed(run) if self.runs.len() < MOST_RUNS => self.runs.push(run.clone()),
            Event::Reserved(run) if self.reserved.len() < MOST_RUNS => self.reserved.push(run.clone()),
            Event::Signed(_) | Event::Reserved(_) => self.too_many("runs of certificates", MOST_RUNS),
            Event::Refused(_) => {}
            Event::Inventory(look) => self.look(look),
            Event::KeyProved(key) => self.attributes(&key.name, &key.attributes),
            event => {
                match event {
                    Event::Begin(facts) | Event::Resume(facts) => self.began(facts),
                    Event::KeyGenerated(key) => self.attributes(&key.name, &key.attributes),
                    Event::Seal(seal) => {
                        let head = self.head.unwrap_or(Digest::ZERO);
                        let file = self.file.clone().finish();
                        self.seal = Some(Sealed { sequence: seal.sequence, head, file });
                    }
                    _ => {}
                }
                if self.acts.len() < MOST_ACTS {
                    self.acts.push(record)
                } else {
                    self.too_many("acts of people and steps", MOST_ACTS)
                }
            }
        }
    }

    fn too_many(&mut self, what: &str, most: usize) {
        self.breaks(format!("record {}: more than {most} {what}", self.lines));
    }

    fn began(&mut self, facts: &Facts) {
        let now = &facts.tool;
        if let Some(last) = self.tool.replace(now.clone()).filter(|last| last != now) {
            let text = format!("record {}: the program is {now}, it was {last} before", self.lines);
            self.other_tool.get_or_insert(text);
        }
    }

    /// Serial of the token that the first record names.
    pub fn token(&self) -> Option<&str> {
        self.state.begin.as_ref().map(|begin| begin.token_serial.as_str())
    }

    fn at_token(&mut self, event: &Event) {
        let (Some(serial), Some(token)) = (event.token_serial(), self.token()) else { return };
        if serial != token {
            let text = format!("record {} names the token {serial}, the ceremony uses {token}", self.lines);
            self.other_token.get_or_insert(text);
        }
    }

    fn attributes(&mut self, name: &str, attributes: &KeyAttributes) {
        self.attributes += 1;
        if let Some((attribute, value)) = attributes.weak() {
            let text = format!("key {name}: {attribute} is {value}");
            self.weak.get_or_insert(text);
        }
    }

    fn look(&mut self, look: &Look) {
        let count = look.objects.len();
        if self.looks.count == 0 {
            self.looks.first = count;
        }
        self.looks.count += 1;
        self.looks.last = count;
        self.looks.accepted = look.accepted;
    }
}

/// Returns the plan that this transcript names, if it is among `plans`.
pub fn approved<'p>(reading: &Reading, plans: &'p [Plan]) -> Option<&'p Plan> {
    let digest = reading.state.begin.as_ref()?.plan.sha256;
    plans.iter().find(|plan| plan.digest() == digest)
}
