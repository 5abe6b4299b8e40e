//! Creates requests (RFC 2986) like `kubeadm certs generate-csr`: only subject and subjectAltName.

use std::net::IpAddr;

use const_oid::AssociatedOid;
use der::asn1::{Ia5String, OctetString};
use der::{Encode, EncodePem};
use x509_cert::attr::{Attribute, Attributes};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::request::{CertReq, CertReqInfo, ExtensionReq, Version};
use zeroize::Zeroizing;

use super::cluster::AltNames;
use super::keys::{KeyType, Pair};
use crate::failure::Failure;
use crate::policy::subject_from;

/// A private key (PKCS #8, PEM) and a request for it (PEM).
#[derive(Debug)]
pub struct NewKey {
    /// Private key; it stays where it was generated.
    pub private_key: Zeroizing<String>,
    /// Certification request; it travels to the signing machine.
    pub request: String,
}

/// Generates an ECDSA P-256 key and signs a request for it.
///
/// # Errors
/// [`Failure`] when a name cannot be encoded.
pub fn request(subject: &[String], dns: &[String], ip: &[IpAddr]) -> Result<NewKey, Failure> {
    let pair = Pair::generate(KeyType::P256)?;
    let names = AltNames { dns: dns.to_vec(), ip: ip.to_vec() };
    Ok(NewKey { private_key: pair.private_pem()?, request: request_for(&pair, subject, &names)? })
}

/// Signs a request for a key and returns it in PEM. `subject` lists `TYPE=value` in order.
///
/// # Errors
/// [`Failure`] when a name cannot be encoded.
pub fn request_for(pair: &Pair, subject: &[String], names: &AltNames) -> Result<String, Failure> {
    let info = CertReqInfo {
        version: Version::V1,
        subject: subject_from(subject).map_err(|e| Failure::fault(e.0))?,
        public_key: pair.public()?,
        attributes: attributes(names)?,
    };
    let signature = pair.sign(&info.to_der()?)?;
    let request = CertReq { info, algorithm: pair.algorithm()?, signature };
    Ok(request.to_pem(der::pem::LineEnding::LF)?)
}

fn attributes(names: &AltNames) -> Result<Attributes, Failure> {
    let AltNames { dns, ip } = names;
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
