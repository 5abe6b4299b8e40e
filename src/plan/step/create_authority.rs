//! `create-authority`: generate an authority's key and issue its certificate.

use serde::Deserialize;

use super::{KeySpec, KeyUse, OnPaper, Rules};
use crate::keys::KeyRequest;
use crate::plan::Roles;
use crate::policy::{ProfileFile, RosterLine};
use crate::record::{Event, KeyRole, Prompt, State};

/// Generates an authority's key and issues its certificate.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateAuthority {
    /// Name in scripts, and label in the token.
    pub name: String,
    /// Name of the certificate profile.
    pub profile: String,
    /// Subject, one attribute per string.
    pub subject: Vec<String>,
    /// Kind of key.
    pub key: KeyRequest,
    /// Validity of the certificate, in days.
    pub days: u32,
    /// Name of the issuing authority; none for a root.
    pub issuer: Option<String>,
}

impl CreateAuthority {
    fn spec(&self) -> KeySpec {
        KeySpec {
            name: self.name.clone(),
            role: KeyRole::Authority,
            profile: self.profile.clone(),
            subject: self.subject.clone(),
            key: self.key,
            days: self.days,
            issuer: self.issuer.clone(),
        }
    }
}

impl Rules for CreateAuthority {
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
        let issuer = self.issuer.as_deref().map(|issuer| KeyUse::uses(issuer, KeyRole::Authority));
        issuer.into_iter().chain([KeyUse::makes(&self.name, KeyRole::Authority)]).collect()
    }

    fn asks(&self) -> Option<&'static str> {
        Some("create")
    }

    fn is_asked(&self, prompt: &Prompt, _: &State) -> bool {
        self.spec().is_asked(prompt)
    }

    fn explanation(&self) -> &'static str {
        "Generates an authority's key in the token and issues its certificate. Read the name aloud and type it."
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
