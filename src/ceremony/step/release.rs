//! `release`: head, digest and signature of the manifest are stored in the ledger before the manifest is
//! written, so that an interrupted release is finished with identical octets.

use super::Perform;
use crate::ceremony::conductor::Conductor;
use crate::digest::{Digest, Hasher};
use crate::failure::Failure;
use crate::ledger::ReleaseRow;
use crate::media::RelativePath;
use crate::plan::step;
use crate::record::{Compared, Event, Expired, Prompt, Release as Released, Seal};
use crate::release::{
    FORMAT, Head, ManifestKind, Plan, Signer, TRANSCRIPT, TokenEntry, TranscriptEntry, Unsigned,
};
use crate::signing::{Export, authorities, check_seal, manifest_keys};

impl Perform for step::Release {
    fn perform(&self, conductor: &mut Conductor<'_>) -> Result<(), Failure> {
        conductor.publish(&self.manifest_key)
    }
}

impl Conductor<'_> {
    fn publish(&mut self, manifest_key: &str) -> Result<(), Failure> {
        let Some(out) = self.setup.out.clone() else {
            return Err(Failure::fault("the ledger has no path for the release"));
        };
        let sealed = self.ledger.release(self.id)?;
        if sealed.is_none() {
            self.ask_about_expired()?;
        }
        let head = match &sealed {
            Some(release) => check_seal(&self.ledger, release)?,
            None => self.head(manifest_key)?,
        };
        let Self { ledger, policy, room, environment, id, .. } = self;
        let (ceremony, processors) = (*id, environment.processors);
        let mut export = Export { ledger, policy, ceremony, issuers: None, processors };
        let written = export.write(&head, &out, &mut |progress| {
            room.progress(progress);
            if (environment.stopped)() {
                Err(Failure::stopped("stopped while the release was written"))
            } else {
                Ok(())
            }
        })?;
        let release = match sealed {
            Some(release) => release,
            None => self.seal(manifest_key, &head, written.manifest())?,
        };
        written.finish(&mut self.ledger, &head, &release)?;
        self.room.show(&format!("  release {} in {}", release.sequence, out.display()));
        let (sequence, sha256) = (release.sequence, release.manifest);
        self.record(Event::Released(Released { sequence, manifest_sha256: sha256 }))?;
        self.compare(sha256, |words| Prompt::Manifest(Compared { sha256, words }))?;
        // Not before the prompt: a ceremony stopped there is resumed, which checks the medium again.
        self.room.show("  The release is complete. Its medium can be unmounted and taken out.");
        Ok(())
    }

    /// Has people decide about certificates that have expired since an interruption.
    fn ask_about_expired(&mut self) -> Result<(), Failure> {
        let expired = self.ledger.expired(self.id, self.now()?)?;
        if expired == 0 {
            return Ok(());
        }
        let issued = self.ledger.answered(self.id)? as u64;
        self.confirm(&Prompt::Expired(Expired { expired, issued }))
    }

    /// Signs the manifest and stores what is needed to reproduce the release.
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
        self.record_with(Event::Sealed(sealed), |ledger, lines| ledger.record_release(&release, lines))?;
        Ok(release)
    }

    /// Returns the manifest without its lists.
    fn head(&mut self, manifest_key: &str) -> Result<Head, Failure> {
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
            authorities: authorities(&self.ledger, self.id)?.entries,
        })
    }
}
