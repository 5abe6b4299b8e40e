//! `release`: the manifest's head, digest and signature are in the ledger before the manifest goes out, so
//! that an interrupted release is finished with the very same octets.

use super::Perform;
use crate::ceremony::conductor::Conductor;
use crate::digest::{Digest, Hasher};
use crate::failure::Failure;
use crate::ledger::ReleaseRow;
use crate::media::{Output, RelativePath};
use crate::plan::step;
use crate::record::{Compared, Event, Prompt, Release as Released, Seal};
use crate::release::{
    Authorities, FORMAT, Head, ManifestKind, Plan, Signer, TRANSCRIPT, TokenEntry, TranscriptEntry, Unsigned,
};
use crate::signing::{
    Export, Progress, Spool, as_fault, authorities, check_seal, manifest_keys, put_last, seconds, spooled,
    transcript_until,
};

impl Perform for step::Release {
    fn perform(&self, conductor: &mut Conductor<'_>) -> Result<(), Failure> {
        conductor.publish(&self.manifest_key)
    }
}

impl Conductor<'_> {
    fn publish(&mut self, manifest_key: &str) -> Result<(), Failure> {
        let Some(out) = self.setup.out.clone() else {
            return Err(Failure::fault("the ledger names no place for the release"));
        };
        let authorities = authorities(&self.ledger, self.id)?;
        let sealed = self.ledger.release(self.id)?;
        let head = match &sealed {
            Some(release) => check_seal(&self.ledger, release)?,
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
            return Err(Failure::fault(format!(
                "ledger: its rows give a manifest with SHA-256 {}, the one that was signed has {}; it was changed",
                manifest.digest, release.manifest
            )));
        }
        let transcript = transcript_until(&self.ledger, self.id, head.transcript.sha256)?;
        put_last(&mut output, &transcript, &manifest, &release.signature).map_err(as_fault)?;
        // The last full pieces of a tar are still on their way to the device.
        self.ledger.tidy_up();
        output.finish().map_err(as_fault)?;
        self.room.show(&format!("  release {} in {}", release.sequence, out.display(),));
        let (sequence, sha256) = (release.sequence, release.manifest);
        self.record(Event::Released(Released { sequence, manifest_sha256: sha256 }))?;
        self.compare(sha256, |words| Prompt::Manifest(Compared { sha256, words }))?;
        // Not before: whoever stops at the prompt has the release looked at again by `resume`.
        self.room.show("  The release is complete. Its medium can be unmounted and taken out.");
        Ok(())
    }

    /// Writes the certificates out, and the manifest beside them.
    fn write_certificates(&mut self, head: &Head, output: &mut Output) -> Result<Spool, Failure> {
        let folder = self.ledger.folder().to_owned();
        let mut progress =
            Progress { doing: "written", done: 0, all: Some(self.approved), refused: self.refused };
        let Conductor { ledger, policy, room, environment, id, .. } = self;
        let processors = environment.processors;
        let mut export = Export { ledger, policy, ceremony: *id, issuers: None, processors };
        let manifest = spooled(&folder, |to| {
            export.manifest(head, to, &mut |leaves| {
                for leaf in leaves {
                    output.put(&leaf.path, leaf.pem.as_bytes()).map_err(as_fault)?;
                }
                progress.done += leaves.len();
                room.progress(&progress);
                match (environment.stopped)() {
                    true => Err(Failure::stopped("stopped while the release was written")),
                    false => Ok(()),
                }
            })?;
            Ok(())
        })?;
        match progress.done == self.approved {
            true => Ok(manifest),
            false => Err(Failure::fault(format!(
                "ledger: {} certificates are issued, {} requests are approved",
                progress.done, self.approved
            ))),
        }
    }

    /// Signs the manifest and writes down what gives the same octets again.
    fn seal(&mut self, manifest_key: &str, head: &Head, manifest: Digest) -> Result<ReleaseRow, Failure> {
        let stored = self.stored_key(manifest_key)?;
        let certificate = stored
            .certificate
            .clone()
            .ok_or_else(|| Failure::usage(format!("{manifest_key}: its certificate was never issued")))?;
        let key = self.session()?.manifest_key(&stored, certificate.key())?.0;
        let unsigned = Unsigned::new(manifest, self.now()?)?;
        let signed = key.sign_attributes(&unsigned.octets()?)?;
        let signature = unsigned.complete(&certificate, signed)?;
        let text = serde_json::to_string(head).map_err(|e| Failure::fault(e.to_string()))?;
        let release =
            ReleaseRow { sequence: head.sequence, ceremony: self.id, head: text, manifest, signature };
        let sealed = Released { sequence: release.sequence, manifest_sha256: manifest };
        let id = self.id;
        self.record_with(Event::Sealed(sealed), |ledger, lines| ledger.record_release(id, &release, lines))?;
        Ok(release)
    }

    /// Everything of the manifest but its lists.
    fn head(&mut self, manifest_key: &str, authorities: &Authorities) -> Result<Head, Failure> {
        let stored = self.stored_key(manifest_key)?;
        let certificate = stored
            .certificate
            .ok_or_else(|| Failure::usage(format!("{manifest_key}: its certificate was never issued")))?;
        let last = self.ledger.last_release()?;
        if let Some(last) = &last {
            check_seal(&self.ledger, last)?;
        }
        let sequence = last.as_ref().map_or(1, |last| last.sequence + 1);
        self.record(Event::Seal(Seal { sequence, manifest_key: manifest_key.to_owned() }))?;
        self.write_down()?;
        let mut hasher = Hasher::default();
        self.ledger.transcript::<Failure>(self.id, &mut |line| {
            hasher.update(line.as_bytes());
            hasher.update(b"\n");
            Ok(())
        })?;
        let token = &self.token;
        let created = self.now()?;
        Ok(Head {
            format: FORMAT.to_owned(),
            kind: if self.ledger.is_rehearsal() { ManifestKind::Rehearsal } else { ManifestKind::Production },
            unattended: self.state().unattended,
            sequence,
            previous_manifest_sha256: last.map(|last| last.manifest),
            created: created.to_string(),
            tool: self.environment.tool()?,
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
                head: self.transcript.head(),
            },
            manifest_keys: manifest_keys(&self.ledger.keys()?, self.id, created),
            signer: Signer { authority: stored.issuer, certificate_sha256: certificate.digest() },
            authorities: authorities.entries.clone(),
        })
    }
}
