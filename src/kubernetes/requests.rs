//! A new key and a certification request for it (RFC 2986), as `kubeadm certs generate-csr`
//! shapes them: subject and subjectAltName, nothing else.

use std::net::IpAddr;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use const_oid::AssociatedOid;
use const_oid::db::rfc5912::{ECDSA_WITH_SHA_256, ID_EC_PUBLIC_KEY, SECP_256_R_1};
use der::asn1::{BitString, Ia5String, OctetString};
use der::{Any, Encode, EncodePem};
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use x509_cert::attr::{Attribute, Attributes};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::request::{CertReq, CertReqInfo, ExtensionReq, Version};
use zeroize::Zeroizing;

use super::Error;
use crate::policy::subject_from;

/// A private key (PKCS #8, PEM) and the request for it (PEM).
#[derive(Debug)]
pub struct NewKey {
    /// The private key; it stays where it was made.
    pub private_key: Zeroizing<String>,
    /// The request; it travels.
    pub request: String,
}

/// Generates an ECDSA P-256 key and signs a request for it.
///
/// # Errors
/// [`Error`] when a name cannot be encoded.
pub fn request(subject: &[String], dns: &[String], ip: &[IpAddr]) -> Result<NewKey, Error> {
    let crypto = |_| Error("key generation failed".into());
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).map_err(crypto)?;
    let info = CertReqInfo {
        version: Version::V1,
        subject: subject_from(subject).map_err(|e| Error(e.0))?,
        public_key: SubjectPublicKeyInfoOwned {
            algorithm: AlgorithmIdentifierOwned {
                oid: ID_EC_PUBLIC_KEY,
                parameters: Some(Any::encode_from(&SECP_256_R_1)?),
            },
            subject_public_key: BitString::from_bytes(pair.public_key().as_ref())?,
        },
        attributes: attributes(dns, ip)?,
    };
    let signature = pair.sign(&SystemRandom::new(), &info.to_der()?).map_err(crypto)?;
    let request = CertReq {
        info,
        algorithm: AlgorithmIdentifierOwned { oid: ECDSA_WITH_SHA_256, parameters: None },
        signature: BitString::from_bytes(signature.as_ref())?,
    };
    let private = pair.to_pkcs8v1().map_err(crypto)?;
    let private_key = der::pem::encode_string("PRIVATE KEY", der::pem::LineEnding::LF, private.as_ref())
        .map_err(|e| Error(e.to_string()))?;
    Ok(NewKey {
        private_key: Zeroizing::new(private_key),
        request: request.to_pem(der::pem::LineEnding::LF)?,
    })
}

fn attributes(dns: &[String], ip: &[IpAddr]) -> Result<Attributes, Error> {
    if dns.is_empty() && ip.is_empty() {
        return Ok(Attributes::default());
    }
    let mut names = Vec::new();
    for name in dns {
        names.push(GeneralName::DnsName(Ia5String::new(name)?));
    }
    names.extend(ip.iter().map(|address| GeneralName::from(*address)));
    let extension = Extension {
        extn_id: SubjectAltName::OID,
        critical: false,
        extn_value: OctetString::new(SubjectAltName(names).to_der()?)?,
    };
    let attribute = Attribute::try_from(ExtensionReq(vec![extension]))?;
    Ok(Attributes::try_from(vec![attribute])?)
}
