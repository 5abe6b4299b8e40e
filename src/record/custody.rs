//! The custody of a token's PIN: the life cycle of sets of shares.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A change in the state of a set of shares. A set is named by the identifier in its shares (BIP-93).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "phase", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Custody {
    /// The set is about to be handed out.
    Begun {
        /// Identifier of the set.
        set: String,
    },
    /// A share was shown again.
    ShownAgain {
        /// Index of the share.
        share: char,
        /// The custodian.
        to: String,
    },
    /// Every custodian received a share and typed it back.
    HandedOut {
        /// Identifier of the set.
        set: String,
        /// Number of shares that recover the PIN.
        threshold: usize,
        /// The holder of each share.
        shares: Vec<Share>,
        /// Serial of the token.
        token_serial: String,
    },
    /// The PIN of the set became the token's PIN.
    Changed {
        /// Identifier of the set.
        set: String,
        /// Serial of the token.
        token_serial: String,
    },
    /// The token refused the PIN of the set.
    NotTaken {
        /// Identifier of the set.
        set: String,
    },
    /// The set is void: it does not open the token.
    Void {
        /// Identifier of the set.
        set: String,
    },
    /// A custodian entered a share.
    Share {
        /// Identifier of the set.
        set: Option<String>,
        /// Index of the share.
        share: char,
        /// The custodian.
        by: String,
        /// Source of the input.
        from: ShareSource,
    },
    /// Enough shares were entered.
    Collected {
        /// Identifier of the set.
        set: Option<String>,
        /// Number of shares.
        shares: usize,
    },
}

/// A share and its holder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Share {
    /// Index of the share.
    pub share: char,
    /// Name of the custodian.
    pub custodian: String,
}

/// The source from which a share was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ShareSource {
    /// A person typed it.
    Terminal,
    /// A file supplied it.
    File,
}
