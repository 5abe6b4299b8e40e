//! The structure of a manifest, which `ceremony/manifest.schema.json` describes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::media::RelativePath;
use crate::record::Tool;
use crate::request::Reason;

/// The manifest format that this version writes.
pub const FORMAT: &str = "keyrite-manifest-2";
/// The manifest formats that this version reads; the first one has no `manifest_keys`.
pub const FORMATS: [&str; 2] = ["keyrite-manifest-1", FORMAT];

/// Whether the release is for use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ManifestKind {
    /// A rehearsal; nothing in it may be installed.
    Rehearsal,
    /// For use.
    Production,
}

/// A manifest without its two long lists, certificates and refusals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// [`FORMAT`], or the earlier `keyrite-manifest-1`.
    pub format: String,
    /// Rehearsal or production.
    pub kind: ManifestKind,
    /// Whether an answers file answered any prompt instead of people.
    pub unattended: bool,
    /// Number of the release in its ledger, from 1.
    pub sequence: u64,
    /// SHA-256 of the ledger's previous manifest.
    pub previous_manifest_sha256: Option<Digest>,
    /// Time of creation, UTC.
    pub created: String,
    /// The program that made it.
    pub tool: Tool,
    /// The plan of the ceremony.
    pub plan: Plan,
    /// The bundle digest, if the ceremony had requests.
    pub bundle_sha256: Option<Digest>,
    /// The token that holds the keys.
    pub token: TokenEntry,
    /// The transcript.
    pub transcript: TranscriptEntry,
    /// The key that signed the manifest.
    pub signer: Signer,
    /// The keys that may sign this ledger's releases: the signer's and its designated successors.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub manifest_keys: Vec<ManifestKeyEntry>,
    /// Every authority of the ledger.
    pub authorities: Vec<AuthorityEntry>,
}

/// The plan of a ceremony.
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

/// A token, as it describes itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenEntry {
    /// Manufacturer.
    pub manufacturer: String,
    /// Model.
    pub model: String,
    /// Token serial.
    pub serial: String,
    /// Label.
    pub label: String,
    /// Firmware version.
    pub firmware: String,
}

/// The release's copy of the transcript.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TranscriptEntry {
    /// Path in the release.
    pub path: RelativePath,
    /// SHA-256 of the file.
    pub sha256: Digest,
    /// SHA-256 of its last line, without the line feed.
    pub head: Digest,
}

/// The key that signed the manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signer {
    /// The authority that issued the signer's certificate.
    pub authority: String,
    /// SHA-256 of the DER octets of that certificate, which the signature includes.
    pub certificate_sha256: Digest,
}

/// A key that may sign manifests of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestKeyEntry {
    /// Name in the ledger.
    pub name: String,
    /// SHA-256 of its certificate's DER octets.
    pub certificate_sha256: Digest,
}

/// An authority of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthorityEntry {
    /// Name in the ledger.
    pub name: String,
    /// Path of its certificate in the release.
    pub path: RelativePath,
    /// SHA-256 of that file.
    pub file_sha256: Digest,
    /// Path of its chain: its certificate and those above it, the root last.
    pub chain_path: RelativePath,
    /// SHA-256 of that file.
    pub chain_file_sha256: Digest,
    /// SHA-256 of the certificate's DER octets.
    pub sha256: Digest,
    /// Serial number, lowercase hexadecimal digits.
    pub serial: String,
    /// Certificate profile.
    pub profile: String,
    /// Subject as an RFC 4514 string.
    pub subject: String,
    /// Name of the issuing authority; a root names itself.
    pub issuer: String,
    /// First second of validity.
    pub not_before: String,
    /// Last second of validity.
    pub not_after: String,
    /// SHA-256 of the SubjectPublicKeyInfo's DER octets.
    pub spki_sha256: Digest,
}

/// A certificate issued for a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateEntry {
    /// Path in the release.
    pub path: RelativePath,
    /// SHA-256 of that file.
    pub file_sha256: Digest,
    /// Path of the request in the bundle.
    pub request_path: RelativePath,
    /// SHA-256 of the request's file.
    pub request_sha256: Digest,
    /// SHA-256 of the certificate's DER octets.
    pub sha256: Digest,
    /// Serial number, lowercase hexadecimal digits.
    pub serial: String,
    /// Certificate profile.
    pub profile: String,
    /// Name of the issuing authority.
    pub authority: String,
    /// Subject as an RFC 4514 string.
    pub subject: String,
    /// DNS names.
    pub dns: Vec<String>,
    /// IP addresses.
    pub ip: Vec<String>,
    /// First second of validity.
    pub not_before: String,
    /// Last second of validity.
    pub not_after: String,
    /// SHA-256 of the SubjectPublicKeyInfo's DER octets.
    pub spki_sha256: Digest,
    /// What the request asked for and was not granted.
    pub notes: Vec<String>,
    /// Whether it is an authority whose key is outside the token.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub delegated: bool,
}

/// A refused request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefusalEntry {
    /// Path of the request in the bundle.
    pub request_path: RelativePath,
    /// SHA-256 of the request's file.
    pub request_sha256: Digest,
    /// The controls that it failed.
    pub reasons: Vec<Reason>,
}
