//! The second look: octets are decoded again and held against what was meant, before the token
//! sees them and after it has signed.

use der::{DateTime, Decode, Encode};
use x509_cert::TbsCertificate;

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

/// Checks octets that are to be signed: strict DER that encodes to itself, the issuer's very
/// subject octets, the algorithm of its key, the serial number and the validity that were meant,
/// and no extension twice.
pub fn before_signing(
    octets: &[u8],
    issuer: Option<&Authority>,
    issuer_key: &PublicKey,
    serial: Serial,
    validity: Validity,
) -> Result<(), Error> {
    let tbs = TbsCertificate::from_der(octets)?;
    let expected_issuer = issuer.map_or(tbs.subject(), Authority::subject).to_der()?;
    let algorithm = signature_algorithm(issuer_key.kind())?;
    let extensions = tbs.extensions().map(Vec::as_slice).unwrap_or_default();
    let doubled = extensions
        .iter()
        .enumerate()
        .any(|(at, one)| extensions.iter().take(at).any(|other| other.extn_id == one.extn_id));
    let found = Validity {
        not_before: tbs.validity().not_before.to_date_time(),
        not_after: tbs.validity().not_after.to_date_time(),
    };
    let outlives = issuer.is_some_and(|issuer| found.not_after > issuer.not_after());
    let checks = [
        (tbs.to_der()? == octets, "octets do not encode to themselves"),
        (
            tbs.issuer().to_der()? == expected_issuer,
            "issuer octets differ from the authority's subject octets",
        ),
        (!tbs.issuer().is_empty(), "issuer is empty"),
        (*tbs.signature() == algorithm, "signature algorithm is not that of the authority's key"),
        (tbs.serial_number().as_bytes() == serial.as_bytes(), "serial number is not the reserved one"),
        (found == validity, "validity is not the one that was meant"),
        (found.not_before <= found.not_after, "validity ends before it starts"),
        (!outlives, "validity ends after the issuer's"),
        (!extensions.is_empty() && !doubled, "an extension stands there twice, or none at all"),
    ];
    match checks.iter().find(|(holds, _)| !holds) {
        None => Ok(()),
        Some((_, message)) => Err(Error::Internal((*message).to_owned())),
    }
}

/// The validity in a TBSCertificate's octets.
pub fn validity_of(octets: &[u8]) -> Result<Validity, Error> {
    let tbs = TbsCertificate::from_der(octets)?;
    Ok(Validity {
        not_before: tbs.validity().not_before.to_date_time(),
        not_after: tbs.validity().not_after.to_date_time(),
    })
}
