//! From signed octets to a certificate.

use der::Decode;
use der::asn1::AnyRef;
use spki::AlgorithmIdentifierOwned;

use super::parts::{Outer, Parts, join};
use super::{Certificate, Error, ToBeSigned, signature_algorithm};
use crate::digest::Digest;
use crate::keys::verify;

/// A certificate just signed: its signature was verified, and its octets are those that were reserved.
#[derive(Clone, Debug)]
pub struct Signed {
    der: Vec<u8>,
    digest: Digest,
    signature: Vec<u8>,
}

impl Signed {
    /// Puts a signature to the octets it was made for, after verifying it with the authority's key.
    ///
    /// # Errors
    /// [`Error::BadSignature`] when it does not verify: the caller writes nothing and stops.
    pub fn assemble(tbs: &ToBeSigned, signature: Vec<u8>) -> Result<Self, Error> {
        let algorithm = signature_algorithm(tbs.issuer_kind())?;
        verify(tbs.issuer_key(), &algorithm, tbs.octets(), &signature)
            .map_err(|_| Error::BadSignature(format!("{} serial {}", tbs.issuer(), tbs.serial().hex())))?;
        let der = join(tbs.octets(), Parts::of(tbs.octets())?.algorithm, &signature)?;
        // The reserved octets were decoded and compared before they were signed; here their shell is.
        let again = Outer::from_der(&der)?;
        let same = again.tbs_certificate == AnyRef::from_der(tbs.octets())?
            && again.signature_algorithm.decode_as::<AlgorithmIdentifierOwned>()? == algorithm
            && again.signature.as_bytes() == Some(&signature);
        match same {
            true => Ok(Self { digest: Digest::of(&der), der, signature }),
            false => Err(Error::Internal("certificate holds other octets than were signed".into())),
        }
    }

    /// The signature.
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// SHA-256 over the certificate's DER octets.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The certificate, decoded.
    ///
    /// # Errors
    /// As [`Certificate::from_der`].
    pub fn certificate(&self) -> Result<Certificate, Error> {
        Certificate::from_der(&self.der)
    }
}
