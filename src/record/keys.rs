//! Events in the life cycle of keys in the token.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Inventory, KeyAttributes};
use crate::digest::Digest;
use crate::keys::KeyRequest;

/// The purpose of a key in a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum KeyRole {
    /// Signs certificates.
    Authority,
    /// Signs manifests.
    Manifest,
}

impl KeyRole {
    /// Returns the role's name in ledger and transcript.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Authority => "authority",
            Self::Manifest => "manifest",
        }
    }

    /// Returns the name of the key's holder for display.
    pub fn title(self) -> &'static str {
        match self {
            Self::Authority => "authority",
            Self::Manifest => "manifest signer",
        }
    }
}

/// A key that is about to be generated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyIntended {
    /// The key's name, which is its label in the token.
    pub name: String,
    /// Purpose of the key.
    pub role: KeyRole,
    /// Kind of key.
    pub key: KeyRequest,
    /// CKA_ID in hexadecimal.
    pub key_id: String,
    /// Serial of the token.
    pub token_serial: String,
    /// Name of the issuing authority; the key's own name for a root.
    pub issuer: String,
    /// Name of the certificate profile.
    pub profile: String,
    /// Objects on the token before generation.
    pub before: Inventory,
}

impl KeyIntended {
    /// Returns the first field that differs: its name and both values.
    pub fn difference(&self, other: &Self) -> Option<(&'static str, String, String)> {
        first_difference!(self, other, name role key key_id token_serial issuer profile before)
    }
}

/// The objects of a key that were found after an interruption.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyFound {
    /// Name of the key.
    pub name: String,
    /// CKA_ID in hexadecimal.
    pub key_id: String,
    /// The objects found.
    pub objects: Inventory,
    /// SHA-256 of the SubjectPublicKeyInfo, if the pair is usable.
    pub spki_sha256: Option<Digest>,
    /// Why the pair cannot be kept, if it cannot.
    pub reason: Option<String>,
}

/// A key of which the token has no objects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyWithdrawn {
    /// Name of the key.
    pub name: String,
    /// CKA_ID in hexadecimal.
    pub key_id: String,
    /// The objects that were destroyed.
    pub destroyed: Inventory,
}

/// A key pair that was generated, or found and kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyGenerated {
    /// Name of the key.
    pub name: String,
    /// Kind of key, for display.
    pub key: String,
    /// CKA_ID in hexadecimal.
    pub key_id: String,
    /// SHA-256 of the SubjectPublicKeyInfo.
    pub spki_sha256: Digest,
    /// Attributes of the private key as reported by the token.
    pub attributes: KeyAttributes,
}

/// A key of the ledger that signed a challenge and whose attributes were read back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyProved {
    /// Name of the key.
    pub name: String,
    /// Attributes of the private key as reported by the token.
    pub attributes: KeyAttributes,
}

/// The reservation for the certificate of a key in the token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyReserved {
    /// Name of the key.
    pub name: String,
    /// Serial number in hexadecimal.
    pub serial: String,
    /// SHA-256 of the TBSCertificate.
    pub tbs_sha256: Digest,
}

/// The certificate of a key in the token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyCertificate {
    /// Name of the key.
    pub name: String,
    /// Purpose of the key.
    pub role: KeyRole,
    /// Subject (RFC 4514).
    pub subject: String,
    /// Serial number in hexadecimal.
    pub serial: String,
    /// SHA-256 of the certificate's DER.
    pub sha256: Digest,
    /// SHA-256 of the SubjectPublicKeyInfo.
    pub spki_sha256: Digest,
    /// notAfter, UTC.
    pub not_after: String,
    /// Name of the issuing authority; the key's own name for a root.
    pub issuer: String,
    /// Name of the certificate profile.
    pub profile: String,
    /// CKA_ID in hexadecimal.
    pub key_id: String,
    /// Serial of the token.
    pub token_serial: String,
}

impl KeyCertificate {
    /// The first field that differs: its name and both values.
    pub fn difference(&self, other: &Self) -> Option<(&'static str, String, String)> {
        first_difference!(self, other, name role subject serial sha256 spki_sha256 not_after issuer profile key_id token_serial)
    }
}
