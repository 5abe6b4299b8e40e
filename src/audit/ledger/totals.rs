//! Totals of the rows of a ceremony, compared with its transcript.

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher, RandomState};

use crate::audit::certificates::Runs;
use crate::audit::reading::Reading;
use crate::audit::{Section, release};
use crate::digest::{Digest, Hasher};
use crate::ledger::CeremonyRow;
use crate::media::RelativePath;
use crate::record::Refusals;
use crate::request::Reason;

/// Serial numbers of a ledger's rows so far, and the last row.
#[derive(Debug)]
pub struct Seen {
    hasher: RandomState,
    seen: HashSet<u64>,
    twice: Option<String>,
    /// Last row; None once rows were skipped.
    last: Option<i64>,
}

impl Default for Seen {
    fn default() -> Self {
        Self { hasher: RandomState::new(), seen: HashSet::new(), twice: None, last: Some(0) }
    }
}

impl Seen {
    /// Notes that the rows of a ceremony were skipped.
    pub fn lose(&mut self) {
        self.last = None;
    }

    /// Adds a reserved serial number.
    pub fn serial(&mut self, authority: &str, serial: &str) {
        // Two of a million collide once in ten million audits.
        if !self.seen.insert(self.hasher.hash_one((authority, serial))) {
            self.twice.get_or_insert_with(|| format!("serial number {serial} under {authority}"));
        }
    }

    /// Checks that there is no duplicate.
    pub fn told(&self) -> Result<String, String> {
        match &self.twice {
            None => Ok(format!(
                "{} certificates, signed or reserved, no serial number twice under one authority",
                self.seen.len()
            )),
            Some(twice) => Err(format!("duplicate {twice}")),
        }
    }
}

/// A row after its check.
pub struct Checked {
    /// Path and digest of the request; None for a key in the token.
    pub came: Option<(RelativePath, Digest)>,
    pub made: Made,
    /// Reserved serial number, and digest of the reserved octets.
    pub reserved: Option<(String, Digest)>,
    /// Number of the medium, if it has an index.
    pub bundle: Option<i64>,
}

/// Result of a row.
pub enum Made {
    /// Serial number and fingerprint of the certificate.
    Issued(String, Digest),
    /// Certificate of a key in the token.
    Key,
    Refused(Vec<Reason>),
    /// Not issued yet.
    Waiting,
}

/// Totals over the rows of one ceremony.
pub struct Found<'s> {
    runs: Runs<'s>,
    reserved: Runs<'s>,
    reserved_keys: usize,
    refusals: Refusals,
    listing: Hasher,
    waiting: usize,
    /// Number of requests of each medium with an index.
    media: BTreeMap<i64, usize>,
    wrong: Option<String>,
    /// Last row of the previous ceremonies.
    before: i64,
    /// Whether the next row is the first.
    first: bool,
}

impl<'s> Found<'s> {
    pub fn new(reading: &'s Reading, before: i64) -> Self {
        Self {
            runs: Runs::new(&reading.runs),
            reserved: Runs::new(&reading.reserved),
            reserved_keys: 0,
            media: BTreeMap::new(),
            refusals: Refusals::default(),
            listing: Hasher::default(),
            waiting: 0,
            wrong: None,
            before,
            first: true,
        }
    }

    /// Adds the next row.
    pub fn take(&mut self, row: i64, checked: Result<Checked, String>, seen: &mut Seen) {
        if std::mem::take(&mut self.first) && row != self.before + 1 {
            self.wrong.get_or_insert(format!("its first row is {row}, the ledger says {}", self.before + 1));
        }
        seen.last = seen.last.map(|_| row);
        let Checked { came, made, reserved, bundle } = match checked {
            Ok(checked) => checked,
            Err(wrong) => {
                self.wrong.get_or_insert(wrong);
                return;
            }
        };
        match (&came, reserved) {
            (Some(_), Some((serial, tbs))) => self.reserved.take(&serial, &tbs),
            (None, Some(_)) => self.reserved_keys += 1,
            (_, None) => {}
        }
        if let Some(medium) = bundle {
            *self.media.entry(medium).or_default() += 1;
        }
        if let Some((path, request)) = &came {
            self.listing.list(path.as_str(), request);
        }
        match (came, made) {
            (_, Made::Issued(serial, digest)) => self.runs.take(&serial, &digest),
            (Some((path, request)), Made::Refused(reasons)) => {
                self.refusals.take(path.as_str(), &request, &reasons);
            }
            (Some(_), Made::Waiting) => self.waiting += 1,
            (None, _) | (_, Made::Key) => {}
        }
    }

    /// Adds the claims about the rows to the section.
    pub fn claims(
        mut self,
        row: &CeremonyRow,
        reading: &Reading,
        what: &str,
        (seen, media): (&Seen, &BTreeMap<i64, usize>),
        section: &mut Section,
    ) {
        let reserved_keys: usize = reading.state.keys.iter().map(|key| key.reserved.len()).sum();
        if self.first && seen.last.is_some_and(|last| last != self.before) {
            let text = format!("it has no row, the ledger says that {} is its first", self.before + 1);
            self.wrong.get_or_insert(text);
        }
        if self.reserved_keys != reserved_keys {
            self.wrong.get_or_insert(format!(
                "{} keys have a reserved certificate, the transcript has {}",
                self.reserved_keys, reserved_keys
            ));
        }
        if self.media != *media {
            self.wrong
                .get_or_insert("not every request of an index is there as one of its medium".to_owned());
        }
        let Self { runs, reserved, refusals, listing, waiting, wrong, .. } = self;
        let told = |text| format!("{what}: {text}");
        let (count, refused_count) = (runs.count(), refusals.count());
        let approved = count + waiting as u64;
        let all = approved + refused_count;
        let counted = (row.approved as u64, row.refused as u64);
        if wrong.is_none() && reading.state.reviewed.is_none() && all == 0 && counted == (0, 0) {
            return;
        }
        let found = listing.finish();
        section.compared(
            "AUDIT-REQUESTS",
            match (wrong, reading.state.imported.filter(|imported| *imported != found)) {
                (Some(wrong), _) => Err(told(wrong)),
                (None, Some(imported)) => Err(told(format!(
                    "the bundle digest of the requests is {found}, the transcript has {imported}"
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
        let reserved = reserved.finish().map_err(|wrong| told(format!("reserved octets: {wrong}")));
        if reserved.is_err() || runs.count() > 0 || !reading.reserved.is_empty() {
            let text = |count| told(format!("the octets of {count} certificates, as they were reserved"));
            section.compared("AUDIT-CERTIFICATES", reserved.map(text));
        }
        if !row.done {
            let signed = runs.finish().map_err(|wrong| told(format!("{whose}: {wrong}")));
            let text = |count| told(format!("{whose} has the {count} certificates of the transcript so far"));
            section.compared("AUDIT-CERTIFICATES", signed.map(text));
        } else if !reading.state.abandoned {
            let runs = release::issued(runs.finish(), reading, count, whose);
            section.compared("AUDIT-CERTIFICATES", runs.map(told).map_err(told));
        }
        if reading.state.reviewed.is_some() {
            let refusals = release::refused(&refusals, reading, whose);
            section.compared("AUDIT-REFUSALS", refusals.map(told).map_err(told));
        }
    }
}
