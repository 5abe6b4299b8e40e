//! `open-token`: log in to the token.

use serde::Deserialize;

use super::{OnPaper, Rules};
use crate::plan::Roles;
use crate::policy::ProfileFile;

/// Logs in to the token.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenToken {
    /// Source of the PIN.
    #[serde(default)]
    pub pin: PinRule,
}

/// The source of the PIN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PinRule {
    /// A person types it, at the terminal or on the token's PIN pad.
    #[default]
    Typed,
    /// Custodians type their shares.
    Shares,
}

impl Rules for OpenToken {
    fn needs(&self) -> &'static [&'static str] {
        &["machine"]
    }

    fn is_performed_again(&self) -> bool {
        true
    }

    fn check(&self, roles: &Roles, _: &ProfileFile) -> Result<(), String> {
        if self.pin == PinRule::Shares && roles.custodian < 2 {
            Err(format!("pin = \"shares\" requires at least 2 custodians, [people] has {}", roles.custodian))
        } else {
            Ok(())
        }
    }

    fn explanation(&self) -> &'static str {
        match self.pin {
            PinRule::Typed => "Opens the token. The holder of the PIN types it; it is not shown.",
            PinRule::Shares => "Opens the token. Custodians type their shares of the PIN, one after another.",
        }
    }

    fn paper(&self) -> OnPaper {
        OnPaper::new(
            [
                "Compare label and serial with the token in front of you".into(),
                "Type the PIN or the shares; they are not shown".into(),
            ],
            ["Label, serial, manufacturer and model of the token"],
            ["The token's serial"],
        )
    }
}
