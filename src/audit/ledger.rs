//! One ledger: cross-checks transcript, rows, keys and release of every ceremony. The ledger itself
//! is not signed, but its transcripts are chained and its manifests are signed.

mod bundles;
mod totals;
mod keys;
mod rows;

use std::path::Path;

use super::cross_check::{CrossCheck, ReleaseSource, TranscriptSource};
use super::reading::{Reading, approved};
use super::{Order, Section, release, transcript};
use crate::digest::Digest;
use crate::failure::Failure;
use crate::ledger::{self, CeremonyRow, Ledger, ReleaseRow, Rows, StoredKey};
use crate::plan::{Plan, Setup};
use crate::record::{FIRST, KeyRole, Release};
use crate::release::{Head, verify_manifest};
use crate::request::IndexName;
use crate::signing::{manifest_again, manifest_keys};

/// Audits a ledger.
pub fn audit(
    path: &Path,
    order: &Order,
    section: &mut Section,
    cross_check: &mut CrossCheck,
) -> Result<(), Failure> {
    let mut ledger = match Ledger::read(path, &order.scratch) {
        Ok(ledger) => ledger,
        Err(error @ ledger::Error::Refused(_)) => return Err(error.into()),
        Err(fault) => {
            section.compared("AUDIT-LEDGER", Err(fault.to_string()));
            return Ok(());
        }
    };
    if ledger.is_rehearsal() {
        section.note("a rehearsal's ledger: nothing in it may be trusted");
    }
    let name = path.display().to_string();
    let mut ledger_audit = LedgerAudit { name, order, section, cross_check, last: None };
    if let Err(error) = ledger_audit.read(&mut ledger) {
        ledger_audit.section.compared("AUDIT-LEDGER", Err(error.to_string()));
    }
    Ok(())
}

/// Examines a ledger before it is used.
pub fn examine(ledger: &mut Ledger, order: &Order, section: &mut Section) -> Result<(), Failure> {
    let name = ledger.folder().display().to_string();
    let mut cross_check = CrossCheck::default();
    let mut ledger_audit = LedgerAudit { name, order, section, cross_check: &mut cross_check, last: None };
    ledger_audit.read(ledger)
}

/// A ledger being audited.
struct LedgerAudit<'a> {
    name: String,
    order: &'a Order,
    section: &'a mut Section,
    cross_check: &'a mut CrossCheck,
    /// Previous release.
    last: Option<ReleaseRow>,
}

impl LedgerAudit<'_> {
    fn read(&mut self, ledger: &mut Ledger) -> Result<(), Failure> {
        let ids = ledger.ceremonies()?;
        let mut head = FIRST;
        let mut linked = Ok(());
        let mut serials = totals::SerialSet::default();
        for (at, id) in ids.iter().enumerate() {
            let transcript = self.ceremony(ledger, *id, &mut serials)?;
            if linked.is_ok() && *id != at as i64 + 1 {
                linked = Err(format!("ceremony {} is missing: ceremony {id} is in its place", at + 1));
            }
            if linked.is_ok() && transcript.previous != head {
                linked = Err(format!(
                    "ceremony {id}: states {} as the head of the previous transcript, but that head is {head}",
                    transcript.previous
                ));
            }
            head = transcript.head;
            self.cross_check.add_transcript(transcript);
        }
        let count = ids.len();
        self.section.compared(
            "AUDIT-HISTORY",
            linked.map(|()| {
                format!("{count} ceremonies; each transcript begins with the head of the previous one; the last head is {head}")
            }),
        );
        self.section.note(format!("records after the last seal are not signed until the next release; until then, compare the head {head} with the paper"));
        self.section.compared("AUDIT-SERIALS", serials.check());
        self.section.compared("AUDIT-KEYS", keys::in_order(&ledger.keys()?));
        let inconsistency = ledger.inconsistency()?;
        let inconsistency = inconsistency.map(|(count, what)| format!("{what}: {count}"));
        self.section.compared(
            "AUDIT-LEDGER",
            inconsistency.map_or_else(
                || Ok("the database is intact, every row belongs to a ceremony, and the lookup tables of certified keys, places and renewals match the requests".to_owned()),
                Err,
            ),
        );
        self.missing(ledger)
    }

    /// Checks that releases are numbered without a gap.
    fn missing(&mut self, ledger: &Ledger) -> Result<(), Failure> {
        let last = ledger.last_release()?.map_or(0, |last| last.sequence);
        for number in 1..=last {
            if ledger.release_number(number)?.is_none() {
                self.section
                    .compared("AUDIT-SEQUENCE", Err(format!("release {number} of {last} is missing")));
                return Ok(());
            }
        }
        let all = match last {
            0 => "no release so far".to_owned(),
            1 => "release 1; none is missing".to_owned(),
            _ => format!("releases 1 to {last}; none is missing"),
        };
        self.section.compared("AUDIT-SEQUENCE", Ok(all));
        Ok(())
    }

    fn ceremony(
        &mut self,
        ledger: &mut Ledger,
        id: i64,
        serials: &mut totals::SerialSet,
    ) -> Result<TranscriptSource, Failure> {
        let what = format!("ceremony {id}");
        let row = ledger.ceremony(id)?;
        let mut reading = Reading::default();
        ledger.transcript::<ledger::Error>(id, &mut |line| {
            reading.line(line);
            Ok(())
        })?;
        if let Some(older) = reading.state.upgraded {
            let owned = owned(ledger, id)?;
            self.section.compared("AUDIT-CHAIN", upgraded(&row, &reading, owned, &what));
            self.section.note(format!(
                "{what}: is an upgrade: the ledger was copied from one of version {}, whose database had SHA-256 {}; compare that with the older ledger",
                older.from_version, older.database_sha256
            ));
            return Ok(TranscriptSource::of(self.name.clone(), Some(id), reading));
        }
        let (plan, wrong) = self.plan(&row, &reading);
        let cluster = plan.as_ref().map(|plan| plan.script().cluster.as_ref().map(IndexName::as_str));
        let wrong = wrong.or_else(|| {
            cluster
                .filter(|cluster| *cluster != row.cluster.as_deref())
                .map(|_| format!("{what}: the ledger's cluster is not the one that the script signs for"))
        });
        let rehearsal = ledger.is_rehearsal();
        let wrong = wrong.or_else(|| {
            let begun = reading.state.begin.as_ref().filter(|begin| begin.rehearsal != rehearsal)?;
            Some(format!(
                "{what}: rehearsal is {rehearsal} in the ledger, {} in the transcript",
                begun.rehearsal
            ))
        });
        transcript::claims(&reading, plan.as_ref(), wrong, &what, self.section);
        self.section.compared("AUDIT-END", ended(&row, &reading).map_err(|wrong| format!("{what}: {wrong}")));
        let keys = ledger.keys()?;
        self.section.compared("AUDIT-KEYS", keys::compare(&keys, &row, &reading, &what));
        let kept = ledger.indexes(id)?;
        if let Some(plan) = &plan {
            let about = |text| format!("{what}: {text}");
            let facts =
                reading.state.begin.as_ref().map(|begin| begin.indexes.as_slice()).unwrap_or_default();
            if let Err(wrong) = bundles::compare(&kept, facts, plan) {
                self.section.compared("AUDIT-REQUESTS", Err(about(wrong)));
            }
            if let Some(approved) = bundles::approved(&kept, facts, plan) {
                self.section.compared("AUDIT-APPROVALS", approved.map(about).map_err(about));
            }
            let order = self.order;
            let context = rows::Context { plan, keys: &keys, reading: &reading };
            rows::audit(ledger, &row, &context, (serials, order.processors), self.section)?;
            self.release(ledger, &row, plan, &keys, &reading)?;
            self.cross_check.add_plan(plan.clone());
        } else {
            serials.skip_rows();
        }
        Ok(TranscriptSource::of(self.name.clone(), Some(id), reading))
    }

    /// Returns the plan stored in the ledger, and any fault in it. A script is parsed only if its
    /// digest is the one that the transcript names.
    fn plan(&self, row: &CeremonyRow, reading: &Reading) -> (Option<Plan>, Option<String>) {
        match kept_plan(row, reading) {
            Ok((plan, setup)) => (Some(plan), setup.err()),
            Err(wrong) => (approved(reading, &self.order.plans).cloned(), Some(wrong)),
        }
    }

    fn release(
        &mut self,
        ledger: &mut Ledger,
        row: &CeremonyRow,
        plan: &Plan,
        keys: &[StoredKey],
        reading: &Reading,
    ) -> Result<(), Failure> {
        let what = format!("ceremony {}", row.id);
        let Some(release) = ledger.release(row.id)? else {
            if reading.state.sealed.signed.is_some() || (reading.seal.is_some() && row.done) {
                let text =
                    format!("{what}: its transcript was sealed for a release that the ledger does not have");
                self.section.compared("AUDIT-MANIFEST", Err(text));
            }
            return Ok(());
        };
        let head: Head = match serde_json::from_str(&release.head) {
            Ok(head) => head,
            Err(error) => {
                self.section.compared(
                    "AUDIT-MANIFEST",
                    Err(format!("{what}: the manifest's head is malformed: {error}")),
                );
                return Ok(());
            }
        };
        let about = |wrong| format!("{what}: {wrong}");
        if serde_json::to_string(&head).ok().as_ref() != Some(&release.head) {
            let wrong = "the manifest's head is not in keyrite's encoding".to_owned();
            self.section.compared("AUDIT-MANIFEST", Err(about(wrong)));
        }
        let whose = "the manifest";
        self.section.compared("AUDIT-SEAL", release::sealed(reading, &head, whose).map(about).map_err(about));
        self.section
            .compared("AUDIT-MANIFEST", release::same_facts(reading, &head).map(about).map_err(about));
        let again = manifest_again(ledger, row.id, &head, plan, self.order.processors);
        let again = again.map_err(|e| e.to_string());
        let same = again.and_then(|again| self.same_manifest(&release, &head, again, keys, reading));
        self.section.compared("AUDIT-SIGNATURE", same.map(about).map_err(about));
        release::anchored(&head, &self.order.roots, &what, self.section);
        self.cross_check.add_release(ReleaseSource::of(self.name.clone(), true, release.manifest, &head));
        self.last = Some(release);
        Ok(())
    }

    /// Checks that the rows yield the signed manifest and that a manifest key of the ledger signed it.
    fn same_manifest(
        &self,
        release: &ReleaseRow,
        head: &Head,
        again: Digest,
        keys: &[StoredKey],
        reading: &Reading,
    ) -> Result<String, String> {
        if again != release.manifest {
            return Err(format!(
                "the ledger's rows yield a manifest with SHA-256 {again}, but the signed one has {}",
                release.manifest
            ));
        }
        let signer = verify_manifest(&again, &release.signature).map_err(|e| e.0)?;
        let key = keys.iter().find(|key| {
            key.role == KeyRole::Manifest
                && key.certificate.as_ref().is_some_and(|own| own.der() == signer.der())
        });
        let key = key.ok_or("the manifest was signed by a key that the ledger does not have")?;
        let created = head.created.parse().map_err(|_| "the manifest's time is malformed".to_owned())?;
        let listed = manifest_keys(keys, release.ceremony, created);
        if !head.manifest_keys.is_empty() && head.manifest_keys != listed {
            return Err("the manifest lists manifest keys other than those in the ledger".into());
        }
        if head.signer.certificate_sha256 != signer.digest() {
            return Err("the manifest names a signer other than the one that signed it".into());
        }
        let same =
            |other: Release| (other.sequence, other.manifest_sha256) == (release.sequence, release.manifest);
        let sealed = reading.state.sealed;
        if sealed.signed.is_none() || ![sealed.signed, sealed.released].into_iter().flatten().all(same) {
            return Err(format!("the transcript has a release other than {}", release.sequence));
        }
        let previous = self.last.as_ref().map(|last| last.manifest);
        let next = self.last.as_ref().map_or(1, |last| last.sequence + 1);
        if head.previous_manifest_sha256 != previous || release.sequence != next || head.sequence != next {
            return Err(format!("release {} does not follow the previous release", release.sequence));
        }
        Ok(format!(
            "the ledger's rows yield exactly the manifest {again} that the key {} signed as release {}",
            key.name, release.sequence
        ))
    }
}

/// Returns the plan of a ceremony's row, and whether the rest of its setup matches the transcript.
fn kept_plan(row: &CeremonyRow, reading: &Reading) -> Result<(Plan, Result<(), String>), String> {
    let what = format!("ceremony {}", row.id);
    let begin = reading.state.begin.as_ref().ok_or_else(|| format!("{what}: no record begins it"))?;
    let setup = Setup::read(&row.setup).map_err(|e| format!("{what}: {e}"))?;
    let (kept, begun) = (setup.plan.digest(), begin.plan.sha256);
    if kept != begun {
        return Err(format!(
            "{what}: the ledger's plan {} has the digest {kept}, but people confirmed {begun}; the script was replaced",
            setup.plan.name()
        ));
    }
    let plan = setup.plan().map_err(|e| format!("{what}: the ledger's plan is malformed: {e}"))?;
    if serde_json::to_string(&setup).ok().as_ref() != Some(&row.setup) {
        return Err(format!("{what}: the ledger's plan is not in keyrite's encoding"));
    }
    let differs = setup.differs(begin);
    let same = differs.map_or(Ok(()), |name| {
        Err(format!("{what}: the ledger's {name} is not the one in the transcript's first record"))
    });
    Ok((plan, same))
}

/// Checks that the ledger and the transcript agree on whether the ceremony ended.
fn ended(row: &CeremonyRow, reading: &Reading) -> Result<String, String> {
    let (state, made) = (&reading.state, reading.state.made());
    if state.abandoned && !made.is_empty() {
        return Err(format!("it was abandoned although it had created something: {}", made.join(", ")));
    }
    match (row.done, state.ended, state.abandoned) {
        (true, true, _) => Ok(format!("ceremony {} was finished", row.id)),
        (true, false, true) => Ok(format!("ceremony {} was abandoned before it created anything", row.id)),
        (true, false, false) => {
            Err("the ledger says it is finished, but the transcript has no end record".into())
        }
        (false, true, _) | (false, _, true) => {
            Err("the transcript has an end record, but the ledger says it is not finished".into())
        }
        (false, false, _) => Ok(format!("ceremony {} is not finished; it can be resumed", row.id)),
    }
}

/// Returns what a ceremony has besides its transcript, if anything.
fn owned(ledger: &Ledger, id: i64) -> Result<Option<&'static str>, Failure> {
    let (before, last) = (ledger.before(id)?, ledger.last_row(id)?);
    let found = [
        ("a key", ledger.keys()?.iter().any(|key| key.ceremony == id)),
        ("a request", ledger.rows_after(Rows::All, before, 1)?.iter().any(|row| row.id <= last)),
        ("an index", !ledger.indexes(id)?.is_empty()),
        ("a release", ledger.release(id)?.is_some()),
    ];
    Ok(found.into_iter().find_map(|(what, found)| found.then_some(what)))
}

/// Checks that the record of an upgrade is all that its ceremony has, and carries the head of the older
/// ledger.
fn upgraded(row: &CeremonyRow, reading: &Reading, owned: Option<&str>, what: &str) -> Result<String, String> {
    let older = reading.state.upgraded.map(|older| older.head);
    if let Some(owned) = owned {
        return Err(format!("{what}: is an upgrade, but has {owned}"));
    }
    match &reading.broken {
        Some(broken) => Err(format!("{what}: {broken}")),
        None if older != reading.previous || reading.lines != 1 => {
            Err(format!("{what}: the record of an upgrade does not follow the older ledger"))
        }
        None if !row.done
            || !row.setup.is_empty()
            || row.cluster.is_some()
            || (row.approved, row.refused) != (0, 0) =>
        {
            Err(format!("{what}: has more than the record of an upgrade"))
        }
        None => Ok(format!("{what}: 1 record, which carries the head of the older ledger")),
    }
}
