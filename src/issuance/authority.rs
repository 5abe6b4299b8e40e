//! An authority as issuance uses it: its name, certificate and public key.

use std::sync::Arc;

use const_oid::AssociatedOid;
use der::{DateTime, Encode};
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage};
use x509_cert::name::Name;

use super::{Certificate, Error, Validity};
use crate::keys::PublicKey;

/// A CA: its name in the ledger and its certificate.
#[derive(Clone, Debug)]
pub struct Authority {
    name: String,
    certificate: Certificate,
    key: Arc<PublicKey>,
    subject: Vec<u8>,
    path_length: Option<u8>,
}

impl Authority {
    /// Accepts a certificate that may sign certificates.
    ///
    /// # Errors
    /// [`Error::Refused`] when basicConstraints or keyUsage do not allow it.
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

    /// Returns the name that scripts use.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns its certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Returns its subject, which is the issuer of the certificates that it signs.
    pub fn subject(&self) -> &Name {
        self.certificate.parsed().tbs_certificate().subject()
    }

    /// Returns the DER octets of its subject.
    pub fn subject_octets(&self) -> &[u8] {
        &self.subject
    }

    /// Returns its public key.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    pub(super) fn shared_key(&self) -> &Arc<PublicKey> {
        &self.key
    }

    /// Returns its notAfter.
    pub fn not_after(&self) -> DateTime {
        self.certificate.validity().not_after
    }

    /// Returns its pathLenConstraint (RFC 5280 4.2.1.9).
    pub fn path_length(&self) -> Option<u8> {
        self.path_length
    }

    /// Truncates a validity period to this authority's notAfter.
    ///
    /// # Errors
    /// [`Error::Refused`] when it starts outside the authority's validity.
    pub fn limit(&self, validity: Validity) -> Result<Validity, Error> {
        let outer = self.certificate.validity();
        if validity.not_before < outer.not_before || validity.not_before > outer.not_after {
            return Err(Error::Refused(format!(
                "{} is valid from {} to {}, but the clock says {}",
                self.name, outer.not_before, outer.not_after, validity.not_before
            )));
        }
        Ok(Validity { not_before: validity.not_before, not_after: validity.not_after.min(outer.not_after) })
    }
}
