//! The records of a transcript, as far as an audit reads them.

use serde::Deserialize;

use crate::ceremony::{BundleFacts, RecordKind, Role};
use crate::digest::Digest;
use crate::token::Inventory;

/// What must be so for a key to stay in its token (PKCS#11).
const KEPT: [(&str, bool); 6] = [
    ("CKA_SENSITIVE", true),
    ("CKA_ALWAYS_SENSITIVE", true),
    ("CKA_EXTRACTABLE", false),
    ("CKA_NEVER_EXTRACTABLE", true),
    ("CKA_LOCAL", true),
    ("CKA_SIGN", true),
];

/// What is the same from the begin of a ceremony to its end.
pub const LASTING: [&str; 9] = [
    "title",
    "plan",
    "rehearsal",
    "hsm_profile",
    "module",
    "token_serial",
    "out",
    "bundle_sha256",
    "indexes",
];

/// What began a ceremony, or took it up again.
#[derive(Clone, Debug, Deserialize)]
pub struct Begin {
    pub title: String,
    pub plan: PlanFacts,
    pub rehearsal: bool,
    pub unattended: bool,
    pub tool: ToolFacts,
    pub token_serial: String,
    pub bundle_sha256: Option<Digest>,
    /// The indexes of the bundles that came in.
    pub indexes: Vec<BundleFacts>,
}

impl Begin {
    /// Out of a record's particulars.
    pub fn of(facts: &serde_json::Map<String, serde_json::Value>) -> Result<Self, serde_json::Error> {
        Self::deserialize(facts)
    }
}

#[derive(Clone, Debug, Deserialize)]
pub struct PlanFacts {
    pub sha256: Digest,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ToolFacts {
    pub version: String,
    pub sha256: Digest,
}

impl std::fmt::Display for ToolFacts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.version, self.sha256)
    }
}

/// A run of certificates, in their order.
#[derive(Clone, Debug, Deserialize)]
pub struct Run {
    pub certificates: u64,
    pub first_serial: String,
    pub last_serial: String,
    pub listing_sha256: Digest,
}

/// The certificate of a key in the token.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct KeyCertificate {
    pub name: String,
    pub role: String,
    pub serial: String,
    pub sha256: Digest,
    pub spki_sha256: Digest,
    pub issuer: String,
    pub profile: String,
    pub key_id: String,
    pub token_serial: String,
}

/// What was reserved for a key in the token.
#[derive(Clone, Debug, Deserialize)]
pub struct KeyReserved {
    pub name: String,
    pub serial: String,
    pub tbs_sha256: Digest,
    /// Whether the key was withdrawn afterwards: nothing is signed for it.
    #[serde(skip)]
    pub withdrawn: bool,
}

/// A key that the token is about to be asked for.
#[derive(Clone, Debug, Deserialize)]
pub struct KeyIntended {
    pub key_id: String,
}

/// A pair that was generated; older records have no ID.
#[derive(Clone, Debug, Deserialize)]
pub struct KeyGenerated {
    pub name: String,
    pub key_id: Option<String>,
    pub spki_sha256: Digest,
}

/// What was found of a key after an interruption, and why it cannot be kept.
#[derive(Clone, Debug, Deserialize)]
pub struct KeyFound {
    pub name: String,
    pub key_id: String,
    pub objects: Inventory,
    pub spki_sha256: Option<Digest>,
    pub reason: Option<String>,
}

/// A key of which the token holds nothing, and what of it was destroyed.
#[derive(Clone, Debug, Deserialize)]
pub struct KeyWithdrawn {
    pub name: String,
    pub key_id: String,
    pub destroyed: Inventory,
}

#[derive(Deserialize)]
pub struct Done {
    pub number: usize,
}

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

/// What somebody typed at a prompt.
#[derive(Clone, Debug, Deserialize)]
pub struct Said {
    pub prompt: String,
    pub question: String,
    pub answer: String,
    pub role: Role,
    pub by: String,
}

/// What somebody had written down.
#[derive(Clone, Debug, Deserialize)]
pub struct Statement {
    pub kind: RecordKind,
    pub label: String,
    pub role: Role,
    pub by: String,
}

/// How far a change of the token's PIN has come.
#[derive(Clone, Debug, Deserialize)]
pub struct Custody {
    pub phase: String,
    pub set: Option<String>,
    pub threshold: Option<usize>,
    /// Who holds which share; other phases say how many there are.
    #[serde(default)]
    pub shares: serde_json::Value,
    pub token_serial: Option<String>,
}

#[derive(Deserialize)]
pub struct Login {
    pub token: TokenData,
}

#[derive(Deserialize)]
pub struct TokenData {
    pub serial: String,
}

#[derive(Deserialize)]
pub struct TokenSerial {
    pub token_serial: String,
}

#[derive(Deserialize)]
pub struct Present {
    pub role: Role,
    pub name: String,
}

#[derive(Deserialize)]
pub struct InventoryData {
    pub token_serial: String,
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
    pub indexes: serde_json::Value,
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
