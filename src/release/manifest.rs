//! The manifest's parts: what a release binds together. `ceremony/manifest.schema.json` describes it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::media::RelativePath;
use crate::record::Tool;
use crate::request::Reason;

/// The format that this version writes.
pub const FORMAT: &str = "keyrite-manifest-2";
/// The formats that it reads; the first one names no manifest keys.
pub const FORMATS: [&str; 2] = ["keyrite-manifest-1", FORMAT];

/// Whether the release counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ManifestKind {
    /// Made for trying: nothing in it may be used.
    Rehearsal,
    /// The real thing.
    Production,
}

/// A manifest without its two lists, which may be long: certificates and refusals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// [`FORMAT`], or the one before it, `keyrite-manifest-1`.
    pub format: String,
    /// Rehearsal or production.
    pub kind: ManifestKind,
    /// Whether a file answered instead of people, at any time.
    pub unattended: bool,
    /// Number of the release in its ledger, from 1.
    pub sequence: u64,
    /// SHA-256 of the manifest before this one.
    pub previous_manifest_sha256: Option<Digest>,
    /// When it was made, UTC.
    pub created: String,
    /// What made it.
    pub tool: Tool,
    /// The plan that ran.
    pub plan: Plan,
    /// The bundle digest, when requests came in.
    pub bundle_sha256: Option<Digest>,
    /// The token that signed.
    pub token: TokenEntry,
    /// The transcript.
    pub transcript: TranscriptEntry,
    /// Who signed the manifest.
    pub signer: Signer,
    /// The keys that may sign this ledger's releases: the signer's, and those that may follow it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub manifest_keys: Vec<ManifestKeyEntry>,
    /// Every authority of the ledger.
    pub authorities: Vec<AuthorityEntry>,
}

/// The plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The script's title.
    pub title: String,
    /// The script's file name.
    pub script: String,
    /// The plan digest.
    pub sha256: Digest,
}

/// The token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenEntry {
    /// As the token says.
    pub manufacturer: String,
    /// As the token says.
    pub model: String,
    /// The token serial.
    pub serial: String,
    /// Its label.
    pub label: String,
    /// Its firmware version.
    pub firmware: String,
}

/// The transcript.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TranscriptEntry {
    /// Where it is.
    pub path: RelativePath,
    /// SHA-256 of the file.
    pub sha256: Digest,
    /// SHA-256 of its last line.
    pub head: Digest,
}

/// Who signed the manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signer {
    /// The authority that issued the signer's certificate.
    pub authority: String,
    /// SHA-256 over the DER of that certificate, which stands in the signature.
    pub certificate_sha256: Digest,
}

/// A key that may sign manifests of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestKeyEntry {
    /// Its name.
    pub name: String,
    /// SHA-256 over the DER of its certificate.
    pub certificate_sha256: Digest,
}

/// An authority.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthorityEntry {
    /// Its name.
    pub name: String,
    /// Where its certificate is.
    pub path: RelativePath,
    /// SHA-256 of that file.
    pub file_sha256: Digest,
    /// Where its chain is: its certificate and those above it, the root last.
    pub chain_path: RelativePath,
    /// SHA-256 of that file.
    pub chain_file_sha256: Digest,
    /// SHA-256 over the DER of the certificate, its fingerprint.
    pub sha256: Digest,
    /// Serial number.
    pub serial: String,
    /// Certificate profile.
    pub profile: String,
    /// Subject.
    pub subject: String,
    /// Name of the issuing authority; its own for a root.
    pub issuer: String,
    /// First second of validity.
    pub not_before: String,
    /// Last second of validity.
    pub not_after: String,
    /// SHA-256 over the SubjectPublicKeyInfo.
    pub spki_sha256: Digest,
}

/// A certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateEntry {
    /// Where it is.
    pub path: RelativePath,
    /// SHA-256 of that file.
    pub file_sha256: Digest,
    /// Where the request was in the bundle.
    pub request_path: RelativePath,
    /// SHA-256 of the request's file.
    pub request_sha256: Digest,
    /// SHA-256 over the DER of the certificate, its fingerprint.
    pub sha256: Digest,
    /// Serial number.
    pub serial: String,
    /// Certificate profile.
    pub profile: String,
    /// Name of the issuing authority.
    pub authority: String,
    /// Subject.
    pub subject: String,
    /// DNS names.
    pub dns: Vec<String>,
    /// IP addresses.
    pub ip: Vec<String>,
    /// First second of validity.
    pub not_before: String,
    /// Last second of validity.
    pub not_after: String,
    /// SHA-256 over the SubjectPublicKeyInfo.
    pub spki_sha256: Digest,
    /// What the request asked for and did not get.
    pub notes: Vec<String>,
    /// Whether it is the certificate of an authority, whose key is outside the token.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub delegated: bool,
}

/// A refused request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefusalEntry {
    /// Where the request was in the bundle.
    pub request_path: RelativePath,
    /// SHA-256 of the request's file.
    pub request_sha256: Digest,
    /// Every control that it failed.
    pub reasons: Vec<Reason>,
}
