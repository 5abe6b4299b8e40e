//! What became of requests, from the bundle to the release.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::BundleFacts;
use crate::digest::{Digest, Hasher};
use crate::issuance::Serial;
use crate::media::RelativePath;
use crate::request::Reason;

/// Requests came in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Import {
    /// How many.
    pub requests: usize,
    /// The bundle digest.
    pub bundle_sha256: Option<Digest>,
    /// The indexes of the bundles that have one.
    pub indexes: Vec<BundleFacts>,
}

/// Requests were refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RefusedRequests {
    /// The requests, in their order.
    pub requests: Vec<RefusedRequest>,
}

/// A request that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RefusedRequest {
    /// Its path in the bundle.
    pub path: RelativePath,
    /// SHA-256 over its octets.
    pub request_sha256: Digest,
    /// Every control that it fails.
    pub reasons: Vec<Reason>,
}

/// Requests were reviewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Review {
    /// How many are approved.
    pub approved: u64,
    /// How many are refused.
    pub refused: u64,
}

/// Certificates in their order, or TBSCertificates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// How many.
    pub certificates: u64,
    /// The serial number of the first, in hexadecimal.
    pub first_serial: String,
    /// The serial number of the last, in hexadecimal.
    pub last_serial: String,
    /// SHA-256 over a line for each: its SHA-256, two spaces, its serial number.
    pub listing_sha256: Digest,
}

impl Run {
    /// The run of these serial numbers and digests; none when there are none.
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

/// All approved requests were answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Issued {
    /// With so many certificates.
    pub certificates: u64,
}

/// The transcript so far goes into a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Seal {
    /// Number of the release.
    pub sequence: u64,
    /// The key that signs it.
    pub manifest_key: String,
}

/// A release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// Its number.
    pub sequence: u64,
    /// SHA-256 over its manifest.
    pub manifest_sha256: Digest,
}
