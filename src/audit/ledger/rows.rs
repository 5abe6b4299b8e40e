//! The rows of a ceremony: requests, decisions, reservations, signatures.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::totals::{CheckedRow, Derived, SerialSet, Totals};
use crate::audit::Section;
use crate::audit::reading::Reading;
use crate::digest::{Digest, hex};
use crate::failure::Failure;
use crate::issuance::{Authority, Certificate, Reserved, Templates};
use crate::ledger::{CeremonyRow, Entries, Ledger, ReservedRow, Row, Rows, StoredKey};
use crate::media::{RelativePath, shown};
use crate::parallel;
use crate::plan::Plan;
use crate::policy::{Judgement, Policy};
use crate::record::KeyState;
use crate::request::{Control, Reason};
use crate::signing::is_certificate_of;

/// Other data of the ceremony.
pub struct Context<'a> {
    pub plan: &'a Plan,
    pub keys: &'a [StoredKey],
    pub reading: &'a Reading,
}

/// Checks rows one by one.
struct RowChecker<'a> {
    plan: &'a Plan,
    ceremony: i64,
    rehearsal: bool,
    policy: Policy,
    entries: Entries,
    authorities: BTreeMap<String, Authority>,
    templates: Templates,
    reserved_keys: &'a [KeyState],
    /// Controls that requests fail because of other requests, by row.
    conflicts: HashMap<i64, Vec<Control>>,
    keys: BTreeMap<String, Certificate>,
    /// First and last time of the ceremony.
    times: (&'a str, &'a str),
    done: bool,
    abandoned: bool,
}

/// Audits the rows of one ceremony.
pub fn audit(
    ledger: &mut Ledger,
    row: &CeremonyRow,
    context: &Context<'_>,
    (serials, processors): (&mut SerialSet, usize),
    section: &mut Section,
) -> Result<(), Failure> {
    let (what, reading) = (format!("ceremony {}", row.id), context.reading);
    let entries = ledger.entries(row.id)?;
    let media = entries.counts();
    let checker = match RowChecker::new(context, entries, ledger, row) {
        Ok(checker) => checker,
        Err(wrong) => {
            section.compared("AUDIT-REQUESTS", Err(format!("{what}: {wrong}")));
            serials.skip_rows();
            return Ok(());
        }
    };
    let mut totals = Totals::new(reading, ledger.before(row.id)?);
    let source = |give: &mut dyn FnMut(Vec<Row>) -> Result<(), Failure>| ledger.rows(Rows::All, row.id, give);
    parallel::ordered(
        processors,
        source,
        |group: Vec<Row>| {
            let one = |row: Row| (checker.check(&row), row.id, row.reserved);
            group.into_iter().map(one).collect::<Vec<_>>()
        },
        |group| {
            for (checked, row, reserved) in group {
                if let Some(reserved) = reserved {
                    serials.add(&reserved.authority, &hex(&reserved.serial));
                }
                totals.add(row, checked, serials);
            }
            Ok(())
        },
    )?;
    totals.claims(row, reading, &what, (serials, &media), section);
    Ok(())
}

impl<'a> RowChecker<'a> {
    fn new(
        context: &Context<'a>,
        entries: Entries,
        ledger: &Ledger,
        row: &CeremonyRow,
    ) -> Result<Self, String> {
        let Context { plan, keys, reading } = *context;
        let certified = keys.iter().filter_map(|key| Some((key.name.clone(), key.certificate.clone()?)));
        let keys: BTreeMap<_, _> = certified.collect();
        let own = keys.iter().map(|(name, certificate)| (certificate.key().digest(), name.clone()));
        let policy = Policy::new(plan.profiles(), plan.script().rules(), own.collect()).map_err(|e| e.0)?;
        let authorities = keys.iter().filter_map(|(name, certificate)| {
            Some((name.clone(), Authority::new(name, certificate.clone()).ok()?))
        });
        let authorities: BTreeMap<_, _> = authorities.collect();
        let authority = |name: &str| authorities.get(name).cloned().map(Arc::new);
        let templates = Templates::new(&policy, authority).map_err(|e| e.to_string())?;
        let time = |time: &'a Option<String>| time.as_deref().unwrap_or_default();
        let times = (time(&reading.first_time), reading.state.time.as_str());
        let conflicts = ledger.conflicts(row.id, &policy).map_err(|e| e.to_string())?;
        let (ceremony, abandoned, rehearsal) = (row.id, reading.state.abandoned, ledger.is_rehearsal());
        let done = row.done && !abandoned;
        Ok(Self {
            plan,
            ceremony,
            rehearsal,
            policy,
            entries,
            authorities,
            templates,
            reserved_keys: &reading.state.keys,
            conflicts,
            keys,
            times,
            done,
            abandoned,
        })
    }

    fn check(&self, row: &Row) -> Result<CheckedRow, String> {
        let wrong = |what: &str| Err(format!("{}: {what}", shown(&row.path)));
        if row.ceremony != self.ceremony {
            return wrong("is among the rows of this ceremony but belongs to another");
        }
        if self.abandoned && row.reserved.is_some() {
            return wrong("was reserved in an abandoned ceremony");
        }
        let reserved = |of: &ReservedRow| (hex(&of.serial), Digest::of(&of.tbs));
        let reserved = row.reserved.as_ref().map(reserved);
        if let Some(name) = row.token_key() {
            return self.key(name, row).map(|derived| CheckedRow {
                request: None,
                derived,
                reserved,
                bundle: None,
            });
        }
        let path = RelativePath::new(&row.path).map_err(|e| e.to_string())?;
        let derived = self.request(&path, row).map_err(|wrong| format!("{path}: {wrong}"))?;
        let request = Some((path, Digest::of(&row.octets)));
        Ok(CheckedRow { request, derived, reserved, bundle: row.bundle })
    }

    fn request(&self, path: &RelativePath, row: &Row) -> Result<Derived, String> {
        let found = Digest::of(&row.octets);
        if row.sha256 != found.as_bytes() {
            return Err(format!("the request has SHA-256 {found}, but the ledger states another"));
        }
        let entry = self.entries.of(row.bundle, path)?;
        let again = self.policy.judge(path.clone(), &row.octets, entry);
        if row.spki_sha256.as_deref() != again.key.as_ref().map(|key| key.as_bytes().as_slice()) {
            return Err("the digest of its key is not the one in the ledger".into());
        }
        match (&row.approval, &row.refusal) {
            (Some(_), None) if self.conflicts.contains_key(&row.id) => Err(format!(
                "was approved, but conflicts with other requests [{}]",
                self.conflicts(row).first().map_or("", |control| control.id())
            )),
            (Some(kept), None) => self.approved(row, again, kept),
            (None, Some(_)) if row.reserved.is_some() => Err("was refused but has a certificate".into()),
            (None, Some(_)) if row.spki.is_some() => Err("was refused but has a key to certify".into()),
            (None, Some(kept)) => refused(kept, &again, self.conflicts(row)),
            _ => Err("is neither approved nor refused".into()),
        }
    }

    /// Checks that policy and template yield the kept approval and certificate again.
    fn approved(&self, row: &Row, again: Judgement, kept: &str) -> Result<Derived, String> {
        let approval = again.outcome.map_err(|violations| {
            let first = violations.first().map(|v| format!("{} [{}]", shown(&v.message), v.control.id()));
            format!("was approved, but the script refuses it: {}", first.unwrap_or_default())
        })?;
        let spki = row.spki.as_deref().ok_or("was approved but has no key")?;
        if kept != approval.kept() || spki != approval.key().der() {
            return Err("the approval is not the one that the script yields for the request".into());
        }
        let reserved = match &row.reserved {
            Some(reserved) => reserved,
            None if self.done => return Err("was approved but has no certificate".into()),
            None => return Ok(Derived::Waiting),
        };
        let derived = self.reserved(reserved)?;
        let template = self.templates.get(&approval).ok_or_else(|| {
            format!("is under {}, which is not an authority of the ledger", approval.authority())
        })?;
        let tbs = template.fill(&approval, derived.serial, derived.start).map_err(|e| e.to_string())?;
        if tbs.octets() != reserved.tbs || approval.authority() != reserved.authority {
            return Err("the certificate is not the one that the script yields for the request".into());
        }
        let Some(certificate) = self.certificate(reserved)? else { return Ok(Derived::Waiting) };
        Ok(Derived::Issued(derived.serial.hex(), certificate.digest()))
    }

    fn conflicts(&self, row: &Row) -> &[Control] {
        self.conflicts.get(&row.id).map(Vec::as_slice).unwrap_or_default()
    }

    fn key(&self, name: &str, row: &Row) -> Result<Derived, String> {
        let wrong = |what: String| format!("key {name}: {what}");
        // The row is written with its reservation.
        let reserved = row.reserved.as_ref().ok_or_else(|| wrong("has no reserved certificate".into()))?;
        let derived = self.reserved(reserved).map_err(wrong)?;
        let bare = row.sha256.is_empty() && row.octets.is_empty() && row.spki.is_none();
        let bare = bare && row.approval.is_none() && row.refusal.is_none() && row.bundle.is_none();
        if !bare || row.spki_sha256.as_deref() != Some(derived.key.digest().as_bytes().as_slice()) {
            return Err(wrong("its row was modified".into()));
        }
        let (serial, tbs) = (derived.serial.hex(), Digest::of(&reserved.tbs));
        let reserved_for = |key: &&KeyState| {
            key.name == name && key.reserved.iter().any(|one| one.serial == serial && one.tbs_sha256 == tbs)
        };
        let mut recorded = self.reserved_keys.iter().filter(reserved_for);
        let (Some(recorded), None) = (recorded.next(), recorded.next()) else {
            return Err(wrong(format!("serial number {serial} is reserved, but no record says so")));
        };
        let fits = is_certificate_of(self.plan, self.rehearsal, name, &self.authorities, &reserved.tbs);
        if !fits.map_err(|e| wrong(e.to_string()))? {
            return Err(wrong("its certificate is not the one that the script specifies".into()));
        }
        if recorded.withdrawn && reserved.signature.is_none() {
            return Ok(Derived::Key);
        }
        let Some(certificate) = self.certificate(reserved).map_err(wrong)? else {
            return Ok(Derived::Waiting);
        };
        match self.keys.get(name) {
            Some(own) if own.der() == certificate.der() => Ok(Derived::Key),
            None if !self.done => Ok(Derived::Waiting),
            _ => Err(wrong("the signed certificate is not the one that the ledger has".into())),
        }
    }

    /// Checks the reserved octets against the other columns, and returns their parts.
    fn reserved(&self, reserved: &ReservedRow) -> Result<Reserved, String> {
        let derived = Reserved::of(&reserved.tbs).map_err(|e| e.to_string())?;
        if derived.serial.as_bytes() != reserved.serial {
            return Err("its certificate has another serial number than the reserved one".into());
        }
        if i64::try_from(derived.end.unix_duration().as_secs()) != Ok(reserved.not_after) {
            return Err(format!(
                "its certificate expires at {}, the ledger states another time",
                derived.end
            ));
        }
        let start = derived.start.to_string();
        if start.as_str() < self.times.0 || start.as_str() > self.times.1 {
            return Err(format!("its certificate is valid from {start}, which is outside the ceremony"));
        }
        Ok(derived)
    }

    /// Returns the certificate of a reservation after verifying its signature under the authority it
    /// names; None if it is not signed yet.
    fn certificate(&self, reserved: &ReservedRow) -> Result<Option<Certificate>, String> {
        let signature = match &reserved.signature {
            Some(signature) => signature,
            None if self.done => return Err("was reserved but never signed".into()),
            None => return Ok(None),
        };
        let name = &reserved.authority;
        let authority = self.authorities.get(name);
        let authority =
            authority.ok_or_else(|| format!("is under {name}, which is not an authority of the ledger"))?;
        let certificate = Certificate::from_parts(&reserved.tbs, signature).map_err(|e| e.to_string())?;
        certificate.verify_by(authority.key()).map_err(|e| format!("under {name}: {e}"))?;
        Ok(Some(certificate))
    }
}

/// Checks that the kept reasons are exactly the controls that the request fails, alone or because of
/// other requests.
fn refused(kept: &str, again: &Judgement, conflicts: &[Control]) -> Result<Derived, String> {
    let reasons: Vec<Reason> = serde_json::from_str(kept).map_err(|e| e.to_string())?;
    if serde_json::to_string(&reasons).ok().as_deref() != Some(kept) {
        return Err("its reasons are not in keyrite's encoding".into());
    }
    let none = Vec::new();
    let violations = again.outcome.as_ref().err().unwrap_or(&none);
    let own = |control: &str| violations.iter().any(|violation| violation.control.id() == control);
    let known = |control: &str| own(control) || conflicts.iter().any(|conflicts| conflicts.id() == control);
    let absent = |control: &&Control| !reasons.iter().any(|reason| reason.control == control.id());
    // A long list is truncated; controls failed because of other requests come after it.
    let cut = violations.len() > reasons.len();
    let all = violations.iter().map(|violation| &violation.control).filter(|_| !cut);
    let missing = all.chain(conflicts).find(absent);
    let strange = reasons.iter().find(|reason| !known(&reason.control));
    match (missing, strange) {
        (Some(control), _) => Err(format!("was refused, but not for {}, which it fails", control.id())),
        (None, Some(reason)) => Err(format!(
            "was refused for {}, but the script does not refuse it for that",
            shown(&reason.control)
        )),
        (None, None) if reasons.is_empty() => Err("was refused without a reason".into()),
        (None, None) => Ok(Derived::Refused(reasons)),
    }
}
