//! `issue`: sign the approved certificates.

use serde::Deserialize;

use super::{KeyUse, OnPaper, Rules};
use crate::policy::RosterLine;
use crate::record::KeyRole;

/// Signs the approved certificates.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issue {}

impl Rules for Issue {
    fn needs(&self) -> &'static [&'static str] {
        &["review"]
    }

    fn keys<'s>(&'s self, roster: &'s [RosterLine]) -> Vec<KeyUse<'s>> {
        roster.iter().map(|line| KeyUse::uses(&line.authority, KeyRole::Authority)).collect()
    }

    fn explanation(&self) -> &'static str {
        "Signs the reviewed certificates. No action is needed; this may take a while."
    }

    fn paper(&self) -> OnPaper {
        OnPaper::new(
            ["Wait".into()],
            ["Progress, then the number of certificates issued"],
            ["The number of certificates issued"],
        )
    }
}
