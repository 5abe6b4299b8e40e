//! Certificates for approved requests. Fields common to all certificates of a profile are encoded once.

use std::collections::HashMap;
use std::sync::Arc;

use der::asn1::{AnyRef, UintRef};
use der::{DateTime, Decode, Encode, Sequence};
use x509_cert::Version;
use x509_cert::time::Validity as EncodedValidity;

use super::build::time;
use super::check::Intended;
use super::{Authority, Error, Serial, ToBeSigned, Validity, extensions, signature_algorithm};
use crate::keys::KeyKind;
use crate::policy::{Approval, NamedProfile, Policy};

/// A TBSCertificate of fields that are already encoded (RFC 5280 4.1.2).
#[derive(Sequence)]
struct LeafCertificate<'a> {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    version: Version,
    serial_number: UintRef<'a>,
    signature: AnyRef<'a>,
    issuer: AnyRef<'a>,
    validity: EncodedValidity,
    subject: AnyRef<'a>,
    subject_public_key_info: AnyRef<'a>,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT")]
    extensions: Vec<AnyRef<'a>>,
}

/// The encoded fields common to all certificates of one profile under one authority.
#[derive(Clone, Debug)]
pub struct Template {
    authority: Arc<Authority>,
    name: Arc<str>,
    algorithm: Vec<u8>,
    issuer: Vec<u8>,
    authority_key_identifier: Vec<u8>,
    usage_rsa: Vec<u8>,
    usage_other: Vec<u8>,
    closing: Vec<Vec<u8>>,
}

impl Template {
    /// Encodes the fields that do not depend on the request.
    ///
    /// # Errors
    /// [`Error::Refused`] when the authority's path length does not allow the profile,
    /// [`Error::Internal`] when encoding fails.
    pub fn new(authority: Arc<Authority>, profile: &NamedProfile) -> Result<Self, Error> {
        if profile.profile.is_authority() && authority.path_length() == Some(0) {
            return Err(Error::Refused(format!(
                "{} has path length 0, so certificate profile {} cannot be issued under it (RFC 5280 4.2.1.9)",
                authority.name(),
                profile.name
            )));
        }
        let profile = &profile.profile;
        let closing = extensions::closing(profile)?;
        Ok(Self {
            algorithm: signature_algorithm(authority.key().kind())?.to_der()?,
            issuer: authority.subject().to_der()?,
            authority_key_identifier: extensions::authority_key_identifier(authority.key())?.to_der()?,
            usage_rsa: extensions::usage(profile, KeyKind::Rsa(0))?.to_der()?,
            usage_other: extensions::usage(profile, KeyKind::P256)?.to_der()?,
            closing: closing.iter().map(Encode::to_der).collect::<Result<_, _>>()?,
            name: authority.name().into(),
            authority,
        })
    }

    /// Builds the certificate for an approved request.
    ///
    /// # Errors
    /// [`Error::Refused`] when the authority's validity does not allow it.
    pub fn fill(&self, approval: &Approval, serial: Serial, now: DateTime) -> Result<ToBeSigned, Error> {
        let validity = self.authority.limit(Validity::seconds(now, approval.seconds())?)?;
        let key_identifier = extensions::subject_key_identifier(approval.key())?.to_der()?;
        let names = self.names(approval)?;
        let usage = match approval.key().kind() {
            KeyKind::Rsa(_) => &self.usage_rsa,
            _ => &self.usage_other,
        };
        let all = [&self.authority_key_identifier, &key_identifier, usage]
            .into_iter()
            .chain(&names)
            .chain(&self.closing);
        let tbs = LeafCertificate {
            version: Version::V3,
            serial_number: UintRef::new(serial.as_bytes())?,
            signature: AnyRef::from_der(&self.algorithm)?,
            issuer: AnyRef::from_der(&self.issuer)?,
            validity: EncodedValidity::new(time(validity.not_before)?, time(validity.not_after)?),
            subject: AnyRef::from_der(approval.subject())?,
            subject_public_key_info: AnyRef::from_der(approval.key().der())?,
            extensions: all.map(|octets| AnyRef::from_der(octets)).collect::<Result<_, _>>()?,
        };
        let intended = Intended {
            issuer: Some(&self.authority),
            issuer_key: self.authority.key(),
            serial,
            validity,
            holder: (approval.subject(), approval.key()),
            profile: approval.profile(),
            names: (approval.dns(), approval.ip()),
        };
        ToBeSigned::checked(tbs.to_der()?, Arc::clone(&self.name), self.authority.shared_key(), &intended)
    }

    fn names(&self, approval: &Approval) -> Result<Option<Vec<u8>>, Error> {
        let (dns, ip) = (approval.dns(), approval.ip());
        if dns.is_empty() && ip.is_empty() {
            return Ok(None);
        }
        let critical = AnyRef::from_der(approval.subject())?.value().is_empty();
        Ok(Some(extensions::names(dns, ip, critical)?.to_der()?))
    }
}

/// The templates of a policy, by certificate profile and authority.
#[derive(Debug)]
pub struct Templates(HashMap<String, HashMap<String, Template>>);

impl Templates {
    /// A template for each pair of profile and authority that the roster names and `authority` knows.
    ///
    /// # Errors
    /// As [`Template::new`].
    pub fn new(policy: &Policy, authority: impl Fn(&str) -> Option<Arc<Authority>>) -> Result<Self, Error> {
        let mut templates = HashMap::<String, HashMap<_, _>>::new();
        for (profile, name) in policy.issues() {
            let Some(issuer) = authority(name) else { continue };
            let of_profile = templates.entry(profile.name.clone()).or_default();
            of_profile.insert(name.to_owned(), Template::new(issuer, profile)?);
        }
        Ok(Self(templates))
    }

    /// The template for what was approved.
    pub fn get(&self, approval: &Approval) -> Option<&Template> {
        self.0.get(approval.profile_name())?.get(approval.authority())
    }
}
