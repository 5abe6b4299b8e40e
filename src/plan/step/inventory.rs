//! `inventory`: list the objects on the token, and prove possession of the ledger's keys.

use serde::Deserialize;

use super::{OnPaper, Rules};

/// Lists the objects on the token, and proves possession of the ledger's keys.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inventory {
    /// Treatment of objects unknown to the ledger and to earlier ceremonies.
    #[serde(default)]
    pub strangers: StrangerRule,
}

/// The treatment of an object on the token that does not belong to this ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StrangerRule {
    /// Stops the ceremony, unless an earlier ceremony of the ledger reported the object.
    #[default]
    Refuse,
    /// Shows and records the object.
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
        "Lists the objects on the token and proves its keys. Look for unknown objects."
    }

    fn paper(&self) -> OnPaper {
        OnPaper::new(
            ["Compare the list with the one of the last ceremony".into()],
            ["Each object on the token; those unknown to the ledger are marked", "The keys that were proved"],
            ["The number of objects, and any unknown ones"],
        )
    }
}
