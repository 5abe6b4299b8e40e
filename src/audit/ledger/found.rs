//! What the rows of a ceremony amount to, held against its transcript.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use crate::audit::certificates::Runs;
use crate::audit::story::{Refusals, Story};
use crate::audit::{Section, release};
use crate::digest::{Digest, Hasher};
use crate::ledger::CeremonyRow;
use crate::media::RelativePath;
use crate::release::Reason;

/// What was seen of a ledger's rows so far: serial numbers, and the last row.
#[derive(Debug)]
pub struct Seen {
    hasher: RandomState,
    seen: HashSet<u64>,
    twice: Option<String>,
    /// None when rows were passed over.
    last: Option<i64>,
}

impl Default for Seen {
    fn default() -> Self {
        Self { hasher: RandomState::new(), seen: HashSet::new(), twice: None, last: Some(0) }
    }
}

impl Seen {
    /// Takes in that the rows of a ceremony were not looked at.
    pub fn lose(&mut self) {
        self.last = None;
    }

    fn take(&mut self, authority: &str, serial: &str) {
        // Two different ones of a million fall together once in ten million audits.
        if !self.seen.insert(self.hasher.hash_one((authority, serial))) {
            self.twice.get_or_insert_with(|| format!("serial number {serial} under {authority}"));
        }
    }

    /// Whether each stands there once.
    pub fn told(&self) -> Result<String, String> {
        match &self.twice {
            None => {
                Ok(format!("{} certificates, no serial number twice under one authority", self.seen.len()))
            }
            Some(twice) => Err(format!("{twice} stands for two certificates")),
        }
    }
}

/// A row after its check: path and digest of what came in, and what was made of it.
pub struct Checked(pub Option<(RelativePath, Digest)>, pub Made);

pub enum Made {
    /// A certificate: authority, serial number, fingerprint.
    Issued(String, String, Digest),
    /// A certificate of a key in the token.
    Key(String, String),
    Refused(Vec<Reason>),
    /// Nothing was issued yet.
    Waiting,
}

/// What the rows amount to.
pub struct Found<'s> {
    runs: Runs<'s>,
    refusals: Refusals,
    listing: Hasher,
    waiting: usize,
    wrong: Option<String>,
    /// The row before the first one, and whether the next row is the first.
    before: i64,
    first: bool,
}

impl<'s> Found<'s> {
    /// Nothing found yet.
    pub fn new(story: &'s Story, before: i64) -> Self {
        Self {
            runs: Runs::new(&story.runs),
            refusals: Refusals::default(),
            listing: Hasher::default(),
            waiting: 0,
            wrong: None,
            before,
            first: true,
        }
    }

    /// Takes in the next row.
    pub fn take(&mut self, row: i64, checked: Result<Checked, String>, serials: &mut Seen) {
        if std::mem::take(&mut self.first) && row != self.before + 1 {
            self.wrong.get_or_insert(format!("its first row is {row}, the ledger says {}", self.before + 1));
        }
        serials.last = serials.last.map(|_| row);
        let (came, made) = match checked {
            Ok(Checked(came, made)) => (came, made),
            Err(wrong) => {
                self.wrong.get_or_insert(wrong);
                return;
            }
        };
        if let Some((path, request)) = &came {
            self.listing.list(path.as_str(), request);
        }
        match (came, made) {
            (_, Made::Issued(authority, serial, digest)) => {
                self.runs.take(&serial, &digest);
                serials.take(&authority, &serial);
            }
            (_, Made::Key(authority, serial)) => serials.take(&authority, &serial),
            (Some((path, request)), Made::Refused(reasons)) => {
                let reasons = reasons.iter().map(|r| (r.control.as_str(), r.message.as_str()));
                self.refusals.take(path.as_str(), &request, reasons);
            }
            (Some(_), Made::Waiting) => self.waiting += 1,
            (None, _) => {}
        }
    }

    /// What can be claimed of the rows.
    pub fn claims(
        mut self,
        row: &CeremonyRow,
        story: &Story,
        what: &str,
        seen: &Seen,
        section: &mut Section,
    ) {
        if self.first && seen.last.is_some_and(|last| last != self.before) {
            let text = format!("it has no row, the ledger says that {} is its first", self.before + 1);
            self.wrong.get_or_insert(text);
        }
        let Self { runs, refusals, listing, waiting, wrong, .. } = self;
        let told = |text| format!("{what}: {text}");
        let (count, refused_count) = (runs.count(), refusals.count);
        let approved = count + waiting as u64;
        let all = approved + refused_count;
        let counted = (row.approved as u64, row.refused as u64);
        if wrong.is_none() && story.reviewed.is_none() && all == 0 && counted == (0, 0) {
            return;
        }
        let found = listing.finish();
        section.compared(
            "AUDIT-REQUESTS",
            match (wrong, story.imported.filter(|imported| *imported != found)) {
                (Some(wrong), _) => Err(told(wrong)),
                (None, Some(imported)) => Err(told(format!(
                    "the bundle digest of the requests is {found}, the transcript tells {imported}"
                ))),
                (None, None) if counted != (approved, refused_count) => Err(told(format!(
                    "{approved} requests are approved and {refused_count} refused, the ledger says {} and {}",
                    counted.0, counted.1
                ))),
                (None, None) => Ok(told(format!(
                    "{all} requests, each with the octets that came in, judged again by the script; {count} certificates are, octet for octet, what it makes of the approved ones, and their signatures verify",
                ))),
            },
        );
        let whose = "the ledger";
        if row.done && !story.abandoned {
            let runs = release::issued(runs.finish(), story, count, whose);
            section.compared("AUDIT-CERTIFICATES", runs.map(told).map_err(told));
        }
        if story.reviewed.is_some() {
            let refusals = release::refused(&refusals, story, whose);
            section.compared("AUDIT-REFUSALS", refusals.map(told).map_err(told));
        }
    }
}
