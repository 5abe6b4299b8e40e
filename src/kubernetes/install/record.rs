//! The record of the last installed release of each ledger: a small file in the target that
//! prevents the installation of older releases.

use std::collections::HashSet;

use der::DateTime;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::folder::Folder;
use crate::digest::Digest;
use crate::failure::Failure;
use crate::issuance::Validity;
use crate::media::shown;
use crate::release::{ManifestKind, Report};

/// Folder of keyrite's own files in a target.
pub const STATE: &str = ".keyrite";
/// Path of the record.
pub const RECORD: &str = ".keyrite/installed.json";
const FORMAT: &str = "keyrite-installed-3";
/// Formats that are read; the previous one lacks manifest keys.
const FORMATS: [&str; 2] = ["keyrite-installed-2", FORMAT];

/// Last installed release of each ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Record {
    format: String,
    releases: Vec<Installed>,
}

/// Last installed release of a ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Installed {
    /// Rehearsal or production; fixed for the life of a target.
    kind: ManifestKind,
    /// SHA-256 of the DER of the root above the manifest's signer; identifies the ledger.
    root_sha256: Digest,
    /// Number of the release in its ledger.
    sequence: u64,
    /// SHA-256 of its manifest.
    manifest_sha256: Digest,
    /// When the release was made, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    created: Option<String>,
    /// SHA-256 of the certificates of the keys that may sign the next release of the ledger: the
    /// key of this release and those that it announces.
    #[serde(default)]
    manifest_keys: Vec<Digest>,
    /// Plan digest of the release.
    plan_sha256: Digest,
    /// When the release was installed, UTC.
    installed: String,
}

/// Fields of all versions of a record.
#[derive(Deserialize)]
struct Head {
    format: String,
}

impl Record {
    /// Returns the record with this release as the last one of its ledger.
    pub fn with(known: Option<&Self>, report: &Report, now: DateTime) -> Self {
        let root_sha256 = root(report);
        let others = known.into_iter().flat_map(|record| &record.releases);
        let mut releases: Vec<_> = others.filter(|entry| entry.root_sha256 != root_sha256).cloned().collect();
        releases.push(Installed {
            kind: report.head.kind,
            root_sha256,
            sequence: report.head.sequence,
            manifest_sha256: report.manifest_sha256,
            created: Some(report.head.created.clone()),
            manifest_keys: manifest_keys(report),
            plan_sha256: report.head.plan.sha256,
            installed: now.to_string(),
        });
        Self { format: FORMAT.to_owned(), releases }
    }

    /// Reads the record of a target.
    pub fn read(folder: &Folder) -> Result<Option<Self>, Failure> {
        let Some(found) = folder.read(RECORD)? else { return Ok(None) };
        Self::parse(&found.octets).map(Some).map_err(|why| {
            Failure::refused(format!(
                "{}: {why}; if it is not keyrite's, move {} away",
                folder.name(RECORD),
                folder.name(STATE)
            ))
        })
    }

    fn parse(octets: &[u8]) -> Result<Self, String> {
        let head: Head = serde_json::from_slice(octets).map_err(|e| e.to_string())?;
        if !FORMATS.contains(&head.format.as_str()) {
            let (found, read) = (shown(&head.format), FORMATS.join(" and "));
            return Err(format!("format is {found:?}, this version reads {read}"));
        }
        let record: Self = serde_json::from_slice(octets).map_err(|e| e.to_string())?;
        let mut roots = HashSet::new();
        match record.releases.iter().find(|entry| !roots.insert(entry.root_sha256)) {
            None => Ok(record),
            Some(entry) => Err(format!("duplicate entry for the root with SHA-256 {}", entry.root_sha256)),
        }
    }

    /// Returns the JSON text of the record.
    pub fn text(&self) -> Result<String, Failure> {
        serde_json::to_string_pretty(self).map(|text| text + "\n").map_err(|e| Failure::fault(e.to_string()))
    }

    /// Whether this release is the last installed one of its ledger.
    pub fn is_of(&self, report: &Report) -> bool {
        self.last(report).is_some_and(|entry| {
            entry.manifest_sha256 == report.manifest_sha256 && entry.manifest_keys == manifest_keys(report)
        })
    }

    /// Returns the entry of the release's ledger.
    fn last(&self, report: &Report) -> Option<&Installed> {
        let root = root(report);
        self.releases.iter().find(|entry| entry.root_sha256 == root)
    }
}

/// Returns the keys that may sign the next release.
fn manifest_keys(report: &Report) -> Vec<Digest> {
    let own = report.manifest_key.certificate_sha256;
    let listed = report.head.manifest_keys.iter().map(|key| key.certificate_sha256);
    std::iter::once(own).chain(listed.filter(|key| *key != own)).collect()
}

fn root(report: &Report) -> Digest {
    let root = report.authorities.iter().find(|(entry, _)| entry.name == report.root);
    root.map_or(report.manifest_sha256, |(entry, _)| entry.sha256)
}

/// Checks that a release may follow the installed one: right kind, not older, not from a fork.
pub fn admit(
    record: Option<&Record>,
    report: &Report,
    rehearsal: bool,
    manifest_key: Option<Digest>,
    now: DateTime,
) -> Result<(), Failure> {
    match (report.head.kind, rehearsal) {
        (ManifestKind::Rehearsal, false) => {
            return Err(Failure::refused(
                "this release is a REHEARSAL; use --rehearsal to install it in a rehearsal target",
            ));
        }
        (ManifestKind::Production, true) => {
            return Err(Failure::refused("--rehearsal: this release is not a rehearsal; omit the option"));
        }
        _ => {}
    }
    let installed = record.and_then(|record| record.last(report));
    trusts(installed, report, manifest_key, now)?;
    let Some(record) = record else { return Ok(()) };
    if let Some(other) = record.releases.iter().find(|entry| entry.kind != report.head.kind) {
        return Err(Failure::refused(format!(
            "this target has a release of kind {:?}, but this one is of kind {:?}; the kind of a target never changes; use another folder",
            other.kind, report.head.kind
        )));
    }
    // Ledgers are independent of each other; --rotate-ca governs the CA of another one.
    installed.map_or(Ok(()), |installed| follows(installed, report))
}

/// Checks that the signing key may speak for the ledger: it signed before, an installed release
/// announced it, or the operator named it.
fn trusts(
    installed: Option<&Installed>,
    report: &Report,
    manifest_key: Option<Digest>,
    now: DateTime,
) -> Result<(), Failure> {
    if manifest_key.is_some() {
        // Verification has required that the named key signed the release.
        return Ok(());
    }
    let Validity { not_before, not_after } = report.manifest_key.validity;
    if now < not_before || now > not_after {
        return Err(Failure::refused(format!(
            "the manifest key's certificate is valid from {not_before} to {not_after}, but the clock says {now}; the holder of such a key can put any date in a manifest; have the release signed with a valid key, or, if the key is known from the paper of its ceremony, pass the SHA-256 of its certificate with --manifest-key"
        )));
    }
    let found = report.manifest_key.certificate_sha256;
    let known = installed.map(|installed| installed.manifest_keys.as_slice()).unwrap_or_default();
    match known.first() {
        Some(last) if !known.contains(&found) => Err(Failure::refused(format!(
            "this release was signed by another manifest key: its certificate has SHA-256 {found}, but the installed release was signed by {last} and does not announce the new key; if the ceremony that created the key is known, pass the SHA-256 on its paper with --manifest-key"
        ))),
        _ => Ok(()),
    }
}

fn follows(installed: &Installed, report: &Report) -> Result<(), Failure> {
    let (new, old) = (report.head.sequence, installed.sequence);
    if new < old {
        return Err(Failure::refused(format!(
            "this release is number {new}, but number {old} was installed at {}; older releases are not installed; `keyrite install undo` reverts the last installation",
            installed.installed
        )));
    }
    if new == old && installed.manifest_sha256 != report.manifest_sha256 {
        return Err(Failure::refused(format!(
            "two different releases have number {new}: this manifest has SHA-256 {}, the installed one has {}; compare both with the paper of the ceremony",
            report.manifest_sha256, installed.manifest_sha256
        )));
    }
    if installed.created.as_ref().is_some_and(|created| report.head.created < *created) {
        return Err(Failure::refused(format!(
            "this release is dated {}, before the installed one ({}), but has a higher number; compare both with the paper of their ceremonies",
            report.head.created,
            installed.created.as_deref().unwrap_or_default()
        )));
    }
    let previous = report.head.previous_manifest_sha256;
    if new == old + 1 && previous != Some(installed.manifest_sha256) {
        return Err(Failure::refused(format!(
            "release {new} follows a release {old} other than the installed one: its previous manifest has SHA-256 {}, the installed one has {}",
            previous.map_or_else(|| "none".to_owned(), |digest| digest.to_string()),
            installed.manifest_sha256
        )));
    }
    Ok(())
}
