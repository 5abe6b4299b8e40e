//! One ledger: every ceremony's transcript, rows, keys and release, held against one another. It
//! is not signed, but its transcripts are chained, and its manifests are.

mod rows;

use std::path::Path;

use super::history::{Chapter, History, Told};
use super::story::Story;
use super::{Error, Order, Section, release, transcript};
use crate::ceremony::{Plan, Setup, manifest_again};
use crate::digest::Digest;
use crate::ledger::{self, CeremonyRow, KeyRole, Ledger, ReleaseRow, StoredKey};
use crate::release::{FIRST, Head, verify_manifest};

/// Audits a ledger.
pub fn audit(path: &Path, order: &Order, section: &mut Section, history: &mut History) -> Result<(), Error> {
    let mut ledger = match Ledger::read(path, &order.scratch) {
        Ok(ledger) => ledger,
        Err(error @ ledger::Error::Refused(_)) => return Err(error.into()),
        Err(fault) => {
            section.compared("AUDIT-LEDGER", Err(fault.to_string()));
            return Ok(());
        }
    };
    if ledger.is_rehearsal() {
        section.note("a rehearsal's ledger: nothing in it counts");
    }
    let name = path.display().to_string();
    let mut book = Book { name, order, section, history, last: None, only_open: false };
    if let Err(error) = book.read(&mut ledger) {
        book.section.compared("AUDIT-LEDGER", Err(error.to_string()));
    }
    Ok(())
}

/// Examines a ledger that is about to be used.
pub fn examine(ledger: &mut Ledger, order: &Order, section: &mut Section) -> Result<(), Error> {
    let name = ledger.folder().display().to_string();
    let mut history = History::default();
    let mut book = Book { name, order, section, history: &mut history, last: None, only_open: true };
    book.read(ledger)
}

/// A ledger being audited.
struct Book<'a> {
    name: String,
    order: &'a Order,
    section: &'a mut Section,
    history: &'a mut History,
    /// The release before.
    last: Option<ReleaseRow>,
    /// Whether the rows of ceremonies that are done are left out.
    only_open: bool,
}

impl Book<'_> {
    fn read(&mut self, ledger: &mut Ledger) -> Result<(), Error> {
        let ids = ledger.ceremonies()?;
        let mut head = FIRST.to_owned();
        let mut linked = Ok(());
        let mut seen = rows::Serials::default();
        for (at, id) in ids.iter().enumerate() {
            let chapter = self.ceremony(ledger, *id, &mut seen)?;
            if linked.is_ok() && *id != at as i64 + 1 {
                linked = Err(format!("ceremony {} is missing: ceremony {id} stands in its place", at + 1));
            }
            if linked.is_ok() && chapter.previous != head {
                linked = Err(format!(
                    "ceremony {id}: carries {} as the head of the transcript before it, which is {head}",
                    chapter.previous
                ));
            }
            head.clone_from(&chapter.head);
            self.history.tell(chapter);
        }
        let count = ids.len();
        self.section.compared(
            "AUDIT-HISTORY",
            linked.map(|()| {
                format!("{count} ceremonies, each transcript begins with the head of the one before; the last has {head}")
            }),
        );
        self.section.note(format!("the records after the last seal are signed with the next release; until then compare the head {head} with the paper"));
        self.section.compared("AUDIT-SERIALS", seen.told());
        let strays = ledger.strays()?;
        self.section.compared(
            "AUDIT-LEDGER",
            match strays {
                0 => Ok("the database is intact, and every row belongs to a ceremony".to_owned()),
                _ => Err(format!("{strays} rows belong to no ceremony, request or certificate")),
            },
        );
        self.section.compared(
            "AUDIT-LEDGER",
            match ledger.lookups_amiss()? {
                0 => Ok("certified keys, places and renewals are looked up as the requests have them".to_owned()),
                amiss => Err(format!("{amiss} rows by which keys, places and renewals are looked up are not what the requests have")),
            },
        );
        self.missing(ledger)
    }

    /// Releases are numbered without a gap.
    fn missing(&mut self, ledger: &Ledger) -> Result<(), Error> {
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
            1 => "release 1, none is missing".to_owned(),
            _ => format!("releases 1 to {last}, none is missing"),
        };
        self.section.compared("AUDIT-SEQUENCE", Ok(all));
        Ok(())
    }

    fn ceremony(&mut self, ledger: &mut Ledger, id: i64, seen: &mut rows::Serials) -> Result<Chapter, Error> {
        let what = format!("ceremony {id}");
        let row = ledger.ceremony(id)?;
        let mut story = Story::default();
        ledger.transcript::<ledger::Error>(id, &mut |line| {
            story.line(line);
            Ok(())
        })?;
        let (plan, wrong) = self.plan(&row, &story);
        transcript::claims(&story, plan.as_ref(), wrong, &what, self.section);
        self.section.compared("AUDIT-END", ended(&row, &story).map_err(|wrong| format!("{what}: {wrong}")));
        let keys = ledger.keys()?;
        self.section.compared("AUDIT-KEYS", key_rows(&keys, id, &story, &what));
        if let Some(plan) = &plan {
            let order = self.order;
            let held = rows::Held { plan, keys: &keys, story: &story };
            if !(self.only_open && row.done) {
                rows::audit(ledger, &row, &held, (seen, order.processors), self.section)?;
            }
            self.release(ledger, &row, plan, &keys, &story)?;
            self.history.keep(plan.clone());
        }
        Ok(Chapter::of(self.name.clone(), Some(id), story))
    }

    /// The plan whose texts the ledger keeps, and what is wrong with it.
    fn plan(&self, row: &CeremonyRow, story: &Story) -> (Option<Plan>, Option<String>) {
        let begun = story.begin.as_ref().map(|begin| begin.plan.sha256);
        let kept = serde_json::from_str::<Setup>(&row.plan).map_err(|e| e.to_string());
        let kept = kept.and_then(|Setup { plan, hsm, .. }| {
            Ok((Plan::from_files(plan).map_err(|e| e.to_string())?, Digest::of(hsm.as_bytes())))
        });
        match kept {
            Ok((plan, hsm)) if begun.is_none_or(|begun| begun == plan.digest()) => {
                let used = story.begin.as_ref().map(|begin| begin.hsm_profile.sha256);
                let wrong = used.filter(|used| *used != hsm).map(|used| {
                    format!("ceremony {}: the ledger's HSM profile has SHA-256 {hsm}, the transcript tells {used}", row.id)
                });
                (Some(plan), wrong)
            }
            Ok((plan, _)) => {
                let given = transcript::approved(story, &self.order.plans).cloned();
                let begun = begun.map(|digest| digest.to_string()).unwrap_or_default();
                let wrong = format!(
                    "ceremony {}: the ledger's plan {} has the digest {}, people confirmed {begun}; the script was exchanged",
                    row.id,
                    plan.name(),
                    plan.digest()
                );
                (given, Some(wrong))
            }
            Err(error) => {
                let given = transcript::approved(story, &self.order.plans).cloned();
                (given, Some(format!("ceremony {}: the ledger's plan is none: {error}", row.id)))
            }
        }
    }

    fn release(
        &mut self,
        ledger: &mut Ledger,
        row: &CeremonyRow,
        plan: &Plan,
        keys: &[StoredKey],
        story: &Story,
    ) -> Result<(), Error> {
        let what = format!("ceremony {}", row.id);
        let Some(release) = ledger.release(row.id)? else {
            if story.seal.is_some() && row.done {
                let text =
                    format!("{what}: its transcript was sealed for a release that the ledger does not have");
                self.section.compared("AUDIT-MANIFEST", Err(text));
            }
            return Ok(());
        };
        let head: Head = match serde_json::from_str(&release.head) {
            Ok(head) => head,
            Err(error) => {
                self.section
                    .compared("AUDIT-MANIFEST", Err(format!("{what}: the manifest's head is none: {error}")));
                return Ok(());
            }
        };
        let told = |wrong| format!("{what}: {wrong}");
        let whose = "the manifest";
        self.section.compared("AUDIT-SEAL", release::sealed(story, &head, whose).map(told).map_err(told));
        self.section.compared("AUDIT-MANIFEST", release::same_facts(story, &head).map(told).map_err(told));
        let again = match self.only_open && row.done {
            true => Ok(release.manifest),
            false => manifest_again(ledger, row.id, &head, plan, self.order.processors),
        };
        let again = again.map_err(|e| e.to_string());
        let same = again.and_then(|again| self.same_manifest(&release, &head, again, keys, story));
        self.section.compared("AUDIT-SIGNATURE", same.map(told).map_err(told));
        release::anchored(&head, &self.order.roots, &what, self.section);
        self.history.release(Told::of(self.name.clone(), true, release.manifest, &head));
        self.last = Some(release);
        Ok(())
    }

    /// The rows give the manifest that was signed, by a manifest key of the ledger.
    fn same_manifest(
        &self,
        release: &ReleaseRow,
        head: &Head,
        again: Digest,
        keys: &[StoredKey],
        story: &Story,
    ) -> Result<String, String> {
        if again != release.manifest {
            return Err(format!(
                "the ledger's rows give a manifest with SHA-256 {again}, the one that was signed has {}",
                release.manifest
            ));
        }
        let signer = verify_manifest(&again, &release.signature).map_err(|e| e.0)?;
        let key = keys.iter().find(|key| {
            key.role == KeyRole::Manifest
                && key.certificate.as_ref().is_some_and(|own| own.der() == signer.der())
        });
        let key = key.ok_or("the manifest was signed by a key that the ledger does not have")?;
        if head.signer.certificate_sha256 != signer.digest() {
            return Err("the manifest names another signer than the one that signed it".into());
        }
        if story.released.is_some_and(|told| told != (release.sequence, release.manifest)) {
            return Err(format!("the transcript tells another release than {}", release.sequence));
        }
        let previous = self.last.as_ref().map(|last| last.manifest);
        let next = self.last.as_ref().map_or(1, |last| last.sequence + 1);
        if head.previous_manifest_sha256 != previous || release.sequence != next || head.sequence != next {
            return Err(format!("release {} does not follow the release before it", release.sequence));
        }
        Ok(format!(
            "the ledger's rows give the very manifest {again} that the key {} signed as release {}",
            key.name, release.sequence
        ))
    }
}

/// What the ledger says of the ceremony's end is what the transcript says.
fn ended(row: &CeremonyRow, story: &Story) -> Result<String, String> {
    match (row.done, story.ended, story.abandoned) {
        (true, true, _) => Ok(format!("ceremony {} was finished", row.id)),
        (true, false, true) => Ok(format!("ceremony {} was given up before anything was made", row.id)),
        (true, false, false) => Err("the ledger says it is done, the transcript has no end".into()),
        (false, true, _) => Err("the transcript has its end, the ledger says it is not done".into()),
        (false, false, _) => Ok(format!("ceremony {} is not finished: it waits to be resumed", row.id)),
    }
}

/// The keys of a ceremony and their certificates, in ledger and transcript.
fn key_rows(keys: &[StoredKey], id: i64, story: &Story, what: &str) -> Result<String, String> {
    let own: Vec<&StoredKey> = keys.iter().filter(|key| key.ceremony == id).collect();
    for key in &own {
        let Some(certificate) = &key.certificate else { continue };
        let told = story.keys.iter().find(|told| told.name == key.name);
        if told.is_none_or(|told| told.sha256 != certificate.digest() || told.role != key.role.as_str()) {
            return Err(format!(
                "{what}: the ledger's certificate of {} has SHA-256 {}, the transcript tells {}",
                key.name,
                certificate.digest(),
                told.map_or_else(|| "none".into(), |told| told.sha256.to_string())
            ));
        }
        let issuer =
            keys.iter().find(|issuer| issuer.name == key.issuer).and_then(|key| key.certificate.as_ref());
        let issuer = issuer.ok_or_else(|| {
            format!("{what}: {} is under {}, which the ledger does not have", key.name, key.issuer)
        })?;
        certificate
            .verify_by(issuer.key())
            .map_err(|e| format!("{what}: {} under {}: {e}", key.name, key.issuer))?;
    }
    match story.keys.iter().find(|told| !own.iter().any(|key| key.name == told.name)) {
        Some(told) => {
            Err(format!("{what}: the transcript tells of {}, which the ledger does not have", told.name))
        }
        None => {
            Ok(format!("{what}: {} keys made, with the certificates that the transcript tells", own.len()))
        }
    }
}
