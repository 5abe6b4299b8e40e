//! Keys of a cluster's parties: generated, written and read in PKCS #8 (RFC 5958).

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, KeyPair, RSA_PSS_SHA256,
};
use const_oid::db::rfc5912::{ECDSA_WITH_SHA_256, ECDSA_WITH_SHA_384, ID_MGF_1, ID_RSASSA_PSS, ID_SHA_256};
use der::asn1::{BitString, ContextSpecific};
use der::{Any, Decode, Encode, TagMode, TagNumber};
use serde::Deserialize;
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use zeroize::Zeroizing;

use crate::failure::Failure;

/// Key types that kubeadm allows (encryptionAlgorithm).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyType {
    /// RSA of 2048 bits.
    #[serde(rename = "rsa-2048", alias = "RSA-2048")]
    Rsa2048,
    /// RSA of 3072 bits.
    #[serde(rename = "rsa-3072", alias = "RSA-3072")]
    Rsa3072,
    /// RSA of 4096 bits.
    #[serde(rename = "rsa-4096", alias = "RSA-4096")]
    Rsa4096,
    /// ECDSA on P-256.
    #[default]
    #[serde(rename = "ecdsa-p256", alias = "ECDSA-P256")]
    P256,
    /// ECDSA on P-384.
    #[serde(rename = "ecdsa-p384", alias = "ECDSA-P384")]
    P384,
}

/// A key pair in memory.
pub enum Pair {
    /// RSA.
    Rsa(RsaKeyPair),
    /// ECDSA, with the curve.
    Ecdsa(EcdsaKeyPair, KeyType),
}

impl std::fmt::Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pair")
    }
}

fn failed<E>(_: E) -> Failure {
    Failure::fault("the cryptography library failed to generate or use a key")
}

impl Pair {
    /// Generates a key pair.
    ///
    /// # Errors
    /// [`Failure`] when the library fails.
    pub fn generate(kind: KeyType) -> Result<Self, Failure> {
        let rsa = |size| RsaKeyPair::generate(size).map(Self::Rsa).map_err(failed);
        match kind {
            KeyType::Rsa2048 => rsa(KeySize::Rsa2048),
            KeyType::Rsa3072 => rsa(KeySize::Rsa3072),
            KeyType::Rsa4096 => rsa(KeySize::Rsa4096),
            KeyType::P256 | KeyType::P384 => {
                EcdsaKeyPair::generate(algorithm(kind)).map(|pair| Self::Ecdsa(pair, kind)).map_err(failed)
            }
        }
    }

    /// Reads a private key from PKCS #8 in PEM.
    ///
    /// # Errors
    /// [`Failure`] unless it is an unencrypted RSA, P-256 or P-384 key.
    pub fn from_pem(text: &[u8]) -> Result<Self, Failure> {
        let bad = || Failure::fault("is not an RSA, P-256 or P-384 private key in PKCS #8");
        let (label, der) = der::pem::decode_vec(text).map_err(|_| bad())?;
        let der = Zeroizing::new(der);
        if label != "PRIVATE KEY" {
            return Err(bad());
        }
        for kind in [KeyType::P256, KeyType::P384] {
            if let Ok(pair) = EcdsaKeyPair::from_pkcs8(algorithm(kind), &der) {
                return Ok(Self::Ecdsa(pair, kind));
            }
        }
        RsaKeyPair::from_pkcs8(&der).map(Self::Rsa).map_err(|_| bad())
    }

    /// Returns the private key as PKCS #8 in PEM.
    ///
    /// # Errors
    /// [`Failure`] when the library fails.
    pub fn private_pem(&self) -> Result<Zeroizing<String>, Failure> {
        let text = match self {
            Self::Rsa(pair) => {
                let der: Pkcs8V1Der<'_> = pair.as_der().map_err(failed)?;
                pem("PRIVATE KEY", der.as_ref())
            }
            Self::Ecdsa(pair, _) => pem("PRIVATE KEY", pair.to_pkcs8v1().map_err(failed)?.as_ref()),
        };
        text.map(Zeroizing::new)
    }

    /// Returns the public key as SubjectPublicKeyInfo in PEM.
    ///
    /// # Errors
    /// [`Failure`] when the library fails.
    pub fn public_pem(&self) -> Result<String, Failure> {
        pem("PUBLIC KEY", &self.public_der()?)
    }

    fn public_der(&self) -> Result<Vec<u8>, Failure> {
        let der: PublicKeyX509Der<'_> = match self {
            Self::Rsa(pair) => pair.public_key().as_der(),
            Self::Ecdsa(pair, _) => pair.public_key().as_der(),
        }
        .map_err(failed)?;
        Ok(der.as_ref().to_vec())
    }

    /// Returns the SubjectPublicKeyInfo.
    ///
    /// # Errors
    /// [`Failure`] when the library fails.
    pub fn public(&self) -> Result<SubjectPublicKeyInfoOwned, Failure> {
        Ok(SubjectPublicKeyInfoOwned::from_der(&self.public_der()?)?)
    }

    /// Returns the signature algorithm: ECDSA with the hash of the curve's size, RSA-PSS with
    /// SHA-256. Both are randomized, so that a new request for an old key is a different file.
    ///
    /// # Errors
    /// [`Failure`] when the algorithm cannot be encoded.
    pub fn algorithm(&self) -> Result<AlgorithmIdentifierOwned, Failure> {
        let ecdsa = |oid| AlgorithmIdentifierOwned { oid, parameters: None };
        match self {
            Self::Ecdsa(_, KeyType::P384) => Ok(ecdsa(ECDSA_WITH_SHA_384)),
            Self::Ecdsa(..) => Ok(ecdsa(ECDSA_WITH_SHA_256)),
            Self::Rsa(_) => {
                Ok(AlgorithmIdentifierOwned { oid: ID_RSASSA_PSS, parameters: Some(pss_sha256()?) })
            }
        }
    }

    /// Signs octets with [`Pair::algorithm`].
    ///
    /// # Errors
    /// [`Failure`] when the library fails.
    pub fn sign(&self, octets: &[u8]) -> Result<BitString, Failure> {
        let random = SystemRandom::new();
        match self {
            Self::Ecdsa(pair, _) => {
                let signature = pair.sign(&random, octets).map_err(failed)?;
                Ok(BitString::from_bytes(signature.as_ref())?)
            }
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PSS_SHA256, &random, octets, &mut signature).map_err(failed)?;
                Ok(BitString::from_bytes(&signature)?)
            }
        }
    }
}

fn algorithm(kind: KeyType) -> &'static aws_lc_rs::signature::EcdsaSigningAlgorithm {
    match kind {
        KeyType::P384 => &ECDSA_P384_SHA384_ASN1_SIGNING,
        _ => &ECDSA_P256_SHA256_ASN1_SIGNING,
    }
}

/// Returns RSASSA-PSS-params (RFC 4055 3.1): SHA-256, MGF1 with SHA-256, a salt of 32 octets.
fn pss_sha256() -> Result<Any, Failure> {
    let hash = AlgorithmIdentifierOwned { oid: ID_SHA_256, parameters: Some(Any::null()) };
    let mask = AlgorithmIdentifierOwned { oid: ID_MGF_1, parameters: Some(Any::encode_from(&hash)?) };
    let field = |number, octets: Vec<u8>| -> Result<Vec<u8>, Failure> {
        let value = Any::from_der(&octets)?;
        Ok(ContextSpecific { tag_number: TagNumber(number), tag_mode: TagMode::Explicit, value }.to_der()?)
    };
    let fields = [field(0, hash.to_der()?)?, field(1, mask.to_der()?)?, field(2, 32u8.to_der()?)?];
    Ok(Any::new(der::Tag::Sequence, fields.concat())?)
}

fn pem(label: &str, der: &[u8]) -> Result<String, Failure> {
    der::pem::encode_string(label, der::pem::LineEnding::LF, der).map_err(|e| Failure::fault(e.to_string()))
}
