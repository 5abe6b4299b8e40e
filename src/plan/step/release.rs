//! `release`: sign the manifest and write the release.

use serde::Deserialize;

use super::{BLANKS, KeyUse, OnPaper, Rules};
use crate::policy::RosterLine;
use crate::record::{KeyRole, Prompt, State, question};

/// Signs the manifest and writes the release.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// Name of the key that signs the manifest.
    #[serde(default = "manifest")]
    pub manifest_key: String,
}

fn manifest() -> String {
    "manifest".to_owned()
}

impl Rules for Release {
    fn needs(&self) -> &'static [&'static str] {
        &["open-token", "inventory"]
    }

    fn keys<'s>(&'s self, _: &'s [RosterLine]) -> Vec<KeyUse<'s>> {
        vec![KeyUse::uses(&self.manifest_key, KeyRole::Manifest)]
    }

    fn asks(&self) -> Option<&'static str> {
        Some("manifest")
    }

    fn is_asked(&self, prompt: &Prompt, state: &State) -> bool {
        let released = state.sealed.released.map(|release| release.manifest_sha256);
        match prompt {
            Prompt::Manifest(compared) => Some(compared.sha256) == released,
            Prompt::Expired(expired) => released.is_none() && expired.expired > 0,
            _ => false,
        }
    }

    fn explanation(&self) -> &'static str {
        "Signs the manifest and writes the release. Write its digest on paper and compare it."
    }

    fn paper(&self) -> OnPaper {
        let paper = OnPaper::new(
            [
                question::compare("manifest", &BLANKS),
                "Unmount the medium and take it out once the screen says that the release is complete".into(),
            ],
            ["Number and place of the release", "Manifest SHA-256 in groups of digits and in words"],
            ["The manifest's SHA-256"],
        );
        OnPaper { facts: vec![("Signed by the key", self.manifest_key.clone())], ..paper }
    }
}
