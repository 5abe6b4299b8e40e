//! An independent check before signing: the octets are decoded again and compared with the intended
//! values.

use std::net::IpAddr;

use const_oid::{AssociatedOid, ObjectIdentifier};
use der::asn1::AnyRef;
use der::flagset::FlagSet;
use der::{Decode, Encode};
use spki::AlgorithmIdentifierOwned;
use x509_cert::ext::pkix::certpolicy::CertificatePolicies;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectAltName,
    SubjectKeyIdentifier,
};

use super::parts::{ExtensionParts, Parts};
use super::{Authority, Error, Serial, Validity, signature_algorithm};
use crate::keys::PublicKey;
use crate::policy::CertificateProfile;

/// The values that the octets to sign must contain.
pub struct Intended<'a> {
    pub issuer: Option<&'a Authority>,
    pub issuer_key: &'a PublicKey,
    pub serial: Serial,
    pub validity: Validity,
    /// The DER octets of the subject, and its key.
    pub holder: (&'a [u8], &'a PublicKey),
    pub profile: &'a CertificateProfile,
    /// DNS names and IP addresses, in order.
    pub names: (&'a [String], &'a [IpAddr]),
}

/// The extensions that certificates may have.
const KNOWN: [ObjectIdentifier; 7] = [
    AuthorityKeyIdentifier::OID,
    SubjectKeyIdentifier::OID,
    KeyUsage::OID,
    SubjectAltName::OID,
    BasicConstraints::OID,
    ExtendedKeyUsage::OID,
    CertificatePolicies::OID,
];

/// Decodes the octets to sign and checks: DER, version 3, issuer octets equal to the authority's
/// subject octets, the algorithm of the authority's key, the intended serial number, validity,
/// subject, key, key identifiers, basic constraints, key usage, purposes, names and criticality,
/// canonical encoding of extensions, and no duplicate or other extension.
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
    let holder = AnyRef::from_der(subject)? == parts.subject && AnyRef::from_der(key.der())? == parts.spki;
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
    match checks.iter().chain(&granted(&extensions, intended)?).find(|(holds, _)| !holds) {
        None => Ok(()),
        Some((_, message)) => Err(Error::Internal((*message).to_owned())),
    }
}

/// Compares what the extensions grant with the profile and the approved names.
fn granted(
    extensions: &[ExtensionParts<'_>],
    intended: &Intended<'_>,
) -> Result<[(bool, &'static str); 9], Error> {
    let (profile, (dns, ip)) = (intended.profile, intended.names);
    let nameless = AnyRef::from_der(intended.holder.0)?.value().is_empty();
    let constraints = decoded::<BasicConstraints>(extensions)?;
    let usage = decoded::<KeyUsage>(extensions)?.map(|usage| usage.0).unwrap_or_default();
    let purposes = decoded::<ExtendedKeyUsage>(extensions)?.map(|purposes| purposes.0).unwrap_or_default();
    let names = decoded::<SubjectAltName>(extensions)?.map(|names| names.0).unwrap_or_default();
    let allowed =
        profile.key_usage.iter().fold(FlagSet::<KeyUsages>::default(), |all, usage| all | usage.bit());
    let same_names = names.len() == dns.len() + ip.len()
        && names
            .iter()
            .zip(dns)
            .all(|(found, name)| matches!(found, GeneralName::DnsName(found) if found.as_str() == name))
        && names.iter().skip(dns.len()).zip(ip).all(|(found, address)| *found == GeneralName::from(*address));
    let has = |id| extensions.iter().any(|one| one.id == id);
    let issuer = decoded::<AuthorityKeyIdentifier>(extensions)?;
    let own = decoded::<SubjectKeyIdentifier>(extensions)?;
    let identifies_issuer = match (issuer, intended.issuer) {
        (Some(found), Some(issuer)) => {
            found.key_identifier.is_some_and(|found| found.as_bytes() == issuer.key().identifier())
                && found.authority_cert_issuer.is_none()
                && found.authority_cert_serial_number.is_none()
        }
        (found, issuer) => found.is_none() && issuer.is_none(),
    };
    let identifies_key = own.is_some_and(|found| found.0.as_bytes() == intended.holder.1.identifier());
    let is_critical = |id| match id {
        KeyUsage::OID | BasicConstraints::OID => true,
        SubjectAltName::OID => nameless,
        _ => false,
    };
    Ok([
        (identifies_issuer, "authorityKeyIdentifier is not the issuer's"),
        (identifies_key, "subjectKeyIdentifier is not the key's"),
        (
            extensions.iter().all(|one| one.critical == is_critical(one.id)),
            "extension with the wrong criticality",
        ),
        (
            constraints.is_some_and(|found| {
                found.ca == profile.is_authority() && found.path_len_constraint == profile.path_length
            }),
            "basicConstraints are not those of the certificate profile",
        ),
        // keyEncipherment depends on the kind of the key as well.
        (
            allowed.contains(usage) && (usage | KeyUsages::KeyEncipherment).contains(allowed),
            "keyUsage is not that of the certificate profile",
        ),
        (
            purposes.into_iter().eq(profile.extended_key_usage.iter().map(|purpose| purpose.oid())),
            "extKeyUsage is not that of the certificate profile",
        ),
        (same_names, "subjectAltName does not have exactly the approved names"),
        (
            has(CertificatePolicies::OID) == profile.asserts_manifest_signing(),
            "certificatePolicies are not those of the certificate profile",
        ),
        (extensions.iter().all(|one| KNOWN.contains(&one.id)), "unexpected extension"),
    ])
}

/// Decodes the extension of this type, if there is one.
fn decoded<'a, T: AssociatedOid + Decode<'a, Error = der::Error>>(
    extensions: &[ExtensionParts<'a>],
) -> Result<Option<T>, Error> {
    let one = extensions.iter().find(|one| one.id == T::OID);
    Ok(one.map(|one| T::from_der(one.value.as_bytes())).transpose()?)
}

/// DER is the shortest encoding of these values, so any other has a different length.
fn encoded_length(extensions: &Vec<ExtensionParts<'_>>) -> Result<usize, der::Error> {
    usize::try_from(extensions.encoded_len()?)
}
