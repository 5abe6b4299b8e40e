//! The records of a transcript, as far as an audit reads them.

use serde::Deserialize;

use crate::ceremony::Role;
use crate::digest::Digest;

/// What must be so for a key to stay in its token (PKCS#11).
const KEPT: [(&str, bool); 6] = [
    ("CKA_SENSITIVE", true),
    ("CKA_ALWAYS_SENSITIVE", true),
    ("CKA_EXTRACTABLE", false),
    ("CKA_NEVER_EXTRACTABLE", true),
    ("CKA_LOCAL", true),
    ("CKA_SIGN", true),
];

#[derive(Deserialize)]
pub struct KeyData {
    pub name: String,
    pub attributes: std::collections::BTreeMap<String, bool>,
}

impl KeyData {
    /// The first attribute that is not as it must be.
    pub fn weak(&self) -> Option<(&'static str, String)> {
        KEPT.iter().find_map(|(name, wanted)| match self.attributes.get(*name) {
            Some(value) if value == wanted => None,
            Some(value) => Some((*name, format!("{value}, required is {wanted}"))),
            None => Some((*name, format!("not there, required is {wanted}"))),
        })
    }
}

#[derive(Deserialize)]
pub struct StepData {
    pub number: usize,
    pub act: String,
}

#[derive(Deserialize)]
pub struct Confirmed {
    pub prompt: String,
    pub answer: String,
    pub role: Role,
    pub by: String,
}

#[derive(Deserialize)]
pub struct Present {
    pub role: Role,
    pub name: String,
}

#[derive(Deserialize)]
pub struct InventoryData {
    pub objects: Vec<serde::de::IgnoredAny>,
    pub accepted: bool,
}

#[derive(Deserialize)]
pub struct Sequence {
    pub sequence: u64,
}

#[derive(Deserialize)]
pub struct Released {
    pub sequence: u64,
    pub manifest_sha256: Digest,
}

#[derive(Deserialize)]
pub struct Import {
    pub bundle_sha256: Option<Digest>,
    #[serde(default)]
    pub indexes: Vec<IndexFacts>,
}

/// What the transcript says of a bundle's index.
#[derive(Clone, Debug, Deserialize)]
pub struct IndexFacts {
    pub index_sha256: Digest,
    pub approvers: Vec<String>,
}

#[derive(Deserialize)]
pub struct Review {
    pub approved: u64,
    pub refused: u64,
}

#[derive(Deserialize)]
pub struct IssuedData {
    pub certificates: u64,
}

#[derive(Deserialize)]
pub struct RefusedData {
    pub requests: Vec<RefusedRequest>,
}

#[derive(Deserialize)]
pub struct RefusedRequest {
    pub path: String,
    pub request_sha256: Digest,
    pub reasons: Vec<crate::release::Reason>,
}
