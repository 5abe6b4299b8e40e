//! Events in the life cycle of requests, from bundle to release.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::BundleFacts;
use crate::digest::{Digest, Hasher};
use crate::issuance::Serial;
use crate::media::RelativePath;
use crate::request::Reason;

/// Requests were imported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Import {
    /// Number of requests.
    pub requests: usize,
    /// The bundle digest.
    pub bundle_sha256: Option<Digest>,
    /// Facts of the bundles' indexes; a bundle without an index has none.
    pub indexes: Vec<BundleFacts>,
}

/// Requests were refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RefusedRequests {
    /// The requests, in order.
    pub requests: Vec<RefusedRequest>,
}

/// A request that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RefusedRequest {
    /// Path in the bundle.
    pub path: RelativePath,
    /// SHA-256 of the request.
    pub request_sha256: Digest,
    /// Every control that the request violates.
    pub reasons: Vec<Reason>,
}

/// Requests were reviewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Review {
    /// Number of approved requests.
    pub approved: u64,
    /// Number of refused requests.
    pub refused: u64,
}

/// A sequence of certificates or TBSCertificates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// Number of certificates.
    pub certificates: u64,
    /// Serial number of the first, in hexadecimal.
    pub first_serial: String,
    /// Serial number of the last, in hexadecimal.
    pub last_serial: String,
    /// SHA-256 over a line for each: SHA-256, two spaces, serial number.
    pub listing_sha256: Digest,
}

impl Run {
    /// Creates the run of these serial numbers and digests; none if there are none.
    pub fn of(all: impl ExactSizeIterator<Item = (Serial, Digest)>) -> Option<Self> {
        let certificates = all.len() as u64;
        let mut hasher = Hasher::default();
        let (mut first, mut last) = (None, None);
        for (serial, digest) in all {
            let serial = serial.hex();
            hasher.list(&serial, &digest);
            first.get_or_insert_with(|| serial.clone());
            last = Some(serial);
        }
        Some(Self { certificates, first_serial: first?, last_serial: last?, listing_sha256: hasher.finish() })
    }
}

/// All approved requests have certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Issued {
    /// Number of certificates.
    pub certificates: u64,
}

/// The transcript so far was sealed: its digest goes into a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Seal {
    /// Number of the release.
    pub sequence: u64,
    /// Name of the key that signs the manifest.
    pub manifest_key: String,
}

/// A release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// Number of the release.
    pub sequence: u64,
    /// SHA-256 of the manifest.
    pub manifest_sha256: Digest,
}
