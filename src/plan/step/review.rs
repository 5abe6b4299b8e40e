//! `review`: show what would be issued and what is refused.

use serde::Deserialize;

use super::{OnPaper, Rules};
use crate::record::{Prompt, State, question};

/// Show what would be issued and what is refused.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Review {
    /// What a refusal means for the rest.
    #[serde(default)]
    pub refusals: RefusalRule,
}

/// What a refusal means for the requests that are approved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RefusalRule {
    /// They are issued, the refusal is listed.
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
            ["How many are issued and how many refused"],
        )
    }
}
