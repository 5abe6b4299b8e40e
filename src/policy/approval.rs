//! Results of judging a request: an approval, or all violations.

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

/// Contents of a certificate to be issued, except for serial number and validity dates.
#[derive(Clone, Debug)]
pub struct Approval {
    pub(super) path: RelativePath,
    pub(super) request: Digest,
    pub(super) profile: Arc<NamedProfile>,
    pub(super) authority: Arc<str>,
    pub(super) subject: Vec<u8>,
    pub(super) dns: Vec<String>,
    pub(super) ip: Vec<IpAddr>,
    pub(super) key: PublicKey,
    pub(super) seconds: u64,
    pub(super) notes: Vec<String>,
    pub(super) object: Option<String>,
}

/// A certificate profile with its name.
#[derive(Clone, Debug)]
pub struct NamedProfile {
    /// Name in scripts and rosters.
    pub name: String,
    /// The profile.
    pub profile: CertificateProfile,
}

/// The parts of an approval that the ledger stores as JSON; path, request and key have columns.
#[derive(Debug, Serialize, Deserialize)]
pub struct Kept {
    /// Name of the certificate profile.
    pub profile: String,
    /// Name of the issuing authority.
    pub authority: String,
    /// DER in hexadecimal.
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
    /// Returns the path of the request.
    pub fn path(&self) -> &RelativePath {
        &self.path
    }

    /// Returns the SHA-256 of the request file.
    pub fn request(&self) -> Digest {
        self.request
    }

    /// Returns the name of the certificate profile.
    pub fn profile_name(&self) -> &str {
        &self.profile.name
    }

    /// Whether the certificate is that of an authority whose key is outside the token.
    pub fn delegates(&self) -> bool {
        self.profile.profile.kind == Kind::Delegated
    }

    /// Returns the name of the issuing authority.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Returns the subject to be certified, in DER.
    pub fn subject(&self) -> &[u8] {
        &self.subject
    }

    /// Returns the subject to be certified, for display.
    pub fn subject_text(&self) -> String {
        Name::from_der(&self.subject).map(|name| name.to_string()).unwrap_or_default()
    }

    /// Returns what the request asks for and the certificate will not contain.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Returns the object that contained the request, in one line for display.
    pub fn object(&self) -> Option<&str> {
        self.object.as_deref()
    }

    /// Returns the certificate profile.
    pub fn profile(&self) -> &CertificateProfile {
        &self.profile.profile
    }

    /// Returns the public key to be certified.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// Returns the DNS names to be certified.
    pub fn dns(&self) -> &[String] {
        &self.dns
    }

    /// Returns the IP addresses to be certified.
    pub fn ip(&self) -> &[IpAddr] {
        &self.ip
    }

    /// Returns the validity in seconds, before the authority's own end limits it.
    pub fn seconds(&self) -> u64 {
        self.seconds
    }

    /// Returns DNS names and IP addresses, for display.
    pub fn names(&self) -> Vec<String> {
        self.dns.iter().cloned().chain(self.ip.iter().map(IpAddr::to_string)).collect()
    }

    /// Returns the JSON form stored by the ledger; see [`Kept`].
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
        // Strings and numbers always have a JSON form.
        serde_json::to_string(&kept).unwrap_or_default()
    }
}

impl Kept {
    /// Parses the JSON form stored by the ledger.
    ///
    /// # Errors
    /// [`Error`] when it is damaged.
    pub fn read(text: &str) -> Result<Self, Error> {
        serde_json::from_str(text).map_err(|e| Error(e.to_string()))
    }

    /// Returns DNS names, then IP addresses.
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

/// The result of judging a request.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// Path of the request.
    pub path: RelativePath,
    /// SHA-256 of the request file.
    pub request: Digest,
    /// SHA-256 of the SubjectPublicKeyInfo, when the request is well-formed.
    pub key: Option<Digest>,
    /// What may be issued, or all violations.
    pub outcome: Result<Approval, Vec<Violation>>,
}

/// A problem outside the request itself: in its bundle, or with earlier ceremonies.
#[derive(Clone, Debug)]
pub enum Objection {
    /// Path of the output file that another request produces as well.
    Collision(String),
    /// Another bundle contains a file with this path.
    SamePath,
    /// Path of another request with the same key, and number of requests of the ceremony with it.
    KeyTwice(RelativePath, usize),
    /// Description of the ceremony that answered the same request.
    Answered(String),
    /// Description of the ceremony that certified the same key.
    Certified(String),
}
