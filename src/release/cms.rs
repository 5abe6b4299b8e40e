//! The manifest's signature: detached CMS SignedData (RFC 5652) over its exact octets.

use cms::cert::{CertificateChoices, IssuerAndSerialNumber};
use cms::content_info::{CmsVersion, ContentInfo};
use cms::signed_data::{
    CertificateSet, EncapsulatedContentInfo, SignedData, SignerIdentifier, SignerInfo, SignerInfos,
};
use const_oid::db::rfc5911::{ID_CONTENT_TYPE, ID_DATA, ID_MESSAGE_DIGEST, ID_SIGNED_DATA, ID_SIGNING_TIME};
use const_oid::db::rfc5912::ID_SHA_256;
use der::asn1::{Any, ObjectIdentifier, OctetString, SetOfVec};
use der::{DateTime, Decode, Encode};
use spki::AlgorithmIdentifierOwned;
use x509_cert::attr::{Attribute, Attributes};
use x509_cert::time::Time;

use super::Error;
use crate::digest::Digest;
use crate::issuance::{Certificate, signature_algorithm};
use crate::keys::verify;

/// The signed attributes of a manifest's signature, before signing.
#[derive(Debug)]
pub struct Unsigned {
    content: Digest,
    attributes: Attributes,
}

impl Unsigned {
    /// Builds the attributes for a manifest with this digest, signed at this time.
    ///
    /// # Errors
    /// [`Error`] when they cannot be encoded.
    pub fn new(content: Digest, now: DateTime) -> Result<Self, Error> {
        Ok(Self { content, attributes: signed_attributes(&content, now)? })
    }

    /// Returns the octets to sign: a SET OF in DER (RFC 5652 5.4).
    ///
    /// # Errors
    /// [`Error`] when they cannot be encoded.
    pub fn octets(&self) -> Result<Vec<u8>, Error> {
        Ok(self.attributes.to_der()?)
    }

    /// Builds the detached signature, which includes the signer's certificate.
    ///
    /// # Errors
    /// [`Error`] when it does not verify.
    pub fn complete(self, certificate: &Certificate, signature: Vec<u8>) -> Result<Vec<u8>, Error> {
        let tbs = certificate.parsed().tbs_certificate();
        let signer = SignerInfo {
            version: CmsVersion::V1,
            sid: SignerIdentifier::IssuerAndSerialNumber(IssuerAndSerialNumber {
                issuer: tbs.issuer().clone(),
                serial_number: tbs.serial_number().clone(),
            }),
            digest_alg: sha256(),
            signed_attrs: Some(self.attributes),
            signature_algorithm: signature_algorithm(certificate.key().kind())?,
            signature: OctetString::new(signature)?,
            unsigned_attrs: None,
        };
        let certificates = vec![CertificateChoices::Certificate(certificate.parsed().clone())];
        let signed = SignedData {
            version: CmsVersion::V1,
            digest_algorithms: SetOfVec::try_from(vec![sha256()])?,
            encap_content_info: EncapsulatedContentInfo { econtent_type: ID_DATA, econtent: None },
            certificates: Some(CertificateSet::try_from(certificates)?),
            crls: None,
            signer_infos: SignerInfos::try_from(vec![signer])?,
        };
        let content = Any::encode_from(&signed)?;
        let der = ContentInfo { content_type: ID_SIGNED_DATA, content }.to_der()?;
        verify_manifest(&self.content, &der)?;
        Ok(der)
    }
}

fn sha256() -> AlgorithmIdentifierOwned {
    AlgorithmIdentifierOwned { oid: ID_SHA_256, parameters: None }
}

fn signed_attributes(content: &Digest, now: DateTime) -> Result<Attributes, Error> {
    let attribute = |oid: ObjectIdentifier, value: Any| -> Result<Attribute, der::Error> {
        Ok(Attribute { oid, values: SetOfVec::try_from(vec![value])? })
    };
    let time = if now.year() < 2050 {
        Time::UtcTime(der::asn1::UtcTime::from_date_time(now)?)
    } else {
        Time::GeneralTime(der::asn1::GeneralizedTime::from_date_time(now))
    };
    Ok(SetOfVec::try_from(vec![
        attribute(ID_CONTENT_TYPE, Any::encode_from(&ID_DATA)?)?,
        attribute(ID_SIGNING_TIME, Any::encode_from(&time)?)?,
        attribute(ID_MESSAGE_DIGEST, Any::encode_from(&OctetString::new(content.as_bytes().to_vec())?)?)?,
    ])?)
}

/// Verifies a detached signature over content with this digest and returns the signer's certificate,
/// whose issuer the caller must check.
///
/// # Errors
/// [`Error`] describes the problem.
pub fn verify_manifest(content: &Digest, der: &[u8]) -> Result<Certificate, Error> {
    let wrong = |what: &str| Error(format!("manifest signature: {what}"));
    let info = ContentInfo::from_der(der).map_err(|e| wrong(&format!("not CMS in strict DER: {e}")))?;
    if info.content_type != ID_SIGNED_DATA {
        return Err(wrong("is not SignedData"));
    }
    let signed: SignedData = info.content.decode_as().map_err(|e: der::Error| wrong(&e.to_string()))?;
    if signed.encap_content_info.econtent_type != ID_DATA || signed.encap_content_info.econtent.is_some() {
        return Err(wrong("is not detached"));
    }
    let signers = signed.signer_infos.0.as_slice();
    let certificates = signed.certificates.as_ref().map(|set| set.0.as_slice()).unwrap_or_default();
    let ([signer], [CertificateChoices::Certificate(certificate)]) = (signers, certificates) else {
        return Err(wrong("does not have exactly one signer and one certificate"));
    };
    let certificate = Certificate::from_der(&certificate.to_der()?)?;
    check_identity(signer, &certificate)
        .ok_or_else(|| wrong("names a signer other than the included certificate"))?;
    let attributes = signer.signed_attrs.as_ref().ok_or_else(|| wrong("has no signed attributes"))?;
    check_attributes(attributes, content)?;
    let algorithm = signature_algorithm(certificate.key().kind())?;
    if signer.signature_algorithm != algorithm || signer.digest_alg.oid != ID_SHA_256 {
        return Err(wrong("does not use the algorithm of the signer's key with SHA-256"));
    }
    verify(certificate.key(), &algorithm, &attributes.to_der()?, signer.signature.as_bytes())
        .map_err(|_| wrong("does not verify"))?;
    Ok(certificate)
}

fn check_identity(signer: &SignerInfo, certificate: &Certificate) -> Option<()> {
    let SignerIdentifier::IssuerAndSerialNumber(identity) = &signer.sid else { return None };
    let tbs = certificate.parsed().tbs_certificate();
    (identity.issuer == *tbs.issuer() && identity.serial_number == *tbs.serial_number()).then_some(())
}

fn check_attributes(attributes: &Attributes, content: &Digest) -> Result<(), Error> {
    let one = |oid: ObjectIdentifier| -> Result<&Any, Error> {
        let found: Vec<&Attribute> = attributes.iter().filter(|attribute| attribute.oid == oid).collect();
        match found.as_slice() {
            [attribute] => match attribute.values.as_slice() {
                [value] => Ok(value),
                _ => {
                    Err(Error(format!("manifest signature: attribute {oid} does not have exactly one value")))
                }
            },
            _ => Err(Error(format!("manifest signature: attribute {oid} does not occur exactly once"))),
        }
    };
    let kind: ObjectIdentifier = one(ID_CONTENT_TYPE)?.decode_as()?;
    let digest: OctetString = one(ID_MESSAGE_DIGEST)?.decode_as()?;
    if kind != ID_DATA || digest.as_bytes() != content.as_bytes() {
        return Err(Error("manifest signature: does not cover this manifest".into()));
    }
    Ok(())
}
