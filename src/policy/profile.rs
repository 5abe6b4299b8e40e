//! Certificate profiles: data that defines a kind of certificate, each citing its source.

use std::collections::BTreeMap;

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280::{ID_KP_CLIENT_AUTH, ID_KP_EMAIL_PROTECTION, ID_KP_SERVER_AUTH};
use serde::Deserialize;
use x509_cert::ext::pkix::KeyUsages;

use super::Error;

/// Certificate profiles of a file by name.
pub type ProfileFile = BTreeMap<String, CertificateProfile>;

/// A certificate profile.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateProfile {
    /// Document and clause that the profile implements.
    pub source: String,
    /// Kind of the certificate's subject.
    pub kind: Kind,
    /// Maximum validity in days of 86,400 seconds.
    pub days: u32,
    /// keyUsage (RFC 5280 4.2.1.3). keyEncipherment is omitted for keys that cannot encipher.
    pub key_usage: Vec<Use>,
    /// extendedKeyUsage (RFC 5280 4.2.1.12). Empty for an authority in the token; for a delegated
    /// authority it limits the purposes of its leaves.
    #[serde(default)]
    pub extended_key_usage: Vec<ExtendedUse>,
    /// certificatePolicies (RFC 5280 4.2.1.4).
    #[serde(default)]
    pub certificate_policies: Vec<CertificatePolicy>,
    /// pathLenConstraint (RFC 5280 4.2.1.9), only for authorities.
    pub path_length: Option<u8>,
    /// Whether certificates have names.
    #[serde(default)]
    pub names: Names,
    /// Maximum number of names of a request, 1 to 1000; 1000 if absent.
    pub max_names: Option<u16>,
    /// Patterns that the subject must match in addition to those of the roster.
    #[serde(default)]
    pub subject: Vec<String>,
}

/// Maximum number of names of a request where the profile says nothing.
const MOST_NAMES: u16 = 1000;

/// Kind of a certificate's subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A self-signed authority.
    Root,
    /// An authority issued by another one.
    Intermediate,
    /// An authority issued by another one, with its key outside the token, in the cluster.
    Delegated,
    /// A TLS server or client.
    Leaf,
    /// A signer of manifests.
    Manifest,
}

/// Whether a certificate carries DNS names and IP addresses (RFC 5280 4.2.1.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Names {
    /// At least one.
    Required,
    /// Those that the request asks for, if any.
    Optional,
    /// None.
    #[default]
    Forbidden,
}

/// A keyUsage bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Use {
    /// digitalSignature
    DigitalSignature,
    /// keyEncipherment
    KeyEncipherment,
    /// keyCertSign
    KeyCertSign,
    /// cRLSign
    #[serde(rename = "cRLSign")]
    CrlSign,
}

impl Use {
    /// Returns the bit.
    pub fn bit(self) -> KeyUsages {
        match self {
            Self::DigitalSignature => KeyUsages::DigitalSignature,
            Self::KeyEncipherment => KeyUsages::KeyEncipherment,
            Self::KeyCertSign => KeyUsages::KeyCertSign,
            Self::CrlSign => KeyUsages::CRLSign,
        }
    }

    /// Returns the name in RFC 5280 and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::DigitalSignature => "digitalSignature",
            Self::KeyEncipherment => "keyEncipherment",
            Self::KeyCertSign => "keyCertSign",
            Self::CrlSign => "cRLSign",
        }
    }
}

/// An extendedKeyUsage purpose. anyExtendedKeyUsage and OCSPSigning are deliberately absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ExtendedUse {
    /// serverAuth
    ServerAuth,
    /// clientAuth
    ClientAuth,
    /// emailProtection, which no TLS peer accepts
    EmailProtection,
}

impl ExtendedUse {
    /// Returns the object identifier.
    pub fn oid(self) -> ObjectIdentifier {
        match self {
            Self::ServerAuth => ID_KP_SERVER_AUTH,
            Self::ClientAuth => ID_KP_CLIENT_AUTH,
            Self::EmailProtection => ID_KP_EMAIL_PROTECTION,
        }
    }

    /// Returns the name in RFC 5280 and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::ServerAuth => "serverAuth",
            Self::ClientAuth => "clientAuth",
            Self::EmailProtection => "emailProtection",
        }
    }
}

/// A certificate policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CertificatePolicy {
    /// For manifest keys and for the authorities that may certify them.
    ManifestSigning,
}

impl CertificateProfile {
    /// Returns the maximum number of names of a request.
    pub fn most_names(&self) -> usize {
        self.max_names.unwrap_or(MOST_NAMES).into()
    }

    /// Whether certificates of this profile assert the manifest-signing policy.
    pub fn asserts_manifest_signing(&self) -> bool {
        self.certificate_policies.contains(&CertificatePolicy::ManifestSigning)
    }

    /// Whether certificates of this profile sign others.
    pub fn is_authority(&self) -> bool {
        matches!(self.kind, Kind::Root | Kind::Intermediate | Kind::Delegated)
    }

    /// Checks that the profile is consistent.
    ///
    /// # Errors
    /// Names the profile, the key and the requirement.
    pub fn check(&self, name: &str) -> Result<(), Error> {
        let bad = |message: &str| Err(Error(format!("certificate profile {name}: {message}")));
        if self.source.trim().is_empty() {
            return bad("source is empty; cite what the profile implements");
        }
        if !(1..=36_500).contains(&self.days) {
            return bad("days is not between 1 and 36500");
        }
        if self.key_usage.is_empty() {
            return bad("key_usage is empty, at least one bit is required (RFC 5280 4.2.1.3)");
        }
        let signs = self.key_usage.contains(&Use::KeyCertSign);
        if signs != self.is_authority() || (!signs && self.key_usage.contains(&Use::CrlSign)) {
            return bad(
                "keyCertSign and cRLSign are only for root, intermediate and delegated, which require keyCertSign (RFC 5280 4.2.1.3)",
            );
        }
        let in_token = matches!(self.kind, Kind::Root | Kind::Intermediate);
        if self.extended_key_usage.is_empty() != in_token {
            return bad(
                "extended_key_usage is required for leaf, manifest and delegated, and must be absent for root and intermediate",
            );
        }
        if self.kind == Kind::Delegated && self.path_length != Some(0) {
            return bad("path_length must be 0 for delegated: no authority below it (RFC 5280 4.2.1.9)");
        }
        if self.path_length.is_some() && !self.is_authority() {
            return bad("path_length is only for root, intermediate and delegated (RFC 5280 4.2.1.9)");
        }
        if self.names != Names::Forbidden && self.kind != Kind::Leaf {
            return bad("names is only for leaf");
        }
        if self.max_names.is_some_and(|most| !(1..=MOST_NAMES).contains(&most)) {
            return bad("max_names is not between 1 and 1000");
        }
        if self.max_names.is_some() && self.names == Names::Forbidden {
            return bad("max_names is only for certificates with names");
        }
        if self.kind == Kind::Delegated && self.extended_key_usage.contains(&ExtendedUse::EmailProtection) {
            return bad(
                "emailProtection is not allowed for delegated: no delegated authority may certify manifest keys",
            );
        }
        if self.certificate_policies.len() > 1 {
            return bad("duplicate policy in certificate_policies (RFC 5280 4.2.1.4)");
        }
        if self.asserts_manifest_signing() && matches!(self.kind, Kind::Delegated | Kind::Leaf) {
            return bad(
                "the certificate policy manifest-signing is only for manifest, root and intermediate: no key outside the token may speak for a ledger",
            );
        }
        let mail_only = self.extended_key_usage == [ExtendedUse::EmailProtection];
        if mail_only != (self.kind == Kind::Manifest) {
            return bad(
                "manifest requires emailProtection alone, and no other kind may have it, so that no TLS peer accepts its certificate",
            );
        }
        Ok(())
    }
}
