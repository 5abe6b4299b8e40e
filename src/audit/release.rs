//! One release: the checks of `verify`, and its manifest compared with its transcript.

use std::hash::{BuildHasher, RandomState};
use std::path::Path;

use super::certificates::Runs;
use super::cross_check::{CrossCheck, ReleaseSource, TranscriptSource};
use super::reading::{Reading, approved};
use super::{Order, Section, transcript};
use crate::digest::{Digest, Hasher};
use crate::failure::Failure;
use crate::media::{self, RelativePath, Tree};
use crate::record::{KeyRole, Refusals};
use crate::release::{
    self, CertificateEntry, Head, LIMITS, MANIFEST, ManifestKind, Reader, RefusalEntry, Root, TRANSCRIPT,
    Trust,
};

/// Audits a release.
pub fn audit(
    path: &Path,
    order: &Order,
    section: &mut Section,
    cross_check: &mut CrossCheck,
) -> Result<(), Failure> {
    let name = path.display().to_string();
    let Some(tree) = open(path, section)? else { return Ok(()) };
    let reading = match member(&tree, TRANSCRIPT) {
        Ok(member) => Reading::of(member).map_err(|e| Failure::fault(format!("{name}: {e}")))?,
        Err(wrong) => {
            section.compared("AUDIT-RELEASE", Err(wrong));
            return Ok(());
        }
    };
    let mut manifest = Manifest::new(&reading, cross_check.hasher());
    match read(&tree, &mut manifest) {
        Ok(digest) => manifest.digest = Some(digest),
        Err(wrong) => section.compared("AUDIT-RELEASE", Err(wrong)),
    }
    let plan = approved(&reading, &order.plans).or_else(|| cross_check.plan(&reading));
    transcript::claims(&reading, plan, None, "the transcript", section);
    if let Some(head) = manifest.head.take() {
        verified(path, &head, order, section)?;
        anchored(&head, &order.roots, "the release", section);
        section.compared("AUDIT-SEAL", sealed(&reading, &head, "the manifest"));
        section.compared("AUDIT-MANIFEST", same_facts(&reading, &head));
        manifest.close(&head, section, cross_check, &name);
    }
    cross_check.add_transcript(TranscriptSource::of_release(name, reading));
    Ok(())
}

fn open(path: &Path, section: &mut Section) -> Result<Option<Tree>, Failure> {
    match Tree::open(path, LIMITS) {
        Ok(tree) => Ok(Some(tree)),
        Err(media::Error::Refused(message)) => {
            section.compared("AUDIT-RELEASE", Err(message));
            Ok(None)
        }
        Err(fault) => Err(Failure::fault(fault.to_string())),
    }
}

fn member(tree: &Tree, name: &str) -> Result<media::Member, String> {
    let path = RelativePath::new(name).map_err(|e| e.to_string())?;
    tree.member(&path).map(|(member, _)| member).map_err(|e| e.to_string())
}

fn read(tree: &Tree, manifest: &mut Manifest<'_>) -> Result<Digest, String> {
    let mut hashed = Tee { from: member(tree, MANIFEST)?, hasher: Hasher::default() };
    release::read(&mut hashed, manifest).map_err(|e| e.0)?;
    std::io::copy(&mut hashed, &mut std::io::sink()).map_err(|e| e.to_string())?;
    Ok(hashed.hasher.finish())
}

/// Hashes the octets that are read through it.
struct Tee {
    from: media::Member,
    hasher: Hasher,
}

impl std::io::Read for Tee {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.from.read(buffer)?;
        self.hasher.update(buffer.split_at(read).0);
        Ok(read)
    }
}

/// Performs all checks of `verify` under the root that the release itself names.
fn verified(path: &Path, head: &Head, order: &Order, section: &mut Section) -> Result<(), Failure> {
    let Some(tree) = open(path, section)? else { return Ok(()) };
    let result = match own_root(head) {
        Some((_, root)) => {
            // AUDIT-ROOT and AUDIT-SIGNER say whether both can be trusted.
            let trust =
                Trust { root: Root::Sha256(root), manifest_key: Some(head.signer.certificate_sha256) };
            release::verify(&tree, &trust, order.processors, &|_| false).map_err(|e| e.0)
        }
        None => Err("its manifest names no root above its signer".to_owned()),
    };
    match result.as_ref().map(|report| (&report.manifest_key, &report.root)) {
        Ok((key, _)) if key.bound => section.compared(
            "AUDIT-SIGNER",
            Ok(format!(
                "the manifest key, SHA-256 {}, and every authority between the root and it assert the certificate policy of manifest keys",
                key.certificate_sha256
            )),
        ),
        Ok((key, root)) if key.issuer != *root => section.compared(
            "AUDIT-SIGNER",
            Err(format!(
                "the manifest key, SHA-256 {}, is under {} and not bound by the certificate policy of manifest keys: anybody with a key below {root} could have made it",
                key.certificate_sha256, key.issuer
            )),
        ),
        Ok((key, _)) => section.unknown(
            "AUDIT-SIGNER",
            format!(
                "the manifest key under {}, SHA-256 {}, is not bound by the certificate policy of manifest keys: compare it with the paper of the ceremony that made it",
                key.issuer, key.certificate_sha256
            ),
        ),
        Err(_) => {}
    }
    section.compared(
        "AUDIT-RELEASE",
        result.map(|report| {
            format!(
                "every file is the one that the manifest lists, the manifest's signature and every certificate verify: {} certificates, {} refusals, manifest SHA-256 {}",
                report.certificates, report.refusals, report.manifest_sha256
            )
        }),
    );
    Ok(())
}

/// Returns name and fingerprint of the root above the manifest's signer.
fn own_root(head: &Head) -> Option<(&str, Digest)> {
    let mut name = head.signer.authority.as_str();
    for _ in 0..=head.authorities.len() {
        let entry = head.authorities.iter().find(|entry| entry.name == name)?;
        if entry.issuer == entry.name {
            return Some((&entry.name, entry.sha256));
        }
        name = &entry.issuer;
    }
    None
}

/// Checks that the root is one that the auditor trusts.
pub fn anchored(head: &Head, roots: &[Digest], what: &str, section: &mut Section) {
    let Some((name, own)) = own_root(head) else { return };
    if roots.is_empty() {
        return section.unknown(
            "AUDIT-ROOT",
            format!("{what}: whether the root {name} with SHA-256 {own} is the one you trust; compare it with the paper, or name yours with --root"),
        );
    }
    let listed = || roots.iter().map(Digest::to_string).collect::<Vec<_>>().join(" or ");
    section.compared(
        "AUDIT-ROOT",
        if roots.contains(&own) {
            Ok(format!("{what}: chains to the root you trust, {name} with SHA-256 {own}"))
        } else {
            Err(format!(
                "{what}: chains to the root {name} with SHA-256 {own}, but the root you trust has {}",
                listed()
            ))
        },
    );
}

/// Checks that the manifest states the transcript's head.
pub fn sealed(reading: &Reading, head: &Head, whose: &str) -> Result<String, String> {
    let entry = &head.transcript;
    let Some(seal) = &reading.seal else { return Err("the transcript was never sealed".into()) };
    if seal.file != entry.sha256 || seal.head != entry.head {
        return Err(format!(
            "the transcript has the head {} and SHA-256 {} at its seal, {whose} states {} and {}",
            seal.head, seal.file, entry.head, entry.sha256
        ));
    }
    if seal.sequence != head.sequence {
        return Err(format!(
            "the transcript was sealed for release {}, {whose} is of release {}",
            seal.sequence, head.sequence
        ));
    }
    Ok(format!("the transcript's head {} is in {whose} of release {}", entry.head, head.sequence))
}

/// Checks that manifest and transcript agree on plan, program, bundle, token, kind and authorities.
pub fn same_facts(reading: &Reading, head: &Head) -> Result<String, String> {
    let Some(begin) = &reading.state.begin else { return Err("the transcript has no beginning".into()) };
    let differ = |what: &str, manifest: String, transcript: String| {
        Err(format!("{what}: the manifest says {manifest}, the transcript {transcript}"))
    };
    let bundle =
        |bundle: Option<Digest>| bundle.map_or_else(|| "none".to_owned(), |digest| digest.to_string());
    if head.plan.sha256 != begin.plan.sha256 {
        return differ("plan digest", head.plan.sha256.to_string(), begin.plan.sha256.to_string());
    }
    if head.bundle_sha256 != begin.bundle_sha256
        || reading.state.imported.is_some_and(|d| Some(d) != head.bundle_sha256)
    {
        return differ("bundle digest", bundle(head.bundle_sha256), bundle(begin.bundle_sha256));
    }
    if (head.kind == ManifestKind::Rehearsal) != begin.rehearsal {
        return differ("rehearsal", (!begin.rehearsal).to_string(), begin.rehearsal.to_string());
    }
    if head.unattended != reading.state.unattended {
        return differ("unattended", head.unattended.to_string(), reading.state.unattended.to_string());
    }
    for key in reading.state.certificates().filter(|key| key.role == KeyRole::Authority) {
        let listed = head.authorities.iter().find(|entry| entry.name == key.name);
        if listed.is_none_or(|entry| entry.sha256 != key.sha256 || entry.serial != key.serial) {
            return differ(
                &format!("authority {}", key.name),
                "another certificate".into(),
                key.sha256.to_string(),
            );
        }
    }
    if reading.token() != Some(&head.token.serial) {
        return differ("token", head.token.serial.clone(), reading.token().unwrap_or_default().to_owned());
    }
    let program = reading.tool.as_ref().map(|tool| format!("{} {}", tool.version, tool.sha256));
    let sealed_by = format!("{} {}", head.tool.version, head.tool.sha256);
    if program.as_ref() != Some(&sealed_by) {
        return differ("program", sealed_by, program.unwrap_or_default());
    }
    Ok(format!(
        "manifest and transcript agree on plan {}, bundle {}, token {:?}, program {} and every authority made",
        head.plan.sha256,
        bundle(head.bundle_sha256),
        head.token.serial,
        head.tool.sha256
    ))
}

/// Compares the lists of a manifest with the transcript as they are read.
struct Manifest<'s> {
    reading: &'s Reading,
    head: Option<Head>,
    digest: Option<Digest>,
    runs: Runs<'s>,
    refusals: Refusals,
    /// Hashes of ledger, authority and serial number.
    serials: Vec<u64>,
    hasher: RandomState,
}

impl<'s> Manifest<'s> {
    fn new(reading: &'s Reading, hasher: RandomState) -> Self {
        Self {
            reading,
            head: None,
            digest: None,
            runs: Runs::new(&reading.runs),
            refusals: Refusals::default(),
            serials: Vec::new(),
            hasher,
        }
    }

    fn close(self, head: &Head, section: &mut Section, cross_check: &mut CrossCheck, name: &str) {
        let Self { reading, digest, runs, refusals, serials, .. } = self;
        let Some(digest) = digest else { return };
        let count = runs.count();
        section.compared("AUDIT-CERTIFICATES", issued(runs.finish(), reading, count, "the manifest"));
        section.compared("AUDIT-REFUSALS", refused(&refusals, reading, "the manifest"));
        if cross_check.add_release(ReleaseSource::of(name.to_owned(), false, digest, head)) {
            cross_check.add_serials(&serials);
        }
    }
}

/// Checks that `whose` has the certificates of the transcript.
pub fn issued(
    runs: Result<u64, String>,
    reading: &Reading,
    count: u64,
    whose: &str,
) -> Result<String, String> {
    runs.map_err(|wrong| format!("{whose}: {wrong}"))?;
    let recorded =
        reading.state.issued.or(reading.state.reviewed.map(|review| review.approved)).unwrap_or_default();
    if recorded == count {
        Ok(format!("{whose} has the {count} certificates of the transcript, in its order and no other"))
    } else {
        Err(format!("{whose} has {count} certificates, the transcript has {recorded}"))
    }
}

/// Checks that `whose` has the refusals of the transcript.
pub fn refused(found: &Refusals, reading: &Reading, whose: &str) -> Result<String, String> {
    let recorded = &reading.state.refusals;
    if found.count() == recorded.count() && found.digest() == recorded.digest() {
        return Ok(format!(
            "{whose} has the {} refusals of the transcript, with the same reasons",
            found.count()
        ));
    }
    Err(format!(
        "{whose} has {} refusals with the list digest {}, the transcript has {} with the list digest {}",
        found.count(),
        found.digest(),
        recorded.count(),
        recorded.digest()
    ))
}

impl Reader for Manifest<'_> {
    fn head(&mut self, head: Head) -> Result<(), release::Error> {
        self.head = Some(head);
        Ok(())
    }

    fn certificate(&mut self, entry: CertificateEntry) -> Result<(), release::Error> {
        self.runs.take(&entry.serial, &entry.sha256);
        let ledger = self.head.as_ref().and_then(|head| head.authorities.first());
        let ledger = ledger.map(|authority| authority.sha256);
        self.serials.push(self.hasher.hash_one((ledger, &entry.authority, &entry.serial)));
        Ok(())
    }

    fn refusal(&mut self, entry: RefusalEntry) -> Result<(), release::Error> {
        self.refusals.take(entry.request_path.as_str(), &entry.request_sha256, &entry.reasons);
        Ok(())
    }
}
