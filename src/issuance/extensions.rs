//! Extensions of a certificate, from its profile (RFC 5280 4.2).

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

use super::Error;
use crate::keys::{KeyKind, PublicKey};
use crate::policy::{CertificateProfile, Kind, Use};

fn extension<T: AssociatedOid + Encode>(value: &T, critical: bool) -> Result<Extension, Error> {
    Ok(Extension { extn_id: T::OID, critical, extn_value: OctetString::new(value.to_der()?)? })
}

/// All extensions, in the order in which RFC 5280 describes their use.
///
/// `issuer_key` is none for a root, whose identifier points nowhere but to itself.
pub fn for_profile(
    profile: &CertificateProfile,
    key: &PublicKey,
    issuer_key: Option<&PublicKey>,
    names: Option<(&[String], &[IpAddr], bool)>,
) -> Result<Vec<Extension>, Error> {
    let mut list = Vec::new();
    if let Some(issuer) = issuer_key {
        let identifier = AuthorityKeyIdentifier {
            key_identifier: Some(OctetString::new(issuer.identifier())?),
            authority_cert_issuer: None,
            authority_cert_serial_number: None,
        };
        list.push(extension(&identifier, false)?);
    }
    list.push(extension(&SubjectKeyIdentifier(OctetString::new(key.identifier())?), false)?);
    list.push(extension(&key_usage(profile, key), true)?);
    if let Some((dns, ip, critical)) = names.filter(|(dns, ip, _)| !dns.is_empty() || !ip.is_empty()) {
        list.push(extension(&alternatives(dns, ip)?, critical)?);
    }
    // In leaves cA is left at its default, which DER does not encode: an empty SEQUENCE.
    let constraints =
        BasicConstraints { ca: profile.is_authority(), path_len_constraint: profile.path_length };
    list.push(extension(&constraints, true)?);
    if profile.kind == Kind::Leaf || profile.kind == Kind::Manifest {
        let purposes = profile.extended_key_usage.iter().map(|purpose| purpose.oid()).collect();
        list.push(extension(&ExtendedKeyUsage(purposes), false)?);
    }
    Ok(list)
}

/// keyEncipherment is for RSA keys alone (RFC 8813 section 3, RFC 8410 section 5).
fn key_usage(profile: &CertificateProfile, key: &PublicKey) -> KeyUsage {
    let enciphers = matches!(key.kind(), KeyKind::Rsa(_));
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
