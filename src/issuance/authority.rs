//! An authority as issuance sees it: a name, a certificate, the public key in it.

use std::sync::Arc;

use const_oid::AssociatedOid;
use const_oid::db::rfc5912::{
    ECDSA_WITH_SHA_256, ECDSA_WITH_SHA_384, ECDSA_WITH_SHA_512, SHA_256_WITH_RSA_ENCRYPTION,
};
use der::asn1::Null;
use der::{DateTime, Encode};
use spki::AlgorithmIdentifierOwned;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage};
use x509_cert::name::Name;

use super::{Certificate, Error};
use crate::keys::{KeyKind, PublicKey};

/// One CA: its name in the ledger and its certificate.
#[derive(Clone, Debug)]
pub struct Authority {
    name: String,
    certificate: Certificate,
    key: Arc<PublicKey>,
    subject: Vec<u8>,
    path_length: Option<u8>,
}

impl Authority {
    /// Takes a certificate that may sign others.
    ///
    /// # Errors
    /// [`Error::Refused`] when basicConstraints or keyUsage deny it.
    pub fn new(name: &str, certificate: Certificate) -> Result<Self, Error> {
        let constraints: Option<BasicConstraints> = certificate.extension(BasicConstraints::OID)?;
        let usage: Option<KeyUsage> = certificate.extension(KeyUsage::OID)?;
        match (constraints, usage) {
            (Some(constraints), Some(usage)) if constraints.ca && usage.key_cert_sign() => {
                let key = Arc::new(certificate.key().clone());
                let subject = certificate.parsed().tbs_certificate().subject().to_der()?;
                let path_length = constraints.path_len_constraint;
                Ok(Self { name: name.to_owned(), certificate, key, subject, path_length })
            }
            _ => {
                Err(Error::Refused(format!("{name}: its certificate does not allow it to sign certificates")))
            }
        }
    }

    /// The name that scripts use.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Its subject, the issuer of what it signs.
    pub fn subject(&self) -> &Name {
        self.certificate.parsed().tbs_certificate().subject()
    }

    /// The DER octets of its subject.
    pub fn subject_octets(&self) -> &[u8] {
        &self.subject
    }

    /// Its public key.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    pub(super) fn shared_key(&self) -> &Arc<PublicKey> {
        &self.key
    }

    /// The last second at which it is valid.
    pub fn not_after(&self) -> DateTime {
        self.certificate.validity().not_after
    }

    /// How many authorities may follow below it, when that is limited.
    pub fn path_length(&self) -> Option<u8> {
        self.path_length
    }
}

/// The algorithm by which a key of this kind signs: ECDSA with the hash of the curve's size
/// (RFC 5758 3.2), RSA PKCS #1 v1.5 with SHA-256 (RFC 4055 5).
///
/// # Errors
/// [`Error::Refused`] for a kind that signs nothing here.
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
