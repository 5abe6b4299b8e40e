//! From signed octets to a certificate, and certificates read back from files.

use const_oid::ObjectIdentifier;
use der::asn1::{AnyRef, BitString};
use der::{Decode, Encode, EncodePem, Sequence};
use spki::AlgorithmIdentifierOwned;
use x509_cert::Certificate as Parsed;

use super::{Error, IssuedFacts, ToBeSigned, Validity, signature_algorithm};
use crate::digest::{Digest, hex};
use crate::keys::{PublicKey, verify};

/// Certificate (RFC 5280 4.1) around octets that stay as they are.
#[derive(Sequence)]
struct Outer<'a> {
    tbs_certificate: AnyRef<'a>,
    signature_algorithm: AlgorithmIdentifierOwned,
    signature: BitString,
}

/// A certificate in strict DER whose key is of an accepted kind.
#[derive(Clone, Debug)]
pub struct Certificate {
    der: Vec<u8>,
    parsed: Parsed,
    key: PublicKey,
}

impl Certificate {
    /// Puts a signature to the octets it was made for, after verifying it with the authority's key.
    ///
    /// # Errors
    /// [`Error::BadSignature`] when it does not verify: the caller writes nothing and stops.
    pub fn assemble(tbs: &ToBeSigned, signature: &[u8]) -> Result<Self, Error> {
        let algorithm = signature_algorithm(tbs.issuer_kind())?;
        let bad = || Error::BadSignature(format!("{} serial {}", tbs.issuer(), tbs.serial().hex()));
        verify(tbs.issuer_key(), &algorithm, tbs.octets(), signature).map_err(|_| bad())?;
        let outer = Outer {
            tbs_certificate: AnyRef::from_der(tbs.octets())?,
            signature_algorithm: algorithm,
            signature: BitString::from_bytes(signature)?,
        };
        let certificate = Self::from_der(&outer.to_der()?)?;
        if certificate.tbs_octets()? != tbs.octets() {
            return Err(Error::Internal("certificate holds other octets than were signed".into()));
        }
        certificate.verify_by(tbs.issuer_key()).map_err(|_| bad())?;
        Ok(certificate)
    }

    /// Reads strict DER.
    ///
    /// # Errors
    /// [`Error::Refused`] when it is none, or when the key is of no accepted kind.
    pub fn from_der(der: &[u8]) -> Result<Self, Error> {
        let refused = |e: der::Error| Error::Refused(format!("not a certificate in strict DER: {e}"));
        let parsed = Parsed::from_der(der).map_err(refused)?;
        if parsed.to_der().map_err(refused)? != der {
            return Err(Error::Refused(
                "certificate is not DER: encoding it again gives other octets".into(),
            ));
        }
        let key = PublicKey::new(parsed.tbs_certificate().subject_public_key_info().clone())
            .map_err(|e| Error::Refused(e.to_string()))?;
        Ok(Self { der: der.to_vec(), parsed, key })
    }

    /// Reads one certificate in PEM (RFC 7468 5), and nothing else in the file.
    ///
    /// # Errors
    /// As [`Certificate::from_der`].
    pub fn from_pem(octets: &[u8]) -> Result<Self, Error> {
        match der::pem::decode_vec(octets) {
            Ok(("CERTIFICATE", der)) => Self::from_der(&der),
            Ok((label, _)) => {
                Err(Error::Refused(format!("PEM label is {label:?}, required is \"CERTIFICATE\"")))
            }
            Err(e) => Err(Error::Refused(format!("not one certificate in PEM: {e}"))),
        }
    }

    /// Whether the signature is by this key.
    ///
    /// # Errors
    /// [`Error::Refused`] when it is not, or when inner and outer algorithm differ.
    pub fn verify_by(&self, key: &PublicKey) -> Result<(), Error> {
        let algorithm = self.parsed.signature_algorithm();
        if algorithm != self.parsed.tbs_certificate().signature() {
            return Err(Error::Refused(
                "signature algorithms inside and outside differ (RFC 5280 4.1.1.2)".into(),
            ));
        }
        let signature = self.parsed.signature().as_bytes().unwrap_or_default();
        verify(key, algorithm, &self.tbs_octets()?, signature).map_err(|e| Error::Refused(e.to_string()))
    }

    fn tbs_octets(&self) -> Result<Vec<u8>, Error> {
        Ok(self.parsed.tbs_certificate().to_der()?)
    }

    /// The DER octets.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// One PEM block.
    ///
    /// # Errors
    /// [`Error::Internal`] when encoding fails.
    pub fn pem(&self) -> Result<String, Error> {
        Ok(self.parsed.to_pem(der::pem::LineEnding::LF)?)
    }

    /// The decoded certificate.
    pub fn parsed(&self) -> &Parsed {
        &self.parsed
    }

    /// The certified key.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// The period of validity.
    pub fn validity(&self) -> Validity {
        let validity = self.parsed.tbs_certificate().validity();
        Validity {
            not_before: validity.not_before.to_date_time(),
            not_after: validity.not_after.to_date_time(),
        }
    }

    /// The value of an extension, or none.
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

    /// SHA-256 over the DER octets, which `openssl x509 -fingerprint -sha256` prints.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.der)
    }

    /// What it says, to be written down.
    pub fn facts(&self) -> IssuedFacts {
        let tbs = self.parsed.tbs_certificate();
        let Validity { not_before, not_after } = self.validity();
        IssuedFacts {
            serial: hex(tbs.serial_number().as_bytes()),
            subject: tbs.subject().to_string(),
            not_before,
            not_after,
            sha256: self.digest(),
            spki_sha256: self.key.digest(),
        }
    }
}
