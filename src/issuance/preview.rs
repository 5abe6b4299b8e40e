//! A TBSCertificate field by field, for people who review what would be signed (RFC 5280 4.1).

use std::net::IpAddr;

use const_oid::{AssociatedOid, ObjectIdentifier};
use der::Decode;
use x509_cert::TbsCertificate;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAltName,
    SubjectKeyIdentifier,
};

use super::Error;
use crate::digest::hex;
use crate::keys::PublicKey;
use crate::policy::subject_text;

/// Returns label and value of each field, in order.
///
/// # Errors
/// [`Error`] when the octets are not a TBSCertificate.
pub fn preview(tbs: &[u8]) -> Result<Vec<(String, String)>, Error> {
    let tbs = TbsCertificate::from_der(tbs)?;
    let key =
        PublicKey::new(tbs.subject_public_key_info().clone()).map_err(|e| Error::Refused(e.to_string()))?;
    let (start, end) = (tbs.validity().not_before.to_date_time(), tbs.validity().not_after.to_date_time());
    let seconds = end.unix_duration().saturating_sub(start.unix_duration());
    let mut fields = vec![
        ("serial number".into(), hex(tbs.serial_number().as_bytes())),
        ("signature".into(), oid_name(tbs.signature().oid)),
        ("issuer".into(), subject_text(tbs.issuer())),
        ("notBefore".into(), start.to_string()),
        ("notAfter".into(), end.to_string()),
        ("days".into(), (seconds.as_secs() + 1).div_ceil(86_400).to_string()),
        ("subject".into(), subject_text(tbs.subject())),
        ("public key".into(), key.kind().to_string()),
        ("its SHA-256".into(), key.digest().to_string()),
    ];
    for extension in tbs.extensions().map(Vec::as_slice).unwrap_or_default() {
        let critical = if extension.critical { " (critical)" } else { "" };
        fields.push((format!("{}{critical}", oid_name(extension.extn_id)), value(extension)?));
    }
    Ok(fields)
}

fn oid_name(oid: ObjectIdentifier) -> String {
    const_oid::db::DB.by_oid(&oid).map_or_else(|| oid.to_string(), str::to_owned)
}

fn value(extension: &Extension) -> Result<String, Error> {
    let octets = extension.extn_value.as_bytes();
    Ok(match extension.extn_id {
        KeyUsage::OID => KeyUsage::from_der(octets)?
            .0
            .into_iter()
            .map(|bit| format!("{bit:?}"))
            .collect::<Vec<_>>()
            .join(", "),
        ExtendedKeyUsage::OID => {
            let purposes = ExtendedKeyUsage::from_der(octets)?.0;
            purposes.into_iter().map(oid_name).collect::<Vec<_>>().join(", ")
        }
        BasicConstraints::OID => {
            let found = BasicConstraints::from_der(octets)?;
            let length = found.path_len_constraint.map_or("none".to_owned(), |length| length.to_string());
            format!("CA {}, path length {length}", found.ca)
        }
        SubjectAltName::OID => {
            SubjectAltName::from_der(octets)?.0.iter().map(name).collect::<Vec<_>>().join(", ")
        }
        SubjectKeyIdentifier::OID => hex(SubjectKeyIdentifier::from_der(octets)?.0.as_bytes()),
        AuthorityKeyIdentifier::OID => {
            let found = AuthorityKeyIdentifier::from_der(octets)?.key_identifier;
            found.map(|identifier| hex(identifier.as_bytes())).unwrap_or_default()
        }
        _ => hex(octets),
    })
}

fn name(name: &GeneralName) -> String {
    match name {
        GeneralName::DnsName(name) => format!("DNS {name}"),
        GeneralName::IpAddress(octets) => {
            let octets = octets.as_bytes();
            let four = <[u8; 4]>::try_from(octets).map(IpAddr::from);
            let address = four.or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from));
            address.map_or_else(|_| format!("IP {}", hex(octets)), |address| format!("IP {address}"))
        }
        other => format!("{other:?}"),
    }
}
