//! Certificates, newly signed or read from files.

use const_oid::{AssociatedOid, ObjectIdentifier};
use der::asn1::AnyRef;
use der::{Decode, Encode, Reader, SliceReader};
use x509_cert::Certificate as Parsed;
use x509_cert::ext::pkix::BasicConstraints;

use super::parts::{Parts, join};
use super::{Error, IssuedFacts, Validity};
use crate::digest::{Digest, hex};
use crate::keys::{PublicKey, verify};
use crate::policy::subject_text;

/// A certificate in strict DER with a public key of an accepted kind.
#[derive(Clone, Debug)]
pub struct Certificate {
    der: Vec<u8>,
    parsed: Parsed,
    key: PublicKey,
}

impl Certificate {
    /// Assembles a certificate from the octets and signature that the ledger stores.
    ///
    /// # Errors
    /// As [`Certificate::from_der`].
    pub fn from_parts(tbs: &[u8], signature: &[u8]) -> Result<Self, Error> {
        Self::from_der(&join(tbs, Parts::of(tbs)?.algorithm, signature)?)
    }

    /// Parses a certificate in strict DER.
    ///
    /// # Errors
    /// [`Error::Refused`] when it is malformed or its key is not accepted.
    pub fn from_der(der: &[u8]) -> Result<Self, Error> {
        let refused = |e: der::Error| Error::Refused(format!("not a certificate in strict DER: {e}"));
        let parsed = Parsed::from_der(der).map_err(refused)?;
        if parsed.to_der().map_err(refused)? != der {
            return Err(Error::Refused("certificate is not DER: re-encoding gives different octets".into()));
        }
        let key = PublicKey::new(parsed.tbs_certificate().subject_public_key_info().clone())
            .map_err(|e| Error::Refused(e.to_string()))?;
        Ok(Self { der: der.to_vec(), parsed, key })
    }

    /// Parses a file of exactly one certificate in PEM (RFC 7468 5).
    ///
    /// # Errors
    /// As [`Certificate::from_der`].
    pub fn from_pem(octets: &[u8]) -> Result<Self, Error> {
        match der::pem::decode_vec(octets) {
            Ok(("CERTIFICATE", der)) => Self::from_der(&der),
            Ok((label, _)) => {
                Err(Error::Refused(format!("PEM label is {label:?}, expected \"CERTIFICATE\"")))
            }
            Err(e) => Err(Error::Refused(format!("not exactly one PEM certificate: {e}"))),
        }
    }

    /// Verifies the signature with `key`.
    ///
    /// # Errors
    /// [`Error::Refused`] when it does not verify, or when inner and outer algorithm differ.
    pub fn verify_by(&self, key: &PublicKey) -> Result<(), Error> {
        let algorithm = self.parsed.signature_algorithm();
        if algorithm != self.parsed.tbs_certificate().signature() {
            return Err(Error::Refused(
                "inner and outer signature algorithm differ (RFC 5280 4.1.1.2)".into(),
            ));
        }
        let signature = self.parsed.signature().as_bytes().unwrap_or_default();
        verify(key, algorithm, self.tbs_octets()?, signature).map_err(|e| Error::Refused(e.to_string()))
    }

    /// Returns the exact octets of the TBSCertificate, which the signature covers.
    ///
    /// # Errors
    /// [`Error::Internal`] when they cannot be located.
    pub fn tbs_octets(&self) -> Result<&[u8], Error> {
        let mut content = SliceReader::new(AnyRef::from_der(&self.der)?.value())?;
        Ok(content.tlv_bytes()?)
    }

    /// Returns the DER octets.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Encodes the certificate as one PEM block (RFC 7468 5).
    ///
    /// # Errors
    /// [`Error::Internal`] when encoding fails.
    pub fn pem(&self) -> Result<String, Error> {
        Self::pem_of(&self.der)
    }

    /// Encodes a certificate's DER octets as one PEM block.
    ///
    /// # Errors
    /// [`Error::Internal`] when encoding fails.
    pub fn pem_of(der: &[u8]) -> Result<String, Error> {
        der::pem::encode_string("CERTIFICATE", der::pem::LineEnding::LF, der)
            .map_err(|e| Error::Internal(e.to_string()))
    }

    /// Returns the decoded certificate.
    pub fn parsed(&self) -> &Parsed {
        &self.parsed
    }

    /// Returns the certified key.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// Returns the validity period.
    pub fn validity(&self) -> Validity {
        let validity = self.parsed.tbs_certificate().validity();
        Validity {
            not_before: validity.not_before.to_date_time(),
            not_after: validity.not_after.to_date_time(),
        }
    }

    /// Decodes the value of an extension, if present.
    ///
    /// # Errors
    /// [`Error::Internal`] when it is malformed.
    pub fn extension<'a, T: Decode<'a, Error = der::Error>>(
        &'a self,
        oid: ObjectIdentifier,
    ) -> Result<Option<T>, Error> {
        let extensions = self.parsed.tbs_certificate().extensions().map(Vec::as_slice).unwrap_or_default();
        match extensions.iter().find(|extension| extension.extn_id == oid) {
            Some(extension) => Ok(Some(T::from_der(extension.extn_value.as_bytes())?)),
            None => Ok(None),
        }
    }

    /// Returns whether basicConstraints assert cA (RFC 5280 4.2.1.9).
    ///
    /// # Errors
    /// [`Error::Internal`] when basicConstraints are malformed.
    pub fn is_authority(&self) -> Result<bool, Error> {
        let constraints: Option<BasicConstraints> = self.extension(BasicConstraints::OID)?;
        Ok(constraints.is_some_and(|constraints| constraints.ca))
    }

    /// Returns the SHA-256 of the DER octets, which `openssl x509 -fingerprint -sha256` prints.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.der)
    }

    /// Returns the fields that ledger and manifest record.
    pub fn facts(&self) -> IssuedFacts {
        let tbs = self.parsed.tbs_certificate();
        let Validity { not_before, not_after } = self.validity();
        IssuedFacts {
            serial: hex(tbs.serial_number().as_bytes()),
            subject: subject_text(tbs.subject()),
            not_before,
            not_after,
            sha256: self.digest(),
            spki_sha256: self.key.digest(),
        }
    }
}
