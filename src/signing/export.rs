//! The export of a release, reproducible from the ledger alone.
//!
//! Input: the rows of a ceremony and the manifest's head. Output: identical manifest, certificates and
//! transcript each time. That allows an interrupted release to be finished, a lost one to be reissued and a
//! ledger to be audited.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use der::DateTime;

use super::{Progress, approval};
use crate::digest::{Digest, Hasher};
use crate::failure::Failure;
use crate::issuance::Certificate;
use crate::ledger::{CeremonyRow, Ledger, ReleaseRow, Row, Rows, StoredKey};
use crate::media::{Error as MediaError, Output, RelativePath, spool};
use crate::parallel;
use crate::policy::{Approval, Policy};
use crate::record::{Event, KeyRole, Record};
use crate::release::{
    Authorities, Head, KeyEntry, Leaf, MANIFEST, ManifestKeyEntry, ManifestWriter, RefusalEntry, SIGNATURE,
    TRANSCRIPT, compose_authorities, compose_leaf, entry, verify_manifest,
};

/// An unnamed temporary file, for contents that are too large for memory.
#[derive(Debug)]
struct Spool {
    file: File,
    size: u64,
    digest: Digest,
}

/// The release of a ceremony, in its ledger.
pub struct Export<'a> {
    pub ledger: &'a mut Ledger,
    pub policy: &'a Policy,
    pub ceremony: i64,
    /// Certificates of the authorities by name, if each signature is to be verified again.
    pub issuers: Option<&'a BTreeMap<String, Certificate>>,
    /// Number of encoding threads.
    pub processors: usize,
}

impl Export<'_> {
    /// Writes the manifest; `each` receives every certificate before its entry is written. Returns the number of
    /// certificates.
    pub fn manifest<W: Write>(
        &mut self,
        head: &Head,
        to: W,
        each: &mut dyn FnMut(&[Leaf]) -> Result<(), Failure>,
    ) -> Result<(W, usize), Failure> {
        let mut manifest = ManifestWriter::new(to, head)?;
        let (ceremony, policy, issuers) = (self.ceremony, self.policy, self.issuers);
        let ledger = &mut *self.ledger;
        let source =
            |give: &mut dyn FnMut(Vec<Row>) -> Result<(), Failure>| ledger.rows(Rows::Issued, ceremony, give);
        let mut count = 0;
        parallel::ordered(
            self.processors,
            source,
            |group| compose(policy, issuers, group),
            |leaves| {
                let leaves = leaves?;
                each(&leaves)?;
                count += leaves.len();
                Ok(leaves.iter().try_for_each(|leaf| manifest.certificate(&leaf.entry))?)
            },
        )?;
        self.ledger.rows(Rows::Refused, ceremony, &mut |group| {
            group.iter().try_for_each(|row| {
                let (request_path, request_sha256) = (row.request_path()?, row.request()?);
                let refusal = RefusalEntry { request_path, request_sha256, reasons: row.reasons()? };
                Ok::<_, Failure>(manifest.refusal(&entry(&refusal)?)?)
            })
        })?;
        Ok((manifest.finish()?, count))
    }
}

/// Returns the authorities in the release of this ceremony.
pub fn authorities(ledger: &Ledger, ceremony: i64) -> Result<Authorities, Failure> {
    let mut keys = Vec::new();
    let keys_so_far = ledger.keys()?.into_iter().filter(|key| key.ceremony <= ceremony);
    for key in keys_so_far.filter(|key| key.role == KeyRole::Authority) {
        let Some(certificate) = key.certificate else { continue };
        keys.push(KeyEntry { name: key.name, issuer: key.issuer, profile: key.profile, certificate });
    }
    Ok(compose_authorities(&keys)?)
}

/// Returns the keys that may sign the ledger's releases as of this ceremony and time.
pub fn manifest_keys(keys: &[StoredKey], ceremony: i64, created: DateTime) -> Vec<ManifestKeyEntry> {
    let entry = |key: &StoredKey| {
        let certificate = key.certificate.as_ref()?;
        let validity = certificate.validity();
        let valid = created >= validity.not_before && created <= validity.not_after;
        let signs = valid && key.role == KeyRole::Manifest && key.ceremony <= ceremony;
        signs.then(|| ManifestKeyEntry { name: key.name.clone(), certificate_sha256: certificate.digest() })
    };
    keys.iter().filter_map(entry).collect()
}

/// Returns the head of a release in the ledger, after verifying that a manifest key of the ledger signed its
/// manifest and that it refers to the previous release.
pub fn check_seal(ledger: &Ledger, release: &ReleaseRow) -> Result<Head, Failure> {
    let wrong = |why: String| {
        Failure::fault(format!("ledger: release {}: {why}; the ledger was modified", release.sequence))
    };
    let head: Head = serde_json::from_str(&release.head).map_err(|e| wrong(e.to_string()))?;
    let signer = verify_manifest(&release.manifest, &release.signature).map_err(|e| wrong(e.0))?;
    let signed = |key: &StoredKey| {
        key.role == KeyRole::Manifest && key.certificate.as_ref().is_some_and(|own| own.der() == signer.der())
    };
    if !ledger.keys()?.iter().any(signed) {
        return Err(wrong("the manifest was signed by a key that the ledger does not have".into()));
    }
    let before = ledger.release_number(release.sequence.saturating_sub(1))?.map(|before| before.manifest);
    if head.sequence == release.sequence && head.previous_manifest_sha256 == before {
        Ok(head)
    } else {
        Err(wrong("does not follow the previous release".into()))
    }
}

/// Returns the transcript up to the seal, which is what the manifest's head refers to.
fn transcript_until(ledger: &Ledger, ceremony: i64, digest: Digest) -> Result<Spool, Failure> {
    let file = spool(ledger.folder())?;
    let mut to = BufWriter::with_capacity(1 << 18, &file);
    let (mut hasher, mut size, mut found) = (Hasher::default(), 0, false);
    ledger.transcript::<Failure>(ceremony, &mut |line| {
        if found {
            return Ok(());
        }
        hasher.update(line.as_bytes());
        hasher.update(b"\n");
        to.write_all(line.as_bytes()).and_then(|()| to.write_all(b"\n")).map_err(spooling)?;
        size += line.len() as u64 + 1;
        found = hasher.clone().finish() == digest && is_seal(line);
        Ok(())
    })?;
    to.flush().map_err(spooling)?;
    drop(to);
    if found {
        Ok(Spool { file, size, digest })
    } else {
        Err(Failure::fault("ledger: the transcript differs from the sealed one"))
    }
}

fn is_seal(line: &str) -> bool {
    Record::read(line).is_ok_and(|record| matches!(record.event, Event::Seal(_)))
}

fn compose(
    policy: &Policy,
    issuers: Option<&BTreeMap<String, Certificate>>,
    group: Vec<Row>,
) -> Result<Vec<Leaf>, Failure> {
    let leaf = |row: &Row| {
        let approval = approval(policy, row)?;
        let missing = || Failure::fault(format!("ledger: {}: no certificate", approval.path()));
        let reserved = row.reserved.as_ref().ok_or_else(missing)?;
        let signature = reserved.signature.as_ref().ok_or_else(missing)?;
        if let Some(issuers) = issuers {
            check_signature(issuers, &approval, &reserved.tbs, signature)?;
        }
        Ok(compose_leaf(&approval, &reserved.tbs, signature)?)
    };
    group.iter().map(leaf).collect()
}

fn check_signature(
    issuers: &BTreeMap<String, Certificate>,
    approval: &Approval,
    tbs: &[u8],
    signature: &[u8],
) -> Result<(), Failure> {
    let (path, name) = (approval.path(), approval.authority());
    let wrong = |why| {
        Failure::fault(format!(
            "ledger: {path}: its certificate under {name}: {why}; the ledger was modified"
        ))
    };
    let issuer = issuers.get(name).ok_or_else(|| wrong("the ledger has no such authority".into()))?;
    let certificate = Certificate::from_parts(tbs, signature).map_err(|e| wrong(e.to_string()))?;
    certificate.verify_by(issuer.key()).map_err(|e| wrong(e.to_string()))
}

/// A release that is on the medium except for transcript, manifest and signature.
pub struct Written {
    output: Output,
    manifest: Spool,
    out: PathBuf,
}

impl Export<'_> {
    /// Writes authorities and certificates to the medium, and the manifest to an unnamed file.
    pub fn write(
        &mut self,
        head: &Head,
        out: &Path,
        report: &mut dyn FnMut(&Progress) -> Result<(), Failure>,
    ) -> Result<Written, Failure> {
        let created: DateTime = head
            .created
            .parse()
            .map_err(|_| Failure::fault(format!("ledger: {:?} is not a time", head.created)))?;
        let mut output = Output::open(out, created.unix_duration().as_secs()).map_err(as_fault)?;
        for (path, octets) in &authorities(self.ledger, self.ceremony)?.files {
            output.put(path, octets).map_err(as_fault)?;
        }
        let CeremonyRow { approved, refused, .. } = self.ledger.ceremony(self.ceremony)?;
        let mut progress = Progress { doing: "written", done: 0, all: Some(approved), refused };
        let folder = self.ledger.folder().to_owned();
        let manifest = spooled(&folder, |to| {
            let each = &mut |leaves: &[Leaf]| {
                for leaf in leaves {
                    output.put(&leaf.path, leaf.pem.as_bytes()).map_err(as_fault)?;
                }
                progress.done += leaves.len();
                report(&progress)
            };
            self.manifest(head, to, each).map(|_| ())
        })?;
        if progress.done != approved {
            return Err(Failure::fault(format!(
                "ledger: {} certificates are issued, {approved} requests are approved",
                progress.done
            )));
        }
        output.sync().map_err(as_fault)?;
        Ok(Written { output, manifest, out: out.to_owned() })
    }
}

impl Written {
    pub fn manifest(&self) -> Digest {
        self.manifest.digest
    }

    /// Writes the rest of a release whose manifest is signed. The signature is the last file.
    pub fn finish(mut self, ledger: &mut Ledger, head: &Head, release: &ReleaseRow) -> Result<(), Failure> {
        if release.manifest != self.manifest.digest {
            return Err(Failure::fault(format!(
                "ledger: its rows yield a manifest with SHA-256 {}, but the signed one has {}; the ledger was modified, and {} is not a release",
                self.manifest.digest,
                release.manifest,
                self.out.display()
            )));
        }
        let transcript = transcript_until(ledger, release.ceremony, head.transcript.sha256)?;
        self.put_last(&transcript, &release.signature).map_err(as_fault)?;
        // Meanwhile the last full pieces of a tar are being written to the device.
        ledger.checkpoint();
        self.output.finish().map_err(as_fault)
    }

    fn put_last(&mut self, transcript: &Spool, signature: &[u8]) -> Result<(), MediaError> {
        let Self { output, manifest, .. } = self;
        output.put_file(&RelativePath::new(TRANSCRIPT)?, &transcript.file, transcript.size)?;
        output.put_file(&RelativePath::new(MANIFEST)?, &manifest.file, manifest.size)?;
        output.put(&RelativePath::new(SIGNATURE)?, signature)
    }
}

/// Writes a manifest to an unnamed file in this folder.
fn spooled(
    folder: &Path,
    write: impl FnOnce(&mut Hashed<BufWriter<&File>>) -> Result<(), Failure>,
) -> Result<Spool, Failure> {
    let file = spool(folder)?;
    let mut hashed = Hashed::new(BufWriter::with_capacity(1 << 18, &file));
    write(&mut hashed)?;
    hashed.flush().map_err(spooling)?;
    let (digest, size) = hashed.finish();
    Ok(Spool { file, size, digest })
}

/// A writer that hashes and counts octets.
#[derive(Debug)]
pub struct Hashed<W> {
    to: W,
    hasher: Hasher,
    size: u64,
}

impl<W> Hashed<W> {
    pub fn new(to: W) -> Self {
        Self { to, hasher: Hasher::default(), size: 0 }
    }

    /// Returns digest and number of octets.
    pub fn finish(self) -> (Digest, u64) {
        (self.hasher.finish(), self.size)
    }
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        let written = self.to.write(octets)?;
        self.hasher.update(octets.split_at(written).0);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.to.flush()
    }
}

fn spooling(error: std::io::Error) -> Failure {
    Failure::fault(format!("temporary file in the ledger's folder: {error}"))
}

/// At this stage everything is signed: a refusal of the medium is a fault from which to resume.
fn as_fault(error: MediaError) -> Failure {
    Failure::fault(error.to_string())
}

/// Checks that a release can be written here: the path is free and outside the ledger's folder, if known.
pub fn check_out(out: &Path, ledger: Option<&Path>) -> Result<(), Failure> {
    if let Some(ledger) = ledger {
        Ledger::check_outside(ledger, out)?;
    }
    Output::check_free(out).map_err(|e| match e {
        MediaError::Refused(message) => Failure::usage(message),
        other => other.into(),
    })
}
