//! The second look: octets are decoded again and held against what was meant, before the token
//! sees them and after it has signed.

use const_oid::ObjectIdentifier;
use der::asn1::{AnyRef, OctetStringRef, UintRef};
use der::{DateTime, Decode, Encode, Reader, Sequence, SliceReader};
use spki::AlgorithmIdentifierOwned;
use x509_cert::time::Validity as EncodedValidity;

use super::{Authority, Error, Serial, Validity, signature_algorithm};
use crate::digest::Digest;
use crate::keys::PublicKey;

/// What a certificate says, as ledger and manifest write it down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuedFacts {
    /// Serial number, lowercase hexadecimal digits.
    pub serial: String,
    /// Subject, as RFC 4514 writes it.
    pub subject: String,
    /// First second of validity.
    pub not_before: DateTime,
    /// Last second of validity.
    pub not_after: DateTime,
    /// SHA-256 over the DER of the certificate.
    pub sha256: Digest,
    /// SHA-256 over the DER of its SubjectPublicKeyInfo.
    pub spki_sha256: Digest,
}

/// The parts of a TBSCertificate (RFC 5280 4.1), as they stand there.
pub struct Parts<'a> {
    version: AnyRef<'a>,
    pub serial: UintRef<'a>,
    pub algorithm: AnyRef<'a>,
    issuer: AnyRef<'a>,
    pub validity: EncodedValidity,
    pub subject: AnyRef<'a>,
    pub spki: AnyRef<'a>,
    extensions: AnyRef<'a>,
}

impl<'a> Parts<'a> {
    /// Takes octets apart; nothing may follow.
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

    /// The period of validity.
    pub fn validity(&self) -> Validity {
        Validity {
            not_before: self.validity.not_before.to_date_time(),
            not_after: self.validity.not_after.to_date_time(),
        }
    }

    /// The extensions, whose list stands in a tag of its own.
    fn extensions(&self) -> Result<Vec<ExtensionParts<'a>>, der::Error> {
        AnyRef::from_der(self.extensions.value())?.decode_as()
    }
}

/// Extension (RFC 5280 4.1).
#[derive(Sequence)]
struct ExtensionParts<'a> {
    id: ObjectIdentifier,
    #[asn1(default = "Default::default")]
    critical: bool,
    value: &'a OctetStringRef,
}

/// What octets that are to be signed must say.
pub struct Meant<'a> {
    pub issuer: Option<&'a Authority>,
    pub issuer_key: &'a PublicKey,
    pub serial: Serial,
    pub validity: Validity,
    /// DER of the subject and of its SubjectPublicKeyInfo.
    pub holder: (&'a [u8], &'a [u8]),
}

/// Checks octets that are to be signed, taken apart again: DER, version 3, the issuer's very
/// subject octets, the algorithm of its key, serial number, validity, subject and key that were
/// meant, extensions that encode to themselves and none of them twice.
pub fn before_signing(octets: &[u8], meant: &Meant<'_>) -> Result<(), Error> {
    let parts = Parts::of(octets)?;
    let expected_issuer =
        meant.issuer.map_or(Ok(parts.subject), |issuer| AnyRef::from_der(issuer.subject_octets()))?;
    let algorithm = signature_algorithm(meant.issuer_key.kind())?;
    let extensions = parts.extensions()?;
    let doubled = extensions
        .iter()
        .enumerate()
        .any(|(at, one)| extensions.iter().take(at).any(|other| other.id == one.id));
    let found = parts.validity();
    let outlives = meant.issuer.is_some_and(|issuer| found.not_after > issuer.not_after());
    let (subject, key) = meant.holder;
    let holder = AnyRef::from_der(subject)? == parts.subject && AnyRef::from_der(key)? == parts.spki;
    let checks = [
        (parts.version.value() == [2, 1, 2], "version is not 3"),
        (parts.issuer == expected_issuer, "issuer octets differ from the authority's subject octets"),
        (!parts.issuer.value().is_empty(), "issuer is empty"),
        (
            parts.algorithm.decode_as::<AlgorithmIdentifierOwned>()? == algorithm,
            "signature algorithm is not that of the authority's key",
        ),
        (parts.serial.as_bytes() == meant.serial.as_bytes(), "serial number is not the reserved one"),
        (found == meant.validity, "validity is not the one that was meant"),
        (found.not_before <= found.not_after, "validity ends before it starts"),
        (!outlives, "validity ends after the issuer's"),
        (holder, "subject or key is not the approved one"),
        (!extensions.is_empty() && !doubled, "an extension stands there twice, or none at all"),
        (
            encoded_length(&extensions)? == parts.extensions.value().len(),
            "extensions do not encode to themselves",
        ),
    ];
    match checks.iter().find(|(holds, _)| !holds) {
        None => Ok(()),
        Some((_, message)) => Err(Error::Internal((*message).to_owned())),
    }
}

/// DER has one encoding: of the same values, another one is longer.
fn encoded_length(extensions: &Vec<ExtensionParts<'_>>) -> Result<usize, der::Error> {
    usize::try_from(extensions.encoded_len()?)
}
