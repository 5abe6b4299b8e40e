//! TBSCertificate (RFC 5280 4.1.2): the exact octets to sign.

use std::sync::Arc;

use der::asn1::{GeneralizedTime, UtcTime};
use der::{DateTime, Encode, Sequence};
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use x509_cert::Version;
use x509_cert::ext::Extension;
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::time::{Time, Validity as EncodedValidity};

use super::parts::Parts;
use super::{Authority, Error, Serial, Validity, check, extensions, signature_algorithm};
use crate::digest::Digest;
use crate::keys::{KeyKind, PublicKey};
use crate::policy::CertificateProfile;

/// TBSCertificate without unique identifiers, which RFC 5280 4.1.2.8 forbids.
#[derive(Sequence)]
struct TbsCertificate {
    #[asn1(context_specific = "0", default = "Default::default", tag_mode = "EXPLICIT")]
    version: Version,
    serial_number: SerialNumber,
    signature: AlgorithmIdentifierOwned,
    issuer: Name,
    validity: EncodedValidity,
    subject: Name,
    subject_public_key_info: SubjectPublicKeyInfoOwned,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT")]
    extensions: Vec<Extension>,
}

/// The octets of an approved TBSCertificate, checked and not yet signed.
#[derive(Clone, Debug)]
pub struct ToBeSigned {
    octets: Vec<u8>,
    issuer: Arc<str>,
    issuer_key: Arc<PublicKey>,
    serial: Serial,
    not_after: DateTime,
}

impl ToBeSigned {
    /// Builds the certificate for a key generated in the token: a root if there is no issuer, an
    /// intermediate authority, or a manifest signer.
    ///
    /// # Errors
    /// [`Error::Refused`] when the issuer's path length or validity does not allow it.
    pub fn for_token_key(
        name: &str,
        profile: &CertificateProfile,
        subject: &Name,
        key: &PublicKey,
        issuer: Option<&Authority>,
        serial: Serial,
        validity: Validity,
    ) -> Result<Self, Error> {
        if let Some(issuer) =
            issuer.filter(|issuer| profile.is_authority() && issuer.path_length() == Some(0))
        {
            return Err(Error::Refused(format!(
                "{} has path length 0, so {name} cannot be an authority below it (RFC 5280 4.2.1.9)",
                issuer.name()
            )));
        }
        let validity = issuer.map_or(Ok(validity), |issuer| issuer.limit(validity))?;
        let issuer_key = issuer.map_or(key, Authority::key);
        let tbs = TbsCertificate {
            version: Version::V3,
            serial_number: SerialNumber::new(serial.as_bytes())?,
            signature: signature_algorithm(issuer_key.kind())?,
            issuer: issuer.map_or(subject, Authority::subject).clone(),
            validity: EncodedValidity::new(time(validity.not_before)?, time(validity.not_after)?),
            subject: subject.clone(),
            subject_public_key_info: key.info().clone(),
            extensions: extensions::for_key(profile, key, issuer.map(Authority::key))?,
        };
        let shared = issuer.map_or_else(|| Arc::new(key.clone()), |issuer| Arc::clone(issuer.shared_key()));
        let subject = subject.to_der()?;
        let intended = check::Intended {
            issuer,
            issuer_key: &shared,
            serial,
            validity,
            holder: (&subject, key),
            profile,
            names: (&[], &[]),
        };
        Self::checked(tbs.to_der()?, issuer.map_or(name, Authority::name).into(), &shared, &intended)
    }

    /// Wraps the octets if they pass [`check::before_signing`].
    pub(super) fn checked(
        octets: Vec<u8>,
        issuer_name: Arc<str>,
        issuer_key: &Arc<PublicKey>,
        intended: &check::Intended<'_>,
    ) -> Result<Self, Error> {
        check::before_signing(&octets, intended)?;
        let (serial, not_after) = (intended.serial, intended.validity.not_after);
        Ok(Self { octets, issuer: issuer_name, issuer_key: Arc::clone(issuer_key), serial, not_after })
    }

    /// Returns the certificate's notAfter.
    pub fn not_after(&self) -> DateTime {
        self.not_after
    }

    /// Returns the exact octets to sign.
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// Returns the SHA-256 of [`ToBeSigned::octets`].
    pub fn digest(&self) -> Digest {
        Digest::of(&self.octets)
    }

    /// Returns the name of the signing authority.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Returns the public key with which the signature must verify.
    pub fn issuer_key(&self) -> &PublicKey {
        &self.issuer_key
    }

    /// Returns the serial number.
    pub fn serial(&self) -> Serial {
        self.serial
    }

    /// Returns the kind of the signing key.
    pub fn issuer_kind(&self) -> KeyKind {
        self.issuer_key.kind()
    }
}

/// The fields of a reserved TBSCertificate that are needed to build the same octets again.
#[derive(Debug)]
pub struct Reserved {
    /// The serial number.
    pub serial: Serial,
    /// notBefore.
    pub start: DateTime,
    /// notAfter.
    pub end: DateTime,
    /// The certified key.
    pub key: PublicKey,
}

impl Reserved {
    /// Parses a TBSCertificate built by [`ToBeSigned`].
    ///
    /// # Errors
    /// [`Error`] when the octets are not one.
    pub fn of(octets: &[u8]) -> Result<Self, Error> {
        let parts = Parts::of(octets)?;
        let serial: Result<[u8; 20], _> = parts.serial.as_bytes().try_into();
        let serial = serial.map_err(|_| Error::Refused("serial number is not 20 octets".into()))?;
        let key = PublicKey::accepted(&parts.spki.to_der()?).map_err(|e| Error::Refused(e.to_string()))?;
        let Validity { not_before: start, not_after: end } = parts.validity();
        Ok(Self { serial: serial.into(), start, end, key })
    }
}

/// Encodes as UTCTime through 2049, as GeneralizedTime after that (RFC 5280 4.1.2.5).
pub(super) fn time(at: DateTime) -> Result<Time, Error> {
    if at.year() < 2050 {
        return Ok(Time::UtcTime(UtcTime::from_date_time(at)?));
    }
    Ok(Time::GeneralTime(GeneralizedTime::from_date_time(at)))
}
