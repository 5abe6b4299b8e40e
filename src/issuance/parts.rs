//! Zero-copy views of a certificate's encoded fields.

use const_oid::ObjectIdentifier;
use der::asn1::{AnyRef, BitStringRef, OctetStringRef, UintRef};
use der::{DateTime, Decode, Encode, Reader, Sequence, SliceReader};
use x509_cert::time::Validity as EncodedValidity;

use super::{Error, Validity};
use crate::digest::{Digest, hex};
use crate::policy::subject_text;

/// The certificate fields that ledger and manifest record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuedFacts {
    /// Serial number, lowercase hexadecimal digits.
    pub serial: String,
    /// Subject as an RFC 4514 string.
    pub subject: String,
    /// First second of validity.
    pub not_before: DateTime,
    /// Last second of validity.
    pub not_after: DateTime,
    /// SHA-256 of the certificate's DER octets.
    pub sha256: Digest,
    /// SHA-256 of the SubjectPublicKeyInfo's DER octets.
    pub spki_sha256: Digest,
}

/// The encoded fields of a TBSCertificate (RFC 5280 4.1).
pub struct Parts<'a> {
    pub version: AnyRef<'a>,
    pub serial: UintRef<'a>,
    pub algorithm: AnyRef<'a>,
    pub issuer: AnyRef<'a>,
    pub validity: EncodedValidity,
    pub subject: AnyRef<'a>,
    pub spki: AnyRef<'a>,
    pub extensions: AnyRef<'a>,
}

impl<'a> Parts<'a> {
    /// Splits a TBSCertificate into its fields; trailing data is an error.
    pub fn of(tbs: &'a [u8]) -> Result<Self, der::Error> {
        let mut content = SliceReader::new(AnyRef::from_der(tbs)?.value())?;
        let parts = Self {
            version: AnyRef::decode(&mut content)?,
            serial: UintRef::decode(&mut content)?,
            algorithm: AnyRef::decode(&mut content)?,
            issuer: AnyRef::decode(&mut content)?,
            validity: EncodedValidity::decode(&mut content)?,
            subject: AnyRef::decode(&mut content)?,
            spki: AnyRef::decode(&mut content)?,
            extensions: AnyRef::decode(&mut content)?,
        };
        content.finish()?;
        Ok(parts)
    }

    /// Returns the decoded validity period.
    pub fn validity(&self) -> Validity {
        Validity {
            not_before: self.validity.not_before.to_date_time(),
            not_after: self.validity.not_after.to_date_time(),
        }
    }

    /// Decodes the extensions inside their explicit tag.
    pub fn extensions(&self) -> Result<Vec<ExtensionParts<'a>>, der::Error> {
        AnyRef::from_der(self.extensions.value())?.decode_as()
    }
}

/// Extension (RFC 5280 4.1).
#[derive(Sequence)]
pub struct ExtensionParts<'a> {
    pub id: ObjectIdentifier,
    #[asn1(default = "Default::default")]
    pub critical: bool,
    pub value: &'a OctetStringRef,
}

/// Certificate (RFC 5280 4.1) with its fields left encoded.
#[derive(Sequence)]
pub struct Outer<'a> {
    pub tbs_certificate: AnyRef<'a>,
    pub signature_algorithm: AnyRef<'a>,
    pub signature: BitStringRef<'a>,
}

impl IssuedFacts {
    /// Assembles a certificate from the signed octets and the signature; returns its DER octets and
    /// its facts.
    ///
    /// # Errors
    /// [`Error::Internal`] when `tbs` is malformed.
    pub fn of_parts(tbs: &[u8], signature: &[u8]) -> Result<(Vec<u8>, Self), Error> {
        let parts = Parts::of(tbs)?;
        let der = join(tbs, parts.algorithm, signature)?;
        let Validity { not_before, not_after } = parts.validity();
        let facts = Self {
            serial: hex(parts.serial.as_bytes()),
            subject: subject_text(&parts.subject.decode_as()?),
            not_before,
            not_after,
            sha256: Digest::of(&der),
            spki_sha256: Digest::of(&parts.spki.to_der()?),
        };
        Ok((der, facts))
    }
}

/// Joins a TBSCertificate and its signature; the outer algorithm is the inner one (RFC 5280 4.1.1.2).
pub fn join(tbs: &[u8], algorithm: AnyRef<'_>, signature: &[u8]) -> Result<Vec<u8>, Error> {
    let outer = Outer {
        tbs_certificate: AnyRef::from_der(tbs)?,
        signature_algorithm: algorithm,
        signature: BitStringRef::from_bytes(signature)?,
    };
    Ok(outer.to_der()?)
}
