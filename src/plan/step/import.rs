//! `import`: import the bundles.

use serde::Deserialize;

use super::{BLANKS, OnPaper, Rules};
use crate::record::{Prompt, State, question};

/// Imports the bundles.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Import {}

impl Rules for Import {
    fn needs(&self) -> &'static [&'static str] {
        &["open-token", "inventory"]
    }

    fn asks(&self) -> Option<&'static str> {
        Some("bundle")
    }

    fn is_asked(&self, prompt: &Prompt, state: &State) -> bool {
        let bundle = state.begin.as_ref().and_then(|begin| begin.bundle_sha256);
        matches!(prompt, Prompt::Bundle(compared) if Some(compared.sha256) == bundle)
    }

    fn explanation(&self) -> &'static str {
        "Shows the number of requests and their digest. Compare the digest with the one on paper."
    }

    fn paper(&self) -> OnPaper {
        OnPaper::new(
            [question::compare("bundle", &BLANKS)],
            [
                "The number of requests, and the contents of their indexes",
                "Bundle digest in groups of digits and in words",
            ],
            ["The bundle digest"],
        )
    }
}
