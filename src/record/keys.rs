//! What became of keys that the token was asked for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Inventory, KeyAttributes};
use crate::digest::Digest;
use crate::keys::KeyRequest;

/// What a key in a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum KeyRole {
    /// It signs certificates.
    Authority,
    /// It signs manifests.
    Manifest,
}

impl KeyRole {
    /// The word for it in the ledger and in the transcript.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Authority => "authority",
            Self::Manifest => "manifest",
        }
    }

    /// What people call its holder.
    pub fn title(self) -> &'static str {
        match self {
            Self::Authority => "authority",
            Self::Manifest => "manifest signer",
        }
    }
}

/// A key that the token is about to be asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyIntended {
    /// Its name, and label in the token.
    pub name: String,
    /// What it is for.
    pub role: KeyRole,
    /// Which kind of key.
    pub key: KeyRequest,
    /// CKA_ID in hexadecimal.
    pub key_id: String,
    /// Which token.
    pub token_serial: String,
    /// The issuing authority; the key itself for a root.
    pub issuer: String,
    /// Its certificate profile.
    pub profile: String,
    /// What lay on the token before.
    pub before: Inventory,
}

/// What was found of a key after an interruption.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyFound {
    /// Its name.
    pub name: String,
    /// CKA_ID in hexadecimal.
    pub key_id: String,
    /// The objects of it.
    pub objects: Inventory,
    /// SHA-256 over the SubjectPublicKeyInfo of a usable pair.
    pub spki_sha256: Option<Digest>,
    /// Why it cannot be kept, when it cannot.
    pub reason: Option<String>,
}

/// A key of which the token holds nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyWithdrawn {
    /// Its name.
    pub name: String,
    /// CKA_ID in hexadecimal.
    pub key_id: String,
    /// What of it was destroyed.
    pub destroyed: Inventory,
}

/// A pair that was generated, or found and kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyGenerated {
    /// Its name.
    pub name: String,
    /// The kind of key, for people.
    pub key: String,
    /// CKA_ID in hexadecimal.
    pub key_id: String,
    /// SHA-256 over the SubjectPublicKeyInfo.
    pub spki_sha256: Digest,
    /// What the token says of the private key.
    pub attributes: KeyAttributes,
}

/// A key of the ledger that signed a challenge, and whose attributes were read back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyProved {
    /// Its name.
    pub name: String,
    /// What the token says of the private key.
    pub attributes: KeyAttributes,
}

/// What was reserved for the certificate of a key in the token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyReserved {
    /// Its name.
    pub name: String,
    /// The serial number, in hexadecimal.
    pub serial: String,
    /// SHA-256 over the TBSCertificate.
    pub tbs_sha256: Digest,
}

/// The certificate of a key in the token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyCertificate {
    /// The key's name.
    pub name: String,
    /// What it is for.
    pub role: KeyRole,
    /// Subject (RFC 4514).
    pub subject: String,
    /// Serial number, in hexadecimal.
    pub serial: String,
    /// SHA-256 over the certificate's DER.
    pub sha256: Digest,
    /// SHA-256 over the SubjectPublicKeyInfo.
    pub spki_sha256: Digest,
    /// notAfter, UTC.
    pub not_after: String,
    /// The issuing authority; the key itself for a root.
    pub issuer: String,
    /// Its certificate profile.
    pub profile: String,
    /// CKA_ID in hexadecimal.
    pub key_id: String,
    /// Which token.
    pub token_serial: String,
}

impl KeyCertificate {
    /// The first field that differs: its name and both values.
    pub fn difference(&self, other: &Self) -> Option<(&'static str, String, String)> {
        first_difference!(self, other, name role subject serial sha256 spki_sha256 not_after issuer profile key_id token_serial)
    }
}
