//! The public key kinds that keyrite accepts.

use std::fmt;

use const_oid::db::rfc5912::{ID_EC_PUBLIC_KEY, RSA_ENCRYPTION, SECP_256_R_1, SECP_384_R_1, SECP_521_R_1};
use const_oid::db::rfc8410::ID_ED_25519;
use der::asn1::{AnyRef, Null, ObjectIdentifier};
use der::{Decode, Encode};
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};

use super::{KeyError, rsa};
use crate::digest::Digest;

/// The algorithm of a public key, with its curve or size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// RSA with a modulus of this many bits.
    Rsa(usize),
    /// ECDSA on P-256 (RFC 5480 2.1.1.1).
    P256,
    /// ECDSA on P-384.
    P384,
    /// ECDSA on P-521.
    P521,
    /// Ed25519 (RFC 8410).
    Ed25519,
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa(bits) => write!(f, "RSA {bits}"),
            Self::P256 => f.write_str("ECDSA P-256"),
            Self::P384 => f.write_str("ECDSA P-384"),
            Self::P521 => f.write_str("ECDSA P-521"),
            Self::Ed25519 => f.write_str("Ed25519"),
        }
    }
}

/// A public key of accepted kind and strength, with its exact encoding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    info: SubjectPublicKeyInfoOwned,
    der: Vec<u8>,
    kind: KeyKind,
}

impl PublicKey {
    /// Checks the kind and strength of a key.
    ///
    /// # Errors
    /// [`KeyError`] names the unsupported algorithm or the weakness.
    pub fn new(info: SubjectPublicKeyInfoOwned) -> Result<Self, KeyError> {
        let der = info.to_der().map_err(|e| KeyError::Unsupported(format!("public key: {e}")))?;
        let bits = info.subject_public_key.as_bytes().unwrap_or_default();
        let kind = match info.algorithm.oid {
            RSA_ENCRYPTION => {
                require_null(&info.algorithm)?;
                KeyKind::Rsa(rsa::check(bits)?)
            }
            ID_EC_PUBLIC_KEY => curve(&info.algorithm, bits)?,
            ID_ED_25519 => ed25519(&info.algorithm, bits)?,
            other => {
                return Err(KeyError::Unsupported(format!(
                    "public key algorithm {other} is not supported; use RSA, ECDSA on P-256, P-384 or P-521, or Ed25519"
                )));
            }
        };
        Ok(Self { info, der, kind })
    }

    /// Decodes a key that [`PublicKey::new`] accepted earlier, without checking its strength again.
    ///
    /// # Errors
    /// [`KeyError`] when the octets are not a key of an accepted kind.
    pub fn accepted(der: &[u8]) -> Result<Self, KeyError> {
        let unsupported = |e: der::Error| KeyError::Unsupported(format!("public key: {e}"));
        let info = SubjectPublicKeyInfoOwned::from_der(der).map_err(unsupported)?;
        let bits = info.subject_public_key.as_bytes().unwrap_or_default();
        let kind = match info.algorithm.oid {
            RSA_ENCRYPTION => KeyKind::Rsa(rsa::modulus_bits(bits)?),
            ID_ED_25519 => KeyKind::Ed25519,
            _ => curve(&info.algorithm, bits)?,
        };
        Ok(Self { info, der: der.to_vec(), kind })
    }

    /// Returns its kind.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// Returns the SubjectPublicKeyInfo.
    pub fn info(&self) -> &SubjectPublicKeyInfoOwned {
        &self.info
    }

    /// Returns the DER octets of the SubjectPublicKeyInfo.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Returns the SHA-256 of [`PublicKey::der`].
    pub fn digest(&self) -> Digest {
        Digest::of(&self.der)
    }

    /// Returns the contents of the subjectPublicKey BIT STRING.
    pub fn bits(&self) -> &[u8] {
        self.info.subject_public_key.as_bytes().unwrap_or_default()
    }

    /// Returns the key identifier: the leftmost 160 bits of the SHA-256 of the subjectPublicKey bits
    /// (RFC 7093 section 2, method 1).
    pub fn identifier(&self) -> Vec<u8> {
        Digest::of(self.bits()).as_bytes().iter().take(20).copied().collect()
    }
}

fn require_null(algorithm: &AlgorithmIdentifierOwned) -> Result<(), KeyError> {
    match &algorithm.parameters {
        Some(any) if any.decode_as::<Null>().is_ok() => Ok(()),
        _ => Err(KeyError::Unsupported("RSA public key without NULL parameters (RFC 3279 2.3.1)".into())),
    }
}

fn curve(algorithm: &AlgorithmIdentifierOwned, point: &[u8]) -> Result<KeyKind, KeyError> {
    let named =
        algorithm.parameters.as_ref().and_then(|any| AnyRef::from(any).decode_as::<ObjectIdentifier>().ok());
    let (kind, width) = match named {
        Some(SECP_256_R_1) => (KeyKind::P256, 32),
        Some(SECP_384_R_1) => (KeyKind::P384, 48),
        Some(SECP_521_R_1) => (KeyKind::P521, 66),
        Some(other) => {
            return Err(KeyError::Unsupported(format!(
                "curve {other} is not supported; use P-256, P-384 or P-521"
            )));
        }
        None => {
            return Err(KeyError::Unsupported("elliptic curve is not a named curve (RFC 5480 2.1.1)".into()));
        }
    };
    if point.first() != Some(&4) || point.len() != 1 + 2 * width {
        return Err(KeyError::Unsupported(format!(
            "{kind} public key is not an uncompressed point of {} octets",
            1 + 2 * width
        )));
    }
    Ok(kind)
}

fn ed25519(algorithm: &AlgorithmIdentifierOwned, bits: &[u8]) -> Result<KeyKind, KeyError> {
    if algorithm.parameters.is_some() {
        return Err(KeyError::Unsupported("Ed25519 public key with parameters (RFC 8410 3)".into()));
    }
    let point = curve25519_dalek::edwards::CompressedEdwardsY::from_slice(bits)
        .ok()
        .filter(|compressed| {
            // RFC 8032 5.1.3 requires a canonical encoding.
            compressed.decompress().is_some_and(|point| point.compress() == *compressed)
        })
        .and_then(|compressed| compressed.decompress());
    match point {
        None => Err(KeyError::Unsupported("Ed25519 public key is not a canonical point".into())),
        Some(point) if point.is_small_order() => {
            Err(KeyError::Weak("Ed25519 public key is of small order".into()))
        }
        Some(_) => Ok(KeyKind::Ed25519),
    }
}

impl TryFrom<&[u8]> for PublicKey {
    type Error = KeyError;

    fn try_from(der: &[u8]) -> Result<Self, KeyError> {
        let info = SubjectPublicKeyInfoOwned::from_der(der)
            .map_err(|e| KeyError::Unsupported(format!("public key: {e}")))?;
        Self::new(info)
    }
}
