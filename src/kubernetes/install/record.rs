//! What was installed last: a small file in the target, by which an older release is recognised.

use der::DateTime;
use serde::{Deserialize, Serialize};

use super::Error;
use super::folder::Folder;
use crate::digest::Digest;
use crate::release::{ManifestKind, Report};

/// The folder of keyrite's own files in a target.
pub const STATE: &str = ".keyrite";
/// The record.
pub const RECORD: &str = ".keyrite/installed.json";
const FORMAT: &str = "keyrite-installed-1";

/// The release that was installed last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    format: String,
    /// Rehearsal or production; a target is one of them for good.
    kind: ManifestKind,
    /// SHA-256 over the DER of the root above the manifest's signer, which stands for the ledger.
    root_sha256: Digest,
    /// Number of the release in its ledger.
    sequence: u64,
    /// SHA-256 of its manifest.
    manifest_sha256: Digest,
    /// The plan digest that it was made by.
    plan_sha256: Digest,
    /// When it was installed, UTC.
    installed: String,
}

impl Record {
    /// The record of a release that is installed now.
    pub fn new(report: &Report, now: DateTime) -> Self {
        Self {
            format: FORMAT.to_owned(),
            kind: report.head.kind,
            root_sha256: root(report),
            sequence: report.head.sequence,
            manifest_sha256: report.manifest_sha256,
            plan_sha256: report.head.plan.sha256,
            installed: now.to_string(),
        }
    }

    /// Reads a target's record.
    pub fn read(folder: &Folder) -> Result<Option<Self>, Error> {
        let Some(found) = folder.read(RECORD)? else { return Ok(None) };
        let bad = |why: String| {
            Error::Refused(format!(
                "{}: {why}; if it is not keyrite's, move {} away",
                folder.name(RECORD),
                folder.name(STATE)
            ))
        };
        let record: Self = serde_json::from_slice(&found.octets).map_err(|e| bad(e.to_string()))?;
        match record.format.as_str() {
            FORMAT => Ok(Some(record)),
            other => Err(bad(format!("format is {other:?}, this version reads {FORMAT:?}"))),
        }
    }

    /// The record as it is written.
    pub fn text(&self) -> Result<String, Error> {
        serde_json::to_string_pretty(self).map(|text| text + "\n").map_err(|e| Error::Fault(e.to_string()))
    }

    /// Whether it is of this very release.
    pub fn is_of(&self, report: &Report) -> bool {
        self.manifest_sha256 == report.manifest_sha256
    }
}

fn root(report: &Report) -> Digest {
    let root = report.authorities.iter().find(|(entry, _)| entry.name == report.root);
    root.map_or(report.manifest_sha256, |(entry, _)| entry.sha256)
}

/// A release that may follow what is installed: of the right kind, not older, not of a fork.
pub fn admit(record: Option<&Record>, report: &Report, rehearsal: bool) -> Result<(), Error> {
    match (report.head.kind, rehearsal) {
        (ManifestKind::Rehearsal, false) => {
            return Err(Error::refused(
                "this release is a REHEARSAL; for a target that is one too, say --rehearsal",
            ));
        }
        (ManifestKind::Production, true) => {
            return Err(Error::refused("--rehearsal: this release is no rehearsal; leave the option out"));
        }
        _ => {}
    }
    let Some(record) = record else { return Ok(()) };
    if record.kind != report.head.kind {
        return Err(Error::refused(format!(
            "this target holds a release of kind {:?}, this one is of kind {:?}: a target is one of them for good; use another folder",
            record.kind, report.head.kind
        )));
    }
    if record.root_sha256 != root(report) {
        // Another ledger counts for itself; its CA is another one, which --rotate-ca decides about.
        return Ok(());
    }
    follows(record, report)
}

fn follows(record: &Record, report: &Report) -> Result<(), Error> {
    let (new, old) = (report.head.sequence, record.sequence);
    if new < old {
        return Err(Error::refused(format!(
            "this release is number {new}, installed is number {old} of {}: older releases are not installed; `keyrite install undo` goes back",
            record.installed
        )));
    }
    if new == old && record.manifest_sha256 != report.manifest_sha256 {
        return Err(Error::refused(format!(
            "two different releases are number {new}: the manifest's SHA-256 is {}, installed is {}; compare both with the paper of the ceremony",
            report.manifest_sha256, record.manifest_sha256
        )));
    }
    let previous = report.head.previous_manifest_sha256;
    if new == old + 1 && previous != Some(record.manifest_sha256) {
        return Err(Error::refused(format!(
            "release {new} follows another release {old} than the installed one: the manifest before it has SHA-256 {}, installed is {}",
            previous.map_or_else(|| "none".to_owned(), |digest| digest.to_string()),
            record.manifest_sha256
        )));
    }
    Ok(())
}
