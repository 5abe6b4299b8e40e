//! The release: the manifest's head, digest and signature are in the ledger before the manifest
//! goes out, so that an interrupted release is finished with the very same octets.

use std::fs::File;
use std::io::{BufWriter, Write};

use der::DateTime;
use serde_json::json;

use super::conductor::Conductor;
use super::import::reasons;
use super::{Error, Progress, lane};
use crate::digest::{Digest, Hasher};
use crate::ledger::{Issued, KeyRole, Ledger, ReleaseRow};
use crate::media::{Output, RelativePath, spool};
use crate::parallel;
use crate::policy::Policy;
use crate::release::{
    Authorities, FORMAT, Head, KeyEntry, Leaf, MANIFEST, ManifestKind, ManifestWriter, Plan, Record,
    RefusalEntry, SIGNATURE, Signer, TRANSCRIPT, TokenEntry, Tool, TranscriptEntry, compose_authorities,
    compose_leaf, entry, sign_manifest,
};

/// Certificates that one thread encodes at a time.
const GROUP: usize = 64;

/// A file that is too large to be held, without a name: it is gone with the program.
struct Spool {
    file: File,
    size: u64,
    digest: Digest,
}

impl Conductor<'_> {
    pub(super) fn publish(&mut self, manifest_key: &str) -> Result<(), Error> {
        let Some(out) = self.setup.out.clone() else {
            return Err(Error::Fault("the ledger names no place for the release".into()));
        };
        let authorities = self.authorities()?;
        let sealed = self.ledger.release(self.id)?;
        let head = match &sealed {
            Some(release) => serde_json::from_str(&release.head).map_err(|e| Error::Fault(e.to_string()))?,
            None => self.head(manifest_key, &authorities)?,
        };
        let mut output = Output::open(&out, seconds(&head.created)?).map_err(as_fault)?;
        for (path, octets) in &authorities.files {
            output.put(path, octets).map_err(as_fault)?;
        }
        let manifest = self.write_certificates(&head, &mut output)?;
        output.sync().map_err(as_fault)?;
        let release = match sealed {
            Some(release) => release,
            None => self.seal(manifest_key, &head, manifest.digest)?,
        };
        if release.manifest != manifest.digest {
            return Err(Error::Fault(format!(
                "ledger: its rows give a manifest with SHA-256 {}, the one that was signed has {}; it was changed",
                manifest.digest, release.manifest
            )));
        }
        let transcript = self.transcript_until(head.transcript.sha256)?;
        finish(output, &transcript, &manifest, &release.signature).map_err(as_fault)?;
        self.people.show(&format!(
            "  release {} in {}\n  manifest SHA-256, to be read aloud\n  {}",
            release.sequence,
            out.display(),
            release.manifest
        ));
        self.record("released", json!({ "sequence": release.sequence, "manifest_sha256": release.manifest }))
    }

    /// Whether a file answered in this run or in one that was interrupted before it.
    fn was_unattended(&self) -> Result<bool, Error> {
        let mut found = false;
        self.ledger.transcript::<Error>(self.id, &mut |line| {
            // Only these two records say so, and the others may be many.
            if line.contains("\"unattended\":true") {
                let record: Option<Record> = serde_json::from_str(line).ok();
                found |= record.is_some_and(|record| record.data.get("unattended") == Some(&json!(true)));
            }
            Ok(())
        })?;
        Ok(found)
    }

    fn authorities(&self) -> Result<Authorities, Error> {
        let mut keys = Vec::new();
        for key in self.ledger.keys()?.into_iter().filter(|key| key.role == KeyRole::Authority) {
            let Some(certificate) = key.certificate else { continue };
            keys.push(KeyEntry { name: key.name, issuer: key.issuer, profile: key.profile, certificate });
        }
        Ok(compose_authorities(&keys)?)
    }

    /// Writes the certificates out, and the manifest beside them.
    fn write_certificates(&mut self, head: &Head, output: &mut Output) -> Result<Spool, Error> {
        let file = spool(self.ledger.folder())?;
        let hashed =
            Hashed { to: BufWriter::with_capacity(1 << 18, &file), hasher: Hasher::default(), size: 0 };
        let mut manifest = ManifestWriter::new(hashed, head)?;
        let mut progress =
            Progress { doing: "written", done: 0, all: Some(self.approved), refused: self.refused };
        let before = self.ledger.before(self.id)?;
        let (ledger, policy) = (&mut self.ledger, &self.policy);
        let source = |each: &mut dyn FnMut(Vec<Issued>) -> Result<(), Error>| rows(ledger, before, each);
        parallel::ordered(
            self.surroundings.processors,
            source,
            |group| compose(policy, group),
            |leaves| {
                let leaves = leaves?;
                for leaf in &leaves {
                    output.put(&leaf.path, leaf.pem.as_bytes()).map_err(as_fault)?;
                    manifest.certificate(&leaf.entry)?;
                }
                progress.done += leaves.len();
                self.people.progress(&progress);
                match (self.surroundings.stopped)() {
                    true => Err(Error::Stopped("stopped while the release was written".into())),
                    false => Ok(()),
                }
            },
        )?;
        if progress.done != self.approved {
            return Err(Error::Fault(format!(
                "ledger: {} certificates are issued, {} requests are approved",
                progress.done, self.approved
            )));
        }
        self.write_refusals(before, &mut manifest)?;
        let Hashed { to, hasher, size } = manifest.finish()?;
        drop(to);
        Ok(Spool { file, size, digest: hasher.finish() })
    }

    fn write_refusals<W: Write>(&self, mut row: i64, manifest: &mut ManifestWriter<W>) -> Result<(), Error> {
        loop {
            let refused = self.ledger.refused_after(row, GROUP)?;
            let Some(last) = refused.last() else { return Ok(()) };
            row = last.row;
            for one in &refused {
                let reasons = reasons(one)?;
                let refusal =
                    RefusalEntry { request_path: one.path.clone(), request_sha256: one.request, reasons };
                manifest.refusal(&entry(&refusal)?)?;
            }
        }
    }

    /// Signs the manifest and writes down what gives the same octets again.
    fn seal(&mut self, manifest_key: &str, head: &Head, manifest: Digest) -> Result<ReleaseRow, Error> {
        let stored = self.stored_key(manifest_key)?;
        let certificate = stored
            .certificate
            .clone()
            .ok_or_else(|| Error::Wrong(format!("{manifest_key}: its certificate was never issued")))?;
        let key = self.session()?.manifest_key(&stored, certificate.key())?.0;
        let signature = sign_manifest(&manifest, &certificate, &key, self.now()?)?;
        let text = serde_json::to_string(head).map_err(|e| Error::Fault(e.to_string()))?;
        let release = ReleaseRow { sequence: head.sequence, head: text, manifest, signature };
        self.ledger.record_release(self.id, &release)?;
        Ok(release)
    }

    /// The transcript as it was when the manifest's head was made: later lines are not in it.
    fn transcript_until(&self, digest: Digest) -> Result<Spool, Error> {
        let file = spool(self.ledger.folder())?;
        let mut to = BufWriter::with_capacity(1 << 18, &file);
        let (mut hasher, mut size, mut found) = (Hasher::default(), 0, false);
        self.ledger.transcript::<Error>(self.id, &mut |line| {
            if found {
                return Ok(());
            }
            hasher.update(line.as_bytes());
            hasher.update(b"\n");
            to.write_all(line.as_bytes()).and_then(|()| to.write_all(b"\n")).map_err(spooling)?;
            size += line.len() as u64 + 1;
            found = line.contains("\"event\":\"seal\"") && hasher.clone().finish() == digest;
            Ok(())
        })?;
        to.flush().map_err(spooling)?;
        drop(to);
        match found {
            true => Ok(Spool { file, size, digest }),
            false => Err(Error::Fault("ledger: its transcript is not the one that was sealed".into())),
        }
    }

    /// Everything of the manifest but its lists.
    fn head(&mut self, manifest_key: &str, authorities: &Authorities) -> Result<Head, Error> {
        let stored = self.stored_key(manifest_key)?;
        let certificate = stored
            .certificate
            .ok_or_else(|| Error::Wrong(format!("{manifest_key}: its certificate was never issued")))?;
        let last = self.ledger.last_release()?;
        let sequence = last.as_ref().map_or(1, |last| last.sequence + 1);
        self.record("seal", json!({ "sequence": sequence, "manifest_key": manifest_key }))?;
        self.write_down()?;
        let mut hasher = Hasher::default();
        self.ledger.transcript::<Error>(self.id, &mut |line| {
            hasher.update(line.as_bytes());
            hasher.update(b"\n");
            Ok(())
        })?;
        let (token, tool) = (&self.token, &self.surroundings);
        Ok(Head {
            format: FORMAT.to_owned(),
            kind: if self.ledger.is_rehearsal() { ManifestKind::Rehearsal } else { ManifestKind::Production },
            unattended: self.was_unattended()?,
            sequence,
            previous_manifest_sha256: last.map(|last| last.manifest),
            created: self.now()?.to_string(),
            tool: Tool { version: tool.tool_version.clone(), sha256: tool.tool_digest()? },
            plan: Plan {
                title: self.plan.script().title.clone(),
                script: self.plan.name().to_owned(),
                sha256: self.plan.digest(),
            },
            bundle_sha256: self.setup.bundle,
            token: TokenEntry {
                manufacturer: token.manufacturer.clone(),
                model: token.model.clone(),
                serial: token.serial.clone(),
                label: token.label.clone(),
                firmware: token.firmware.clone(),
            },
            transcript: TranscriptEntry {
                path: RelativePath::new(TRANSCRIPT)?,
                sha256: hasher.finish(),
                head: self.transcript.head().parse().map_err(Error::Fault)?,
            },
            signer: Signer { authority: stored.issuer, certificate_sha256: certificate.digest() },
            authorities: authorities.entries.clone(),
        })
    }
}

fn rows(
    ledger: &mut Ledger,
    before: i64,
    each: &mut dyn FnMut(Vec<Issued>) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut row = before;
    loop {
        let issued = ledger.issued_after(row, GROUP)?;
        let Some(last) = issued.last() else { return Ok(()) };
        row = last.approved.row;
        each(issued)?;
    }
}

fn compose(policy: &Policy, group: Vec<Issued>) -> Result<Vec<Leaf>, Error> {
    group
        .into_iter()
        .map(|Issued { approved, tbs, signature }| {
            Ok(compose_leaf(&lane::approval(policy, approved)?, &tbs, &signature)?)
        })
        .collect()
}

/// Transcript, manifest, and the manifest's signature as the last of all files.
fn finish(
    mut output: Output,
    transcript: &Spool,
    manifest: &Spool,
    signature: &[u8],
) -> Result<(), crate::media::Error> {
    output.put_file(&RelativePath::new(TRANSCRIPT)?, &transcript.file, transcript.size)?;
    output.put_file(&RelativePath::new(MANIFEST)?, &manifest.file, manifest.size)?;
    output.put(&RelativePath::new(SIGNATURE)?, signature)?;
    output.finish()
}

/// Hashes and counts what it writes.
struct Hashed<'f> {
    to: BufWriter<&'f File>,
    hasher: Hasher,
    size: u64,
}

impl Write for Hashed<'_> {
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

fn spooling(error: std::io::Error) -> Error {
    Error::Fault(format!("temporary file in the ledger's folder: {error}"))
}

/// Seconds since 1970 of a time in the manifest.
fn seconds(time: &str) -> Result<u64, Error> {
    let time: DateTime = time.parse().map_err(|_| Error::Fault(format!("{time:?} is no time")))?;
    Ok(time.unix_duration().as_secs())
}

/// At this stage everything has been signed: what the medium refuses is a fault to be resumed from.
fn as_fault(error: crate::media::Error) -> Error {
    Error::Fault(error.to_string())
}
