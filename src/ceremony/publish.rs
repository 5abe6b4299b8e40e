//! The release: manifest and signature are in the ledger before the first file goes out, so that
//! an interrupted release is finished with the very same octets.

use serde_json::json;

use super::Error;
use super::conductor::Conductor;
use crate::digest::Digest;
use crate::ledger::{KeyRole, ReleaseRow};
use crate::media::{OutputDir, RelativePath};
use crate::release::{
    Contents, FORMAT, KeyEntry, LeafEntry, MANIFEST, Manifest, ManifestKind, Plan, Reason, Record,
    RefusalEntry, SIGNATURE, Signer, TRANSCRIPT, TokenEntry, Tool, TranscriptEntry, compose, sign_manifest,
};

impl Conductor<'_> {
    pub(super) fn publish(&mut self, manifest_key: &str) -> Result<(), Error> {
        let contents = self.contents()?;
        let release = match self.ledger.release(self.id)? {
            Some(release) => release,
            None => self.seal(manifest_key, &contents)?,
        };
        let digest = Digest::of(&release.manifest);
        let Some(out) = self.setup.out.clone() else {
            return Err(Error::Fault("the ledger names no folder for the release".into()));
        };
        self.write_out(&out, &contents, &release)?;
        self.people.show(&format!(
            "  release {} in {}\n  manifest SHA-256, to be read aloud\n  {digest}",
            release.sequence,
            out.display()
        ));
        self.record("released", json!({ "sequence": release.sequence, "manifest_sha256": digest }))
    }

    /// Whether a file answered in this run or in one that was interrupted before it.
    fn was_unattended(&self) -> Result<bool, Error> {
        let lines = self.ledger.transcript(self.id)?;
        let records = lines.iter().filter_map(|line| serde_json::from_str::<Record>(line).ok());
        Ok(records.into_iter().any(|record| record.data.get("unattended") == Some(&json!(true))))
    }

    fn contents(&self) -> Result<Contents, Error> {
        let mut keys = Vec::new();
        for key in self.ledger.keys()?.into_iter().filter(|key| key.role == KeyRole::Authority) {
            let Some(certificate) = key.certificate else { continue };
            keys.push(KeyEntry { name: key.name, issuer: key.issuer, profile: key.profile, certificate });
        }
        let mut leaves = Vec::new();
        for approval in &self.judged.approvals {
            let certificate = self
                .ledger
                .issued(self.id, approval.path().as_str())?
                .ok_or_else(|| Error::Fault(format!("{}: was not issued", approval.path())))?;
            leaves.push(LeafEntry { approval, certificate });
        }
        Ok(compose(&keys, &leaves)?)
    }

    /// Builds and signs the manifest and writes both down.
    fn seal(&mut self, manifest_key: &str, contents: &Contents) -> Result<ReleaseRow, Error> {
        let stored = self.stored_key(manifest_key)?;
        let certificate = stored
            .certificate
            .clone()
            .ok_or_else(|| Error::Wrong(format!("{manifest_key}: its certificate was never issued")))?;
        let last = self.ledger.last_release()?;
        let sequence = last.as_ref().map_or(1, |last| last.sequence + 1);
        self.record("seal", json!({ "sequence": sequence, "manifest_key": manifest_key }))?;
        let transcript = self.ledger.transcript(self.id)?.join("\n") + "\n";
        let signer = Signer { authority: stored.issuer.clone(), certificate_sha256: certificate.digest() };
        let previous = last.map(|last| Digest::of(&last.manifest));
        let manifest = self.manifest(sequence, previous, signer, &transcript, contents)?;
        let mut octets = serde_json::to_vec_pretty(&manifest).map_err(|e| Error::Fault(e.to_string()))?;
        octets.push(b'\n');
        let key = self.session()?.manifest_key(&stored, certificate.key())?.0;
        let signature = sign_manifest(&octets, &certificate, &key, self.now()?)?;
        let release =
            ReleaseRow { sequence, manifest: octets, signature, transcript: transcript.into_bytes() };
        self.ledger.record_release(self.id, &release)?;
        Ok(release)
    }

    fn manifest(
        &self,
        sequence: u64,
        previous: Option<Digest>,
        signer: Signer,
        transcript: &str,
        contents: &Contents,
    ) -> Result<Manifest, Error> {
        let head = self.transcript_head().parse().map_err(Error::Fault)?;
        let refusals = self.judged.refusals.iter().map(|refusal| RefusalEntry {
            request_path: refusal.path.clone(),
            request_sha256: refusal.request,
            reasons: refusal
                .violations
                .iter()
                .map(|v| Reason {
                    control: v.control.id().to_owned(),
                    message: crate::media::shown(&v.message),
                })
                .collect(),
        });
        Ok(Manifest {
            format: FORMAT.to_owned(),
            kind: if self.ledger.is_rehearsal() { ManifestKind::Rehearsal } else { ManifestKind::Production },
            unattended: self.was_unattended()?,
            sequence,
            previous_manifest_sha256: previous,
            created: self.now()?.to_string(),
            tool: Tool {
                version: self.surroundings.tool_version.clone(),
                sha256: self.surroundings.tool_digest,
            },
            plan: Plan {
                title: self.plan.script().title.clone(),
                script: self.plan.name().to_owned(),
                sha256: self.plan.digest(),
            },
            bundle_sha256: self.setup.bundle,
            token: TokenEntry {
                manufacturer: self.token.manufacturer.clone(),
                model: self.token.model.clone(),
                serial: self.token.serial.clone(),
                label: self.token.label.clone(),
                firmware: self.token.firmware.clone(),
            },
            transcript: TranscriptEntry {
                path: RelativePath::new(TRANSCRIPT)?,
                sha256: Digest::of(transcript.as_bytes()),
                head,
            },
            signer,
            authorities: contents.authorities.clone(),
            certificates: contents.certificates.clone(),
            refusals: refusals.collect(),
        })
    }

    /// Writes all files, the manifest's signature last.
    fn write_out(
        &mut self,
        out: &std::path::Path,
        contents: &Contents,
        release: &ReleaseRow,
    ) -> Result<(), Error> {
        let folder = OutputDir::open(out).map_err(as_fault)?;
        for (path, octets) in &contents.files {
            folder.put(path, octets).map_err(as_fault)?;
        }
        folder.put(&RelativePath::new(TRANSCRIPT)?, &release.transcript).map_err(as_fault)?;
        folder.put(&RelativePath::new(MANIFEST)?, &release.manifest).map_err(as_fault)?;
        folder.put(&RelativePath::new(SIGNATURE)?, &release.signature).map_err(as_fault)
    }
}

/// At this stage everything has been signed: what the medium refuses is a fault to be resumed from.
fn as_fault(error: crate::media::Error) -> Error {
    Error::Fault(error.to_string())
}
