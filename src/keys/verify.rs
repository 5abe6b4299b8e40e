//! Signature verification and the accepted algorithms.

use aws_lc_rs::signature as lc;
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5912::{
    ECDSA_WITH_SHA_256, ECDSA_WITH_SHA_384, ECDSA_WITH_SHA_512, ID_RSASSA_PSS, SHA_256_WITH_RSA_ENCRYPTION,
    SHA_384_WITH_RSA_ENCRYPTION, SHA_512_WITH_RSA_ENCRYPTION,
};
use const_oid::db::rfc8410::ID_ED_25519;
use der::Encode;
use der::asn1::Null;
use spki::AlgorithmIdentifierOwned;

use super::{KeyKind, PublicKey};
use crate::digest::hex;

/// Why a signature is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// An algorithm that is not accepted, at all or with this key.
    #[error("{0}")]
    Algorithm(String),
    /// The signature does not verify.
    #[error("signature does not verify with the public key")]
    Invalid,
}

/// Verifies a signature over `message` with `key`.
///
/// Accepted are Ed25519 (RFC 8410), and with SHA-256, SHA-384 or SHA-512: ECDSA (RFC 5758), RSA
/// PKCS #1 v1.5 (RFC 4055 5), and RSASSA-PSS with equal hashes and a salt of the hash length
/// (RFC 4055 3).
///
/// # Errors
/// [`SignatureError`] distinguishes an algorithm that is not accepted from an invalid signature.
pub fn verify(
    key: &PublicKey,
    algorithm: &AlgorithmIdentifierOwned,
    message: &[u8],
    signature: &[u8],
) -> Result<(), SignatureError> {
    let verifier = verifier(key.kind(), algorithm)?;
    // aws-lc expects the subjectPublicKey bits: RSAPublicKey for RSA, the point for curves.
    lc::UnparsedPublicKey::new(verifier, key.bits())
        .verify(message, signature)
        .map_err(|_| SignatureError::Invalid)
}

fn verifier(
    kind: KeyKind,
    algorithm: &AlgorithmIdentifierOwned,
) -> Result<&'static dyn lc::VerificationAlgorithm, SignatureError> {
    let found: Option<&'static dyn lc::VerificationAlgorithm> = match (kind, algorithm.oid) {
        (KeyKind::P256, ECDSA_WITH_SHA_256) => Some(&lc::ECDSA_P256_SHA256_ASN1),
        (KeyKind::P256, ECDSA_WITH_SHA_384) => Some(&lc::ECDSA_P256_SHA384_ASN1),
        (KeyKind::P256, ECDSA_WITH_SHA_512) => Some(&lc::ECDSA_P256_SHA512_ASN1),
        (KeyKind::P384, ECDSA_WITH_SHA_256) => Some(&lc::ECDSA_P384_SHA256_ASN1),
        (KeyKind::P384, ECDSA_WITH_SHA_384) => Some(&lc::ECDSA_P384_SHA384_ASN1),
        (KeyKind::P384, ECDSA_WITH_SHA_512) => Some(&lc::ECDSA_P384_SHA512_ASN1),
        (KeyKind::P521, ECDSA_WITH_SHA_256) => Some(&lc::ECDSA_P521_SHA256_ASN1),
        (KeyKind::P521, ECDSA_WITH_SHA_384) => Some(&lc::ECDSA_P521_SHA384_ASN1),
        (KeyKind::P521, ECDSA_WITH_SHA_512) => Some(&lc::ECDSA_P521_SHA512_ASN1),
        (KeyKind::Rsa(_), SHA_256_WITH_RSA_ENCRYPTION) => Some(&lc::RSA_PKCS1_2048_8192_SHA256),
        (KeyKind::Rsa(_), SHA_384_WITH_RSA_ENCRYPTION) => Some(&lc::RSA_PKCS1_2048_8192_SHA384),
        (KeyKind::Rsa(_), SHA_512_WITH_RSA_ENCRYPTION) => Some(&lc::RSA_PKCS1_2048_8192_SHA512),
        (KeyKind::Rsa(_), ID_RSASSA_PSS) => return pss(algorithm),
        (KeyKind::Ed25519, ID_ED_25519) => Some(&lc::ED25519),
        _ => None,
    };
    let found = found.ok_or_else(|| {
        SignatureError::Algorithm(format!(
            "signature algorithm {} is not accepted with an {kind} key; use SHA-256, SHA-384 or SHA-512",
            name(algorithm.oid)
        ))
    })?;
    require_parameters(kind, algorithm)?;
    Ok(found)
}

fn require_parameters(kind: KeyKind, algorithm: &AlgorithmIdentifierOwned) -> Result<(), SignatureError> {
    let fits = match (kind, &algorithm.parameters) {
        (KeyKind::Rsa(_), Some(any)) => any.decode_as::<Null>().is_ok(),
        (KeyKind::Rsa(_), None) => false,
        (_, parameters) => parameters.is_none(),
    };
    if fits {
        return Ok(());
    }
    Err(SignatureError::Algorithm(format!(
        "signature algorithm {} has wrong parameters; RSA requires NULL (RFC 4055 5), others none (RFC 5758 3.2, RFC 8410 3)",
        name(algorithm.oid)
    )))
}

/// Returns RSASSA-PSS-params (RFC 4055 3.1) in hexadecimal: the hash with this last arc (1, 2, 3
/// for SHA-256, -384, -512), MGF1 with the same hash, and a salt of the hash length in octets.
fn pss_parameters(arc: u8, salt: u8) -> String {
    let hash = format!("300d06096086480165030402{arc:02x}0500");
    format!("3034a00f{hash}a11c301a06092a864886f70d010108{hash}a2030201{salt:02x}")
}

fn pss(
    algorithm: &AlgorithmIdentifierOwned,
) -> Result<&'static dyn lc::VerificationAlgorithm, SignatureError> {
    let parameters = algorithm.parameters.to_der().map(|der| hex(&der)).unwrap_or_default();
    let known: [(String, &'static dyn lc::VerificationAlgorithm); 3] = [
        (pss_parameters(1, 32), &lc::RSA_PSS_2048_8192_SHA256),
        (pss_parameters(2, 48), &lc::RSA_PSS_2048_8192_SHA384),
        (pss_parameters(3, 64), &lc::RSA_PSS_2048_8192_SHA512),
    ];
    known.into_iter().find(|(der, _)| *der == parameters).map(|(_, verifier)| verifier).ok_or_else(|| {
        SignatureError::Algorithm(
            "RSASSA-PSS parameters are not SHA-256, SHA-384 or SHA-512 for both hashes, with a salt of the hash length".into(),
        )
    })
}

fn name(oid: ObjectIdentifier) -> String {
    const_oid::db::DB.by_oid(&oid).map_or_else(|| oid.to_string(), str::to_owned)
}
