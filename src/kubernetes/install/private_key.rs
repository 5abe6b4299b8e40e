//! Derives the public key from a PEM private key: PKCS #8 (RFC 5958), PKCS #1 (RFC 8017 A.1.2) or
//! SEC 1 (RFC 5915). The private key is not kept.

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA512_ASN1_SIGNING,
    EcdsaKeyPair, Ed25519KeyPair, KeyPair,
};

use super::pem;
use crate::digest::Digest;

/// Returns the SHA-256 of the SubjectPublicKeyInfo of the only private key in a PEM file.
pub fn public_key(octets: &[u8]) -> Result<Digest, String> {
    let key = pem::private_key(octets)?;
    if key.label.starts_with("ENCRYPTED") || key.text.contains("Proc-Type: 4,ENCRYPTED") {
        return Err("the private key is encrypted, which cluster components do not support".into());
    }
    let der = key.octets.map_err(|e| format!("{}: {e}", key.label))?;
    let info = match key.label {
        "PRIVATE KEY" => pkcs8(&der),
        "RSA PRIVATE KEY" => rsa::KeyPair::from_der(&der).ok().and_then(|pair| info(pair.public_key())),
        "EC PRIVATE KEY" => elliptic(&der),
        other => return Err(format!("PEM label is {other:?}, which is not a supported key format")),
    };
    let info =
        info.ok_or_else(|| format!("{}: not a valid RSA, P-256, P-384, P-521 or Ed25519 key", key.label))?;
    Ok(Digest::of(&info))
}

fn pkcs8(der: &[u8]) -> Option<Vec<u8>> {
    let rsa = || rsa::KeyPair::from_pkcs8(der).ok().and_then(|pair| info(pair.public_key()));
    let edwards =
        || Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).ok().and_then(|pair| info(pair.public_key()));
    elliptic(der).or_else(rsa).or_else(edwards)
}

fn elliptic(der: &[u8]) -> Option<Vec<u8>> {
    [&ECDSA_P256_SHA256_ASN1_SIGNING, &ECDSA_P384_SHA384_ASN1_SIGNING, &ECDSA_P521_SHA512_ASN1_SIGNING]
        .into_iter()
        .find_map(|algorithm| EcdsaKeyPair::from_private_key_der(algorithm, der).ok())
        .and_then(|pair| info(pair.public_key()))
}

fn info(key: &impl AsDer<PublicKeyX509Der<'static>>) -> Option<Vec<u8>> {
    key.as_der().ok().map(|der| der.as_ref().to_vec())
}
