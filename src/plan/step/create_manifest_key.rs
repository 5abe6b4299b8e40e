//! `create-manifest-key`: generate an ECDSA P-256 key that signs manifests, and issue its certificate.

use serde::Deserialize;

use super::{KeySpec, KeyUse, OnPaper, Rules};
use crate::keys::KeyRequest;
use crate::plan::Roles;
use crate::policy::{ProfileFile, RosterLine};
use crate::record::{Event, KeyRole, Prompt, State};

/// Generates an ECDSA P-256 key that signs manifests, and issues its certificate.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateManifestKey {
    /// Name in scripts, and label in the token.
    pub name: String,
    /// Name of the certificate profile.
    pub profile: String,
    /// Subject, one attribute per string.
    pub subject: Vec<String>,
    /// Validity of the certificate, in days.
    pub days: u32,
    /// Name of the issuing authority.
    pub issuer: String,
}

impl CreateManifestKey {
    fn spec(&self) -> KeySpec {
        KeySpec {
            name: self.name.clone(),
            role: KeyRole::Manifest,
            profile: self.profile.clone(),
            subject: self.subject.clone(),
            key: KeyRequest::EcdsaP256,
            days: self.days,
            issuer: Some(self.issuer.clone()),
        }
    }
}

impl Rules for CreateManifestKey {
    fn needs(&self) -> &'static [&'static str] {
        &["open-token", "inventory"]
    }

    fn may_recur(&self) -> bool {
        true
    }

    fn check(&self, _: &Roles, profiles: &ProfileFile) -> Result<(), String> {
        self.spec().check(profiles)
    }

    fn key(&self) -> Option<KeySpec> {
        Some(self.spec())
    }

    fn keys<'s>(&'s self, _: &'s [RosterLine]) -> Vec<KeyUse<'s>> {
        vec![KeyUse::uses(&self.issuer, KeyRole::Authority), KeyUse::makes(&self.name, KeyRole::Manifest)]
    }

    fn asks(&self) -> Option<&'static str> {
        Some("create")
    }

    fn is_asked(&self, prompt: &Prompt, _: &State) -> bool {
        self.spec().is_asked(prompt)
    }

    fn explanation(&self) -> &'static str {
        "Generates the key that signs manifests, and issues its certificate. Read the name aloud and type it."
    }

    fn paper(&self) -> OnPaper {
        self.spec().paper()
    }

    fn allows(&self, event: &Event) -> Result<(), String> {
        self.spec().allows(event)
    }

    fn is_done(&self, state: &State, _: &[&Event]) -> Result<(), String> {
        self.spec().is_done(state)
    }
}
