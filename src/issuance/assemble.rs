//! Assembly of a certificate from the signed octets and the signature.

use der::Decode;
use der::asn1::AnyRef;
use spki::AlgorithmIdentifierOwned;

use super::parts::{Outer, Parts, join};
use super::{Certificate, Error, ToBeSigned, signature_algorithm};
use crate::digest::Digest;
use crate::keys::verify;

/// A newly signed certificate: its signature was verified, and its octets are the reserved ones.
#[derive(Clone, Debug)]
pub struct Signed {
    der: Vec<u8>,
    digest: Digest,
    signature: Vec<u8>,
}

impl Signed {
    /// Verifies a signature with the authority's key and appends it to the octets that were signed.
    ///
    /// # Errors
    /// [`Error::BadSignature`] when it does not verify; the caller must write nothing and stop.
    pub fn assemble(tbs: &ToBeSigned, signature: Vec<u8>) -> Result<Self, Error> {
        let algorithm = signature_algorithm(tbs.issuer_kind())?;
        verify(tbs.issuer_key(), &algorithm, tbs.octets(), &signature)
            .map_err(|_| Error::BadSignature(format!("{} serial {}", tbs.issuer(), tbs.serial().hex())))?;
        let der = join(tbs.octets(), Parts::of(tbs.octets())?.algorithm, &signature)?;
        // The reserved octets were decoded and compared before signing; this checks the outer structure.
        let again = Outer::from_der(&der)?;
        let same = again.tbs_certificate == AnyRef::from_der(tbs.octets())?
            && again.signature_algorithm.decode_as::<AlgorithmIdentifierOwned>()? == algorithm
            && again.signature.as_bytes() == Some(&signature);
        match same {
            true => Ok(Self { digest: Digest::of(&der), der, signature }),
            false => Err(Error::Internal("certificate does not contain the octets that were signed".into())),
        }
    }

    /// Returns the contents of the signatureValue BIT STRING.
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// Returns the SHA-256 of the certificate's DER octets.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Decodes the certificate.
    ///
    /// # Errors
    /// As [`Certificate::from_der`].
    pub fn certificate(&self) -> Result<Certificate, Error> {
        Certificate::from_der(&self.der)
    }
}
