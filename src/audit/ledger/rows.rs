//! The rows of a ceremony: requests, what policy said, what was reserved, signed and recorded.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};

use crate::audit::certificates::Runs;
use crate::audit::release::{issued, refused};
use crate::audit::story::{Refusals, Story};
use crate::audit::{Error, Section};
use crate::ceremony::Plan;
use crate::digest::Digest;
use crate::issuance::{Authority, Certificate};
use crate::keys::PublicKey;
use crate::ledger::{CeremonyRow, Ledger, RequestRow, ReservedRow, StoredKey};
use crate::media::RelativePath;
use crate::parallel;
use crate::policy::Policy;
use crate::release::Reason;

/// Rows that one thread checks at a time.
const GROUP: usize = 64;
/// The row of a key in the token has this before its name.
const KEY: &str = "token-key:";

/// The serial numbers of a ledger.
#[derive(Debug, Default)]
pub struct Serials {
    hasher: RandomState,
    seen: HashSet<u64>,
    twice: Option<String>,
}

impl Serials {
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

/// A row after its check.
enum Checked {
    /// A certificate: authority, serial number, fingerprint.
    Issued(String, String, Digest),
    /// A certificate of a key in the token.
    Key(String, String),
    Refused(RelativePath, Digest, Vec<Reason>),
    /// Nothing was issued yet.
    Waiting,
}

/// What the rows are held against.
struct Bench {
    policy: Policy,
    authorities: BTreeMap<String, Authority>,
    keys: BTreeMap<String, Certificate>,
    done: bool,
}

/// Audits the rows of one ceremony.
pub fn audit(
    ledger: &mut Ledger,
    row: &CeremonyRow,
    plan: &Plan,
    keys: &[StoredKey],
    story: &Story,
    (serials, processors): (&mut Serials, usize),
    section: &mut Section,
) -> Result<(), Error> {
    let what = format!("ceremony {}", row.id);
    let bench = match Bench::new(plan, keys, row.done && !story.abandoned) {
        Ok(bench) => bench,
        Err(wrong) => {
            section.compared("AUDIT-REQUESTS", Err(format!("{what}: {wrong}")));
            return Ok(());
        }
    };
    let (before, end) = (ledger.before(row.id)?, ledger.last_row(row.id)?);
    let source = |give: &mut dyn FnMut(Vec<RequestRow>) -> Result<(), Error>| rows(ledger, before, end, give);
    let mut found =
        Found { runs: Runs::new(&story.runs), refusals: Refusals::default(), waiting: 0, wrong: None };
    parallel::ordered(
        processors,
        source,
        |group: Vec<RequestRow>| group.iter().map(|row| bench.check(row)).collect::<Vec<_>>(),
        |group| {
            group.into_iter().for_each(|checked| found.take(checked, serials));
            Ok(())
        },
    )?;
    found.claims(row, story, &what, section);
    Ok(())
}

// Exclusively, for a thread of its own reads it.
fn rows(
    ledger: &mut Ledger,
    mut row: i64,
    end: i64,
    give: &mut dyn FnMut(Vec<RequestRow>) -> Result<(), Error>,
) -> Result<(), Error> {
    loop {
        let rows = ledger.rows_after(row, end, GROUP)?;
        let Some(last) = rows.last() else { return Ok(()) };
        row = last.row;
        give(rows)?;
    }
}

/// What the rows amount to.
struct Found<'s> {
    runs: Runs<'s>,
    refusals: Refusals,
    waiting: usize,
    wrong: Option<String>,
}

impl Found<'_> {
    fn take(&mut self, checked: Result<Checked, String>, serials: &mut Serials) {
        match checked {
            Ok(Checked::Issued(authority, serial, digest)) => {
                self.runs.take(&serial, &digest);
                serials.take(&authority, &serial);
            }
            Ok(Checked::Key(authority, serial)) => serials.take(&authority, &serial),
            Ok(Checked::Refused(path, request, reasons)) => {
                let reasons = reasons.iter().map(|r| (r.control.as_str(), r.message.as_str()));
                self.refusals.take(path.as_str(), &request, reasons);
            }
            Ok(Checked::Waiting) => self.waiting += 1,
            Err(wrong) => _ = self.wrong.get_or_insert(wrong),
        }
    }

    fn claims(self, row: &CeremonyRow, story: &Story, what: &str, section: &mut Section) {
        let Self { runs, refusals, waiting, wrong } = self;
        let told = |text| format!("{what}: {text}");
        let (count, refused_count) = (runs.count(), refusals.count);
        if wrong.is_none() && story.reviewed.is_none() && count + refused_count + waiting as u64 == 0 {
            return;
        }
        section.compared(
            "AUDIT-REQUESTS",
            match wrong {
                Some(wrong) => Err(told(wrong)),
                None => Ok(told(format!(
                    "{} requests, each with the octets that came in; {count} certificates are the approved ones, and their signatures verify",
                    count + refused_count + waiting as u64
                ))),
            },
        );
        let whose = "the ledger";
        if row.done && !story.abandoned {
            let runs = issued(runs.finish(), story, count, whose);
            section.compared("AUDIT-CERTIFICATES", runs.map(told).map_err(told));
        }
        if story.reviewed.is_some() {
            section.compared("AUDIT-REFUSALS", refused(&refusals, story, whose).map(told).map_err(told));
        }
    }
}

impl Bench {
    fn new(plan: &Plan, keys: &[StoredKey], done: bool) -> Result<Self, String> {
        let policy = Policy::new(plan.profiles(), &plan.script().roster, HashMap::new()).map_err(|e| e.0)?;
        let certified = keys.iter().filter_map(|key| Some((key.name.clone(), key.certificate.clone()?)));
        let keys: BTreeMap<_, _> = certified.collect();
        let authorities = keys.iter().filter_map(|(name, certificate)| {
            Some((name.clone(), Authority::new(name, certificate.clone()).ok()?))
        });
        Ok(Self { policy, authorities: authorities.collect(), keys: keys.clone(), done })
    }

    fn check(&self, row: &RequestRow) -> Result<Checked, String> {
        let at = |wrong: &str| format!("{}: {wrong}", row.path);
        if let Some(name) = row.path.strip_prefix(KEY) {
            return self.key(name, row);
        }
        let path = RelativePath::new(&row.path).map_err(|e| e.to_string())?;
        let found = Digest::of(&row.octets);
        if row.sha256 != found.as_bytes() {
            return Err(at(&format!("the request has SHA-256 {found}, not the one that the ledger says")));
        }
        match (&row.approval, &row.refusal, &row.reserved) {
            (Some(kept), None, Some(reserved)) => self.issued(row, path, found, kept, reserved),
            (Some(_), None, None) if !self.done => Ok(Checked::Waiting),
            (Some(_), None, None) => Err(at("was approved and has no certificate")),
            (None, Some(refusal), None) => {
                let reasons = serde_json::from_str(refusal).map_err(|e| at(&e.to_string()))?;
                Ok(Checked::Refused(path, found, reasons))
            }
            (None, Some(_), Some(_)) => Err(at("was refused and has a certificate")),
            _ => Err(at("is neither approved nor refused")),
        }
    }

    fn issued(
        &self,
        row: &RequestRow,
        path: RelativePath,
        request: Digest,
        kept: &str,
        reserved: &ReservedRow,
    ) -> Result<Checked, String> {
        let at = |wrong: &str| format!("{}: {wrong}", row.path);
        let spki = row.spki.as_deref().ok_or_else(|| at("was approved and has no key"))?;
        let key = PublicKey::accepted(spki).map_err(|e| at(&e.to_string()))?;
        let approval = self.policy.restore(path, request, key, kept).map_err(|e| e.0)?;
        let Some(signature) = &reserved.signature else {
            return if self.done { Err(at("was reserved and never signed")) } else { Ok(Checked::Waiting) };
        };
        let certificate = self.certificate(&row.path, reserved, signature)?;
        let tbs = certificate.parsed().tbs_certificate();
        let subject = der::Encode::to_der(tbs.subject()).map_err(|e| at(&e.to_string()))?;
        if approval.authority() != reserved.authority
            || subject != approval.subject()
            || certificate.key().der() != spki
        {
            return Err(at("authority, subject or key of its certificate is not what was approved"));
        }
        Ok(self.listed(reserved, &certificate))
    }

    fn key(&self, name: &str, row: &RequestRow) -> Result<Checked, String> {
        let wrong = |what: &str| format!("key {name}: {what}");
        let Some(reserved) = &row.reserved else {
            return if self.done { Err(wrong("has no certificate")) } else { Ok(Checked::Waiting) };
        };
        let Some(signature) = &reserved.signature else {
            return if self.done {
                Err(wrong("its certificate was never signed"))
            } else {
                Ok(Checked::Waiting)
            };
        };
        let certificate = self.certificate(&row.path, reserved, signature)?;
        match self.keys.get(name) {
            Some(own) if own.der() == certificate.der() => {
                Ok(Checked::Key(reserved.authority.clone(), certificate.facts().serial))
            }
            None if !self.done => Ok(Checked::Waiting),
            _ => Err(wrong("what was signed is not the certificate that the ledger has of it")),
        }
    }

    /// The certificate of a row, whose signature verifies under the authority that the row names.
    fn certificate(&self, at: &str, reserved: &ReservedRow, signature: &[u8]) -> Result<Certificate, String> {
        let wrong = |what: String| format!("{at}: {what}");
        let certificate =
            Certificate::from_parts(&reserved.tbs, signature).map_err(|e| wrong(e.to_string()))?;
        let tbs = certificate.parsed().tbs_certificate();
        let authority = self.authorities.get(&reserved.authority).ok_or_else(|| {
            wrong(format!("is under {}, which is no authority of the ledger", reserved.authority))
        })?;
        if tbs.serial_number().as_bytes() != reserved.serial {
            return Err(wrong("its certificate has another serial number than was reserved".into()));
        }
        if tbs.issuer() != authority.subject() {
            return Err(wrong(format!("its issuer is not the subject of {}", authority.name())));
        }
        certificate
            .verify_by(authority.key())
            .map_err(|e| wrong(format!("under {}: {e}", authority.name())))?;
        Ok(certificate)
    }

    fn listed(&self, reserved: &ReservedRow, certificate: &Certificate) -> Checked {
        let facts = certificate.facts();
        Checked::Issued(reserved.authority.clone(), facts.serial, facts.sha256)
    }
}
