//! `review`: show the certificates to be issued and the refused requests.

use serde::Deserialize;

use super::{OnPaper, Rules};
use crate::record::{Prompt, State, question};

/// Shows the certificates to be issued and the refused requests.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Review {
    /// Effect of a refusal on the other requests.
    #[serde(default)]
    pub refusals: RefusalRule,
}

/// The effect of a refusal on the approved requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RefusalRule {
    /// The approved requests are issued; the refusal is listed.
    #[default]
    List,
    /// Nothing is issued.
    Stop,
}

impl Rules for Review {
    fn needs(&self) -> &'static [&'static str] {
        &["import"]
    }

    fn asks(&self) -> Option<&'static str> {
        Some("review")
    }

    fn is_asked(&self, prompt: &Prompt, state: &State) -> bool {
        match (prompt, state.reviewed) {
            (Prompt::Review(asked), Some(review)) => {
                (asked.issue, asked.refuse) == (review.approved, review.refused)
            }
            _ => false,
        }
    }

    fn explanation(&self) -> &'static str {
        "Shows what will be issued and what is refused. Read it through and type the numbers."
    }

    fn paper(&self) -> OnPaper {
        OnPaper::new(
            ["Read what will be issued and what is refused, and why".into(), question::review("[n]", "[m]")],
            ["Each request with its certificate profile, authority, subject and names, or its refusal"],
            ["The numbers of issued and refused requests"],
        )
    }
}
