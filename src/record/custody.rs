//! The custody of a token's PIN: what became of sets of shares.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What became of a set of shares. A set is named by the identifier that its shares carry (BIP-93).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "phase", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Custody {
    /// It is about to be handed out.
    Begun {
        /// The set.
        set: String,
    },
    /// A share was shown once more.
    ShownAgain {
        /// Its index.
        share: char,
        /// To whom.
        to: String,
    },
    /// Every custodian has a share and typed it back.
    HandedOut {
        /// The set.
        set: String,
        /// How many shares give the PIN.
        threshold: usize,
        /// Who holds which.
        shares: Vec<Share>,
        /// For which token.
        token_serial: String,
    },
    /// The token has the PIN of the set.
    Changed {
        /// The set.
        set: String,
        /// Which token.
        token_serial: String,
    },
    /// The token did not take the PIN of the set.
    NotTaken {
        /// The set.
        set: String,
    },
    /// The set opens nothing.
    Void {
        /// The set.
        set: String,
    },
    /// A custodian gave a share.
    Share {
        /// The set.
        set: Option<String>,
        /// Its index.
        share: char,
        /// Who gave it.
        by: String,
        /// How it came in.
        from: ShareSource,
    },
    /// Enough shares came in.
    Collected {
        /// The set.
        set: Option<String>,
        /// How many.
        shares: usize,
    },
}

/// Who holds which share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Share {
    /// Its index.
    pub share: char,
    /// Who holds it.
    pub custodian: String,
}

/// How a share came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ShareSource {
    /// Somebody typed it.
    Terminal,
    /// A file gave it.
    File,
}
