//! `inventory`: list what is on the token, and prove the ledger's keys.

use serde::Deserialize;

use super::{OnPaper, Rules};

/// List what is on the token, and prove the ledger's keys.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inventory {
    /// What an object means that neither the ledger nor an earlier ceremony knows.
    #[serde(default)]
    pub strangers: StrangerRule,
}

/// What an object on the token means that is not of this ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StrangerRule {
    /// The ceremony stops, unless an earlier ceremony of the ledger noted it.
    #[default]
    Refuse,
    /// It is shown and noted.
    Report,
}

impl Rules for Inventory {
    fn needs(&self) -> &'static [&'static str] {
        &["open-token"]
    }

    fn may_recur(&self) -> bool {
        true
    }

    fn is_performed_again(&self) -> bool {
        true
    }

    fn explanation(&self) -> &'static str {
        "Lists what is on the token and proves its keys. Look for what you do not know."
    }

    fn paper(&self) -> OnPaper {
        OnPaper::new(
            ["Compare the list with the one of the last ceremony".into()],
            [
                "Each object of the token; what the ledger does not know is marked",
                "The keys that were proved",
            ],
            ["How many objects there are, and any that nobody knows"],
        )
    }
}
