//! Verification of certificates against their manifest entries and authorities.

use std::net::IpAddr;

use const_oid::AssociatedOid;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use super::authorities::Authorities;
use super::checks::{same_facts, signed_by, time};
use super::file;
use crate::issuance::{Authority, Certificate, IssuedFacts, Scope};
use crate::media::Tree;
use crate::release::Error;
use crate::release::manifest::CertificateEntry;

/// Verifies one certificate: file digest, manifest entry, signature and path constraints.
pub fn check(tree: &Tree, authorities: &Authorities, entry: &CertificateEntry) -> Result<Certificate, Error> {
    let certificate = Certificate::from_pem(&file(tree, &entry.path, &entry.file_sha256)?)
        .map_err(|e| Error(format!("{}: {e}", entry.path)))?;
    let recorded = IssuedFacts {
        serial: entry.serial.clone(),
        subject: entry.subject.clone(),
        not_before: time(&entry.not_before)?,
        not_after: time(&entry.not_after)?,
        sha256: entry.sha256,
        spki_sha256: entry.spki_sha256,
    };
    same_facts(&entry.path, &recorded, &certificate)?;
    same_names(entry, &certificate)?;
    signed_by(&entry.path, &certificate, authorities.issuer(&entry.authority, entry.path.as_str())?)?;
    let scope = authorities.scope(&entry.authority, entry.path.as_str())?;
    place(scope, entry, &certificate).map_err(|e| Error(format!("{}: {e}", entry.path)))?;
    Ok(certificate)
}

/// Checks that a certificate is what the manifest says: a leaf, or a delegated authority with path
/// length 0, allowed by its authority, and never a manifest key.
fn place(scope: &Scope, entry: &CertificateEntry, certificate: &Certificate) -> Result<(), Error> {
    if certificate.asserts_manifest_signing()? {
        return Err(Error(
            "asserts the certificate policy of manifest keys, but is not a manifest key".into(),
        ));
    }
    match (certificate.is_authority()?, entry.delegated) {
        (false, false) => Ok(scope.admits(certificate)?),
        (true, false) => Err(Error("is an authority's certificate".into())),
        (_, true) => {
            let authority = Authority::new(entry.path.as_str(), certificate.clone())?;
            match authority.path_length() {
                Some(0) => Ok(scope.below(&authority).map(drop)?),
                _ => {
                    Err(Error("the manifest calls it an authority of path length 0, which it is not".into()))
                }
            }
        }
    }
}

fn same_names(entry: &CertificateEntry, certificate: &Certificate) -> Result<(), Error> {
    let names: Option<SubjectAltName> = certificate.extension(SubjectAltName::OID)?;
    let mut dns = Vec::new();
    let mut ip = Vec::new();
    for name in names.map(|names| names.0).unwrap_or_default() {
        match name {
            GeneralName::DnsName(name) => dns.push(name.to_string()),
            GeneralName::IpAddress(octets) => ip.push(address(octets.as_bytes())?.to_string()),
            _ => {
                return Err(Error(format!(
                    "{}: has a name that is neither a DNS name nor an IP address",
                    entry.path
                )));
            }
        }
    }
    if dns == entry.dns && ip == entry.ip {
        return Ok(());
    }
    Err(Error(format!("{}: the names in manifest and certificate differ", entry.path)))
}

fn address(octets: &[u8]) -> Result<IpAddr, Error> {
    let four = <[u8; 4]>::try_from(octets).map(IpAddr::from);
    four.or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from))
        .map_err(|_| Error("IP address has neither 4 nor 16 octets".into()))
}
