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
pub struct SerialSet {
    hasher: RandomState,
    hashes: HashSet<u64>,
    duplicate: Option<String>,
    /// Last row; None once rows were skipped.
    last: Option<i64>,
}

impl Default for SerialSet {
    fn default() -> Self {
        Self { hasher: RandomState::new(), hashes: HashSet::new(), duplicate: None, last: Some(0) }
    }
}

impl SerialSet {
    /// Notes that the rows of a ceremony were skipped.
    pub fn skip_rows(&mut self) {
        self.last = None;
    }

    /// Adds a reserved serial number.
    pub fn add(&mut self, authority: &str, serial: &str) {
        // Two of a million collide once in ten million audits.
        if !self.hashes.insert(self.hasher.hash_one((authority, serial))) {
            self.duplicate.get_or_insert_with(|| format!("serial number {serial} under {authority}"));
        }
    }

    /// Checks that there is no duplicate.
    pub fn check(&self) -> Result<String, String> {
        match &self.duplicate {
            None => Ok(format!(
                "{} certificates, signed or reserved, no duplicate serial number under one authority",
                self.hashes.len()
            )),
            Some(duplicate) => Err(format!("duplicate {duplicate}")),
        }
    }
}

/// A row after its check.
pub struct CheckedRow {
    /// Path and digest of the request; None for a key in the token.
    pub request: Option<(RelativePath, Digest)>,
    pub derived: Derived,
    /// Reserved serial number, and digest of the reserved octets.
    pub reserved: Option<(String, Digest)>,
    /// Number of the medium, if it has an index.
    pub bundle: Option<i64>,
}

/// Result of a row.
pub enum Derived {
    /// Serial number and fingerprint of the certificate.
    Issued(String, Digest),
    /// Certificate of a key in the token.
    Key,
    Refused(Vec<Reason>),
    /// Not issued yet.
    Waiting,
}

/// Totals over the rows of one ceremony.
pub struct Totals<'s> {
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

impl<'s> Totals<'s> {
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
    pub fn add(&mut self, row: i64, checked: Result<CheckedRow, String>, serials: &mut SerialSet) {
        if std::mem::take(&mut self.first) && row != self.before + 1 {
            self.wrong.get_or_insert(format!("its first row is {row}, the ledger says {}", self.before + 1));
        }
        serials.last = serials.last.map(|_| row);
        let CheckedRow { request, derived, reserved, bundle } = match checked {
            Ok(checked) => checked,
            Err(wrong) => {
                self.wrong.get_or_insert(wrong);
                return;
            }
        };
        match (&request, reserved) {
            (Some(_), Some((serial, tbs))) => self.reserved.take(&serial, &tbs),
            (None, Some(_)) => self.reserved_keys += 1,
            (_, None) => {}
        }
        if let Some(medium) = bundle {
            *self.media.entry(medium).or_default() += 1;
        }
        if let Some((path, request)) = &request {
            self.listing.list(path.as_str(), request);
        }
        match (request, derived) {
            (_, Derived::Issued(serial, digest)) => self.runs.take(&serial, &digest),
            (Some((path, request)), Derived::Refused(reasons)) => {
                self.refusals.take(path.as_str(), &request, &reasons);
            }
            (Some(_), Derived::Waiting) => self.waiting += 1,
            (None, _) | (_, Derived::Key) => {}
        }
    }

    /// Adds the claims about the rows to the section.
    pub fn claims(
        mut self,
        row: &CeremonyRow,
        reading: &Reading,
        what: &str,
        (serials, media): (&SerialSet, &BTreeMap<i64, usize>),
        section: &mut Section,
    ) {
        let reserved_keys: usize = reading.state.keys.iter().map(|key| key.reserved.len()).sum();
        if self.first && serials.last.is_some_and(|last| last != self.before) {
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
            self.wrong.get_or_insert("not every request of an index is stored with its medium".to_owned());
        }
        let Self { runs, reserved, refusals, listing, waiting, wrong, .. } = self;
        let about = |text| format!("{what}: {text}");
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
                (Some(wrong), _) => Err(about(wrong)),
                (None, Some(imported)) => Err(about(format!(
                    "the bundle digest of the requests is {found}, the transcript has {imported}"
                ))),
                (None, None) if counted != (approved, refused_count) => Err(about(format!(
                    "{approved} requests are approved and {refused_count} refused, the ledger says {} and {}",
                    counted.0, counted.1
                ))),
                (None, None) => Ok(about(format!(
                    "{all} requests, each with the octets that were imported, judged again by the script; {count} certificates are, octet for octet, those that it yields for the approved ones, and their signatures verify",
                ))),
            },
        );
        let whose = "the ledger";
        let reserved = reserved.finish().map_err(|wrong| about(format!("reserved octets: {wrong}")));
        if reserved.is_err() || runs.count() > 0 || !reading.reserved.is_empty() {
            let text = |count| about(format!("the octets of {count} certificates, as they were reserved"));
            section.compared("AUDIT-CERTIFICATES", reserved.map(text));
        }
        if !row.done {
            let signed = runs.finish().map_err(|wrong| about(format!("{whose}: {wrong}")));
            let text =
                |count| about(format!("{whose} has the {count} certificates of the transcript so far"));
            section.compared("AUDIT-CERTIFICATES", signed.map(text));
        } else if !reading.state.abandoned {
            let runs = release::issued(runs.finish(), reading, count, whose);
            section.compared("AUDIT-CERTIFICATES", runs.map(about).map_err(about));
        }
        if reading.state.reviewed.is_some() {
            let refusals = release::refused(&refusals, reading, whose);
            section.compared("AUDIT-REFUSALS", refusals.map(about).map_err(about));
        }
    }
}
