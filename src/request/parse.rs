//! Parses a certification request: strict DER, proof of possession, an accepted key.

use const_oid::db::rfc5912::ID_EXTENSION_REQ;
use der::asn1::AnyRef;
use der::{Decode, Encode, Reader, SliceReader};
use x509_cert::attr::Attribute;
use x509_cert::name::Name;
use x509_cert::request::CertReq;

use super::extensions::{self, Requested};
use super::{Control, Violation, pem};
use crate::digest::Digest;
use crate::keys::{KeyError, PublicKey, SignatureError, verify};

/// A well-formed request with a valid proof of possession (RFC 2986 section 4.2).
#[derive(Clone, Debug)]
pub struct CertificationRequest {
    contents: Contents,
    key: PublicKey,
    digest: Digest,
}

/// Subject and extensions of a request. Available even for a refused request, so that a refusal
/// also lists violations of its names.
#[derive(Clone, Debug)]
pub struct Contents {
    /// Requested subject.
    pub subject: Name,
    /// Requested extensions.
    pub requested: Requested,
}

/// A request that is refused regardless of policy.
#[derive(Clone, Debug)]
pub struct Rejection {
    /// All violations found.
    pub violations: Vec<Violation>,
    /// Subject and extensions, if they could be parsed.
    pub contents: Option<Box<Contents>>,
}

impl From<Violation> for Rejection {
    fn from(violation: Violation) -> Self {
        Self { violations: vec![violation], contents: None }
    }
}

impl CertificationRequest {
    /// Parses a file in PEM or DER.
    ///
    /// # Errors
    /// Every violation that can be found without a policy.
    pub fn from_file(octets: &[u8]) -> Result<Self, Rejection> {
        let der = pem::request_der(octets)?;
        let parsed = strict(&der)?;
        let mut violations = Vec::new();
        let key = PublicKey::new(parsed.info.public_key.clone()).map_err(from_key_error);
        let key = key.and_then(|key| prove(&key, &parsed, &der).map(|()| key));
        let requested = match attributes(&parsed) {
            Ok(requested) => {
                violations.extend(requested.refused());
                Some(requested)
            }
            Err(violation) => {
                violations.push(violation);
                None
            }
        };
        let key = key.map_err(|violation| violations.insert(0, violation)).ok();
        let contents = requested.map(|requested| Contents { subject: parsed.info.subject, requested });
        match (key, contents) {
            (Some(key), Some(contents)) if violations.is_empty() => {
                Ok(Self { contents, key, digest: Digest::of(octets) })
            }
            (_, contents) => Err(Rejection { violations, contents: contents.map(Box::new) }),
        }
    }

    /// Returns the requested subject and extensions.
    pub fn contents(&self) -> &Contents {
        &self.contents
    }

    /// Returns the public key to be certified.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// Returns the requested extensions and the public key.
    pub fn into_parts(self) -> (Requested, PublicKey) {
        (self.contents.requested, self.key)
    }

    /// Returns the SHA-256 of the file as received.
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

/// Parses DER and requires that re-encoding yields the same octets: then the encoded
/// CertificationRequestInfo is the one that was signed.
fn strict(der: &[u8]) -> Result<CertReq, Violation> {
    let malformed = |e: der::Error| {
        Violation::new(Control::Der, format!("not a version 1 certification request in strict DER: {e}"))
    };
    let parsed = CertReq::from_der(der).map_err(malformed)?;
    if parsed.to_der().map_err(malformed)? != der {
        return Err(Violation::new(Control::Der, "encoding is not DER: re-encoding yields different octets"));
    }
    Ok(parsed)
}

/// Returns the encoded CertificationRequestInfo of a request.
fn info_octets(der: &[u8]) -> Result<&[u8], der::Error> {
    let mut content = SliceReader::new(AnyRef::from_der(der)?.value())?;
    content.tlv_bytes()
}

fn from_key_error(error: KeyError) -> Violation {
    match error {
        KeyError::Unsupported(message) => Violation::new(Control::KeyType, message),
        KeyError::Weak(message) => Violation::new(Control::KeyStrength, message),
    }
}

fn prove(key: &PublicKey, parsed: &CertReq, der: &[u8]) -> Result<(), Violation> {
    let info = info_octets(der).map_err(|e| Violation::new(Control::Der, e.to_string()))?;
    let signature = parsed.signature.as_bytes().unwrap_or_default();
    verify(key, &parsed.algorithm, info, signature).map_err(|error| match error {
        SignatureError::Algorithm(message) => Violation::new(Control::SignatureAlgorithm, message),
        SignatureError::Invalid => Violation::new(
            Control::PossessionProof,
            "signature does not verify with the request's own key, so the sender may not have the private key",
        ),
    })
}

fn attributes(parsed: &CertReq) -> Result<Requested, Violation> {
    let bad = |message: String| Violation::new(Control::Attribute, message);
    let mut requested = Requested::default();
    let mut seen = Vec::new();
    for Attribute { oid, values } in parsed.info.attributes.iter() {
        if seen.contains(oid) {
            return Err(bad(format!("duplicate attribute {}", extensions::name(*oid))));
        }
        seen.push(*oid);
        if *oid != ID_EXTENSION_REQ {
            requested.overridden.push(format!("attribute {} is ignored", extensions::name(*oid)));
            continue;
        }
        match values.as_slice() {
            [value] => requested.read(value)?,
            other => {
                return Err(bad(format!(
                    "extensionRequest has {} values, must have exactly 1 (RFC 2985 5.4.2)",
                    other.len()
                )));
            }
        }
    }
    Ok(requested)
}
