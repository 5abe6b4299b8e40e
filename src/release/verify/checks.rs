//! Checks common to authorities and certificates of a release.

use crate::issuance::{Authority, Certificate, IssuedFacts};
use crate::media::RelativePath;
use crate::release::{Error, MANIFEST};

pub fn time(text: &str) -> Result<der::DateTime, Error> {
    text.parse().map_err(|_| Error(format!("{MANIFEST}: {text:?} is not a time")))
}

pub fn same_facts(
    path: &RelativePath,
    recorded: &IssuedFacts,
    certificate: &Certificate,
) -> Result<(), Error> {
    if *recorded == certificate.facts() {
        return Ok(());
    }
    Err(Error(format!("{path}: the manifest describes a different certificate")))
}

/// Checks issuer, signature and validity of a certificate against its authority.
pub fn signed_by(path: &RelativePath, certificate: &Certificate, issuer: &Authority) -> Result<(), Error> {
    if certificate.parsed().tbs_certificate().issuer() != issuer.subject() {
        return Err(Error(format!("{path}: its issuer is not the subject of {}", issuer.name())));
    }
    certificate
        .verify_by(issuer.key())
        .map_err(|e| Error(format!("{path}: under {}: {e}", issuer.name())))?;
    let (inner, outer) = (certificate.validity(), issuer.certificate().validity());
    if inner.not_before < outer.not_before || inner.not_after > outer.not_after {
        return Err(Error(format!("{path}: is valid outside the validity of {}", issuer.name())));
    }
    Ok(())
}
