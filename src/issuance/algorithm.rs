//! The signature algorithm of each key kind.

use const_oid::db::rfc5912::{
    ECDSA_WITH_SHA_256, ECDSA_WITH_SHA_384, ECDSA_WITH_SHA_512, SHA_256_WITH_RSA_ENCRYPTION,
};
use der::asn1::Null;
use spki::AlgorithmIdentifierOwned;

use super::Error;
use crate::keys::KeyKind;

/// Returns the algorithm with which a key of this kind signs: ECDSA with the hash that matches the
/// curve size (RFC 5758 3.2), RSA PKCS #1 v1.5 with SHA-256 (RFC 4055 5).
///
/// # Errors
/// [`Error::Refused`] for Ed25519, which no authority uses.
pub fn signature_algorithm(kind: KeyKind) -> Result<AlgorithmIdentifierOwned, Error> {
    let (oid, parameters) = match kind {
        KeyKind::P256 => (ECDSA_WITH_SHA_256, None),
        KeyKind::P384 => (ECDSA_WITH_SHA_384, None),
        KeyKind::P521 => (ECDSA_WITH_SHA_512, None),
        KeyKind::Rsa(_) => (SHA_256_WITH_RSA_ENCRYPTION, Some(der::Any::encode_from(&Null)?)),
        KeyKind::Ed25519 => {
            return Err(Error::Refused("an authority's key is ECDSA or RSA, not Ed25519".into()));
        }
    };
    Ok(AlgorithmIdentifierOwned { oid, parameters })
}
