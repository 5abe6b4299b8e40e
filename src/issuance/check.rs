//! An independent check before signing: the octets are decoded again and compared with the intended
//! values.

use der::asn1::AnyRef;
use der::{Decode, Encode};
use spki::AlgorithmIdentifierOwned;

use super::parts::{ExtensionParts, Parts};
use super::{Authority, Error, Serial, Validity, signature_algorithm};
use crate::keys::PublicKey;

/// The values that the octets to sign must contain.
pub struct Intended<'a> {
    pub issuer: Option<&'a Authority>,
    pub issuer_key: &'a PublicKey,
    pub serial: Serial,
    pub validity: Validity,
    /// The DER octets of the subject and of its SubjectPublicKeyInfo.
    pub holder: (&'a [u8], &'a [u8]),
}

/// Decodes the octets to sign and checks: DER, version 3, issuer octets equal to the authority's
/// subject octets, the algorithm of the authority's key, the intended serial number, validity,
/// subject and key, canonical encoding of extensions, and no duplicate extension.
pub fn before_signing(octets: &[u8], intended: &Intended<'_>) -> Result<(), Error> {
    let parts = Parts::of(octets)?;
    let expected_issuer =
        intended.issuer.map_or(Ok(parts.subject), |issuer| AnyRef::from_der(issuer.subject_octets()))?;
    let algorithm = signature_algorithm(intended.issuer_key.kind())?;
    let extensions = parts.extensions()?;
    let duplicates = extensions
        .iter()
        .enumerate()
        .any(|(at, one)| extensions.iter().take(at).any(|other| other.id == one.id));
    let found = parts.validity();
    let outlives = intended.issuer.is_some_and(|issuer| found.not_after > issuer.not_after());
    let (subject, key) = intended.holder;
    let holder = AnyRef::from_der(subject)? == parts.subject && AnyRef::from_der(key)? == parts.spki;
    let checks = [
        (parts.version.value() == [2, 1, 2], "version is not 3"),
        (parts.issuer == expected_issuer, "issuer octets differ from the authority's subject octets"),
        (!parts.issuer.value().is_empty(), "issuer is empty"),
        (
            parts.algorithm.decode_as::<AlgorithmIdentifierOwned>()? == algorithm,
            "signature algorithm is not that of the authority's key",
        ),
        (parts.serial.as_bytes() == intended.serial.as_bytes(), "serial number is not the reserved one"),
        (found == intended.validity, "validity is not the intended one"),
        (found.not_before <= found.not_after, "validity ends before it starts"),
        (!outlives, "validity ends after the issuer's"),
        (holder, "subject or key is not the approved one"),
        (!extensions.is_empty() && !duplicates, "duplicate extensions, or none"),
        (
            encoded_length(&extensions)? == parts.extensions.value().len(),
            "extensions are not DER: re-encoding gives a different length",
        ),
    ];
    match checks.iter().find(|(holds, _)| !holds) {
        None => Ok(()),
        Some((_, message)) => Err(Error::Internal((*message).to_owned())),
    }
}

/// DER is the shortest encoding of these values, so any other has a different length.
fn encoded_length(extensions: &Vec<ExtensionParts<'_>>) -> Result<usize, der::Error> {
    usize::try_from(extensions.encoded_len()?)
}
