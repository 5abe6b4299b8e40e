//! What comes out of a judgement: an approval, or everything that stands against a request.

use std::net::IpAddr;
use std::sync::Arc;

use der::Decode;
use serde::{Deserialize, Serialize};
use x509_cert::name::Name;

use super::{CertificateProfile, Error, Kind};
use crate::digest::{Digest, hex, unhex};
use crate::keys::PublicKey;
use crate::media::RelativePath;
use crate::request::Violation;

/// Policy said yes: what the certificate will say, but for serial number and time.
#[derive(Clone, Debug)]
pub struct Approval {
    pub(crate) path: RelativePath,
    pub(crate) request: Digest,
    pub(crate) profile: Arc<NamedProfile>,
    pub(crate) authority: Arc<str>,
    pub(crate) subject: Vec<u8>,
    pub(crate) dns: Vec<String>,
    pub(crate) ip: Vec<IpAddr>,
    pub(crate) key: PublicKey,
    pub(crate) seconds: u64,
    pub(crate) notes: Vec<String>,
    pub(crate) object: Option<String>,
}

/// A certificate profile and what scripts call it.
#[derive(Clone, Debug)]
pub struct NamedProfile {
    /// The name in scripts.
    pub name: String,
    /// What it says.
    pub profile: CertificateProfile,
}

/// The parts of an approval that the ledger keeps, besides path, request and key.
#[derive(Debug, Serialize, Deserialize)]
pub struct Kept {
    /// The certificate profile's name.
    pub profile: String,
    /// The authority's name.
    pub authority: String,
    /// DER, in hexadecimal digits.
    subject: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    dns: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    ip: Vec<IpAddr>,
    seconds: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    object: Option<String>,
}

impl Approval {
    /// The request's path.
    pub fn path(&self) -> &RelativePath {
        &self.path
    }

    /// SHA-256 over the request's file.
    pub fn request(&self) -> Digest {
        self.request
    }

    /// The certificate profile's name.
    pub fn profile_name(&self) -> &str {
        &self.profile.name
    }

    /// Whether what is issued is an authority, whose key is outside the token.
    pub fn delegates(&self) -> bool {
        self.profile.profile.kind == Kind::Delegated
    }

    /// The issuing authority's name.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The DER octets of the subject to be certified.
    pub fn subject(&self) -> &[u8] {
        &self.subject
    }

    /// The subject to be certified, to be shown.
    pub fn subject_text(&self) -> String {
        Name::from_der(&self.subject).map(|name| name.to_string()).unwrap_or_default()
    }

    /// What the request asked for and does not get.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The object that carried the request, in one line.
    pub fn object(&self) -> Option<&str> {
        self.object.as_deref()
    }

    /// DNS names and addresses, to be shown.
    pub fn names(&self) -> Vec<String> {
        self.dns.iter().cloned().chain(self.ip.iter().map(IpAddr::to_string)).collect()
    }

    /// Whether both say the same of the same request and key.
    pub fn is(&self, other: &Self) -> bool {
        self.path == other.path
            && self.request == other.request
            && self.key.der() == other.key.der()
            && self.kept() == other.kept()
    }

    /// JSON by which the ledger remembers it; path, request and key it keeps beside.
    pub fn kept(&self) -> String {
        let kept = Kept {
            profile: self.profile.name.clone(),
            authority: self.authority.to_string(),
            subject: hex(&self.subject),
            dns: self.dns.clone(),
            ip: self.ip.clone(),
            seconds: self.seconds,
            notes: self.notes.clone(),
            object: self.object.clone(),
        };
        // Texts and numbers always have a JSON form.
        serde_json::to_string(&kept).unwrap_or_default()
    }
}

impl Kept {
    /// Reads what a ledger has written down.
    ///
    /// # Errors
    /// [`Error`] when it is damaged.
    pub fn read(text: &str) -> Result<Self, Error> {
        serde_json::from_str(text).map_err(|e| Error(e.to_string()))
    }

    /// DNS names, then IP addresses.
    pub fn names(&self) -> Vec<String> {
        self.dns.iter().cloned().chain(self.ip.iter().map(IpAddr::to_string)).collect()
    }

    pub(super) fn approval(
        self,
        path: RelativePath,
        request: Digest,
        profile: Arc<NamedProfile>,
        authority: Arc<str>,
        key: PublicKey,
    ) -> Result<Approval, Error> {
        let subject = unhex(&self.subject)
            .ok_or_else(|| Error(format!("{path}: the ledger's approval has no subject")))?;
        let Self { dns, ip, seconds, notes, object, .. } = self;
        Ok(Approval { path, request, profile, authority, subject, dns, ip, key, seconds, notes, object })
    }
}

/// A request after judgement.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// The request's path.
    pub path: RelativePath,
    /// SHA-256 over the file.
    pub request: Digest,
    /// SHA-256 over the SubjectPublicKeyInfo, when the request is sound.
    pub key: Option<Digest>,
    /// What may be issued, or everything that stands against it.
    pub outcome: Result<Approval, Vec<Violation>>,
}

/// What stands against a request beyond itself: in its bundle, or in earlier ceremonies.
#[derive(Clone, Debug)]
pub enum Objection {
    /// Another request would become this file, too.
    Collision(String),
    /// Another bundle has a file of this path.
    SamePath,
    /// This other request, and so many of the ceremony in all, carry its key.
    KeyTwice(RelativePath, usize),
    /// This very request was answered there.
    Answered(String),
    /// Its key was certified there.
    Certified(String),
}
