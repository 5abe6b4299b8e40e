//! Certificate extensions, from the certificate profile (RFC 5280 4.2).

use std::net::IpAddr;

use const_oid::AssociatedOid;
use der::Encode;
use der::asn1::{Ia5String, OctetString};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectAltName,
    SubjectKeyIdentifier,
};

use super::{Error, policies};
use crate::keys::{KeyKind, PublicKey};
use crate::policy::{CertificateProfile, Use};

fn extension<T: AssociatedOid + Encode>(value: &T, critical: bool) -> Result<Extension, Error> {
    Ok(Extension { extn_id: T::OID, critical, extn_value: OctetString::new(value.to_der()?)? })
}

/// Builds the extensions of a certificate for a key in the token, in the order in which RFC 5280
/// describes them.
///
/// `issuer_key` is `None` for a root, which has no authorityKeyIdentifier.
pub fn for_key(
    profile: &CertificateProfile,
    key: &PublicKey,
    issuer_key: Option<&PublicKey>,
) -> Result<Vec<Extension>, Error> {
    let mut list = Vec::new();
    if let Some(issuer) = issuer_key {
        list.push(authority_key_identifier(issuer)?);
    }
    list.push(subject_key_identifier(key)?);
    list.push(usage(profile, key.kind())?);
    list.extend(closing(profile)?);
    Ok(list)
}

/// authorityKeyIdentifier, with the key identifier alone (RFC 5280 4.2.1.1).
pub fn authority_key_identifier(issuer: &PublicKey) -> Result<Extension, Error> {
    let identifier = AuthorityKeyIdentifier {
        key_identifier: Some(OctetString::new(issuer.identifier())?),
        authority_cert_issuer: None,
        authority_cert_serial_number: None,
    };
    extension(&identifier, false)
}

/// subjectKeyIdentifier (RFC 5280 4.2.1.2).
pub fn subject_key_identifier(key: &PublicKey) -> Result<Extension, Error> {
    extension(&SubjectKeyIdentifier(OctetString::new(key.identifier())?), false)
}

/// keyUsage of a key of this kind (RFC 5280 4.2.1.3).
pub fn usage(profile: &CertificateProfile, kind: KeyKind) -> Result<Extension, Error> {
    extension(&key_usage(profile, kind), true)
}

/// subjectAltName; critical if the subject is empty (RFC 5280 4.2.1.6).
pub fn names(dns: &[String], ip: &[IpAddr], critical: bool) -> Result<Extension, Error> {
    extension(&alternatives(dns, ip)?, critical)
}

/// The last extensions: basicConstraints, extKeyUsage, and the certificate policy of manifest keys.
pub fn closing(profile: &CertificateProfile) -> Result<Vec<Extension>, Error> {
    // In leaves cA has its default value, which DER omits: an empty SEQUENCE.
    let constraints =
        BasicConstraints { ca: profile.is_authority(), path_len_constraint: profile.path_length };
    let mut list = vec![extension(&constraints, true)?];
    if !profile.extended_key_usage.is_empty() {
        let purposes = profile.extended_key_usage.iter().map(|purpose| purpose.oid()).collect();
        list.push(extension(&ExtendedKeyUsage(purposes), false)?);
    }
    if profile.asserts_manifest_signing() {
        list.push(policies::manifest_signing()?);
    }
    Ok(list)
}

/// Omits keyEncipherment unless the key is RSA (RFC 8813 section 3, RFC 8410 section 5).
fn key_usage(profile: &CertificateProfile, kind: KeyKind) -> KeyUsage {
    let enciphers = matches!(kind, KeyKind::Rsa(_));
    let bits = profile.key_usage.iter().filter(|usage| enciphers || **usage != Use::KeyEncipherment);
    KeyUsage(bits.fold(Default::default(), |set: der::flagset::FlagSet<KeyUsages>, usage| set | usage.bit()))
}

fn alternatives(dns: &[String], ip: &[IpAddr]) -> Result<SubjectAltName, Error> {
    let mut names = Vec::new();
    for name in dns {
        names.push(GeneralName::DnsName(Ia5String::new(name)?));
    }
    names.extend(ip.iter().map(|address| GeneralName::from(*address)));
    Ok(SubjectAltName(names))
}
