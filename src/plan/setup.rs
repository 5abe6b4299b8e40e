//! What is written down of a run, so that it can be resumed and audited from the ledger alone.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Plan, PlanFiles};
use crate::digest::Digest;
use crate::failure::Failure;
use crate::record::{BundleFacts, Facts};

/// What is written down of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    /// The plan's texts.
    pub plan: PlanFiles,
    /// The HSM profile's text.
    pub hsm: String,
    /// The token serial.
    pub token_serial: String,
    /// Where the release goes.
    pub out: Option<PathBuf>,
    /// Where the medium was mounted that the release goes to.
    pub medium: Option<PathBuf>,
    /// The bundle digest, when requests came in.
    pub bundle: Option<Digest>,
    /// The indexes of the bundles that have one.
    pub indexes: Vec<BundleFacts>,
}

impl Setup {
    /// Reads what a ledger has written down.
    ///
    /// # Errors
    /// [`Failure::fault`] when it is damaged.
    pub fn read(text: &str) -> Result<Self, Failure> {
        serde_json::from_str(text).map_err(|e| Failure::fault(format!("ledger: plan: {e}")))
    }

    /// The plan of its texts.
    pub fn plan(&self) -> Result<Plan, Failure> {
        Plan::from_files(self.plan.clone())
    }

    /// What of it the transcript does not begin with, when the ledger was changed.
    pub fn differs(&self, facts: &Facts) -> Option<&'static str> {
        let hsm = Digest::of(self.hsm.as_bytes());
        [
            ("plan", self.plan.digest() == facts.plan.sha256),
            ("hsm_profile", hsm == facts.hsm_profile.sha256),
            ("token_serial", self.token_serial == facts.token_serial),
            ("out", self.out == facts.out),
            ("bundle_sha256", self.bundle == facts.bundle_sha256),
            ("indexes", self.indexes == facts.indexes),
        ]
        .into_iter()
        .find_map(|(name, same)| (!same).then_some(name))
    }
}
