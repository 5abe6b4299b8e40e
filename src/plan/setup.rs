//! The stored setup of a run, with which it can be resumed and audited from the ledger alone.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Plan, PlanFiles};
use crate::digest::Digest;
use crate::failure::Failure;
use crate::record::{BundleFacts, Facts};

/// The stored setup of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    /// The files of the plan.
    pub plan: PlanFiles,
    /// Text of the HSM profile.
    pub hsm: String,
    /// Serial of the token.
    pub token_serial: String,
    /// Path of the release.
    pub out: Option<PathBuf>,
    /// Mount point of the medium for the release.
    pub medium: Option<PathBuf>,
    /// The bundle digest, if requests were imported.
    pub bundle: Option<Digest>,
    /// Facts of the bundles' indexes; a bundle without an index has none.
    pub indexes: Vec<BundleFacts>,
}

impl Setup {
    /// Parses the setup stored in a ledger.
    ///
    /// # Errors
    /// [`Failure::fault`] if it is malformed.
    pub fn read(text: &str) -> Result<Self, Failure> {
        serde_json::from_str(text).map_err(|e| Failure::fault(format!("ledger: plan: {e}")))
    }

    /// Parses and checks the plan.
    pub fn plan(&self) -> Result<Plan, Failure> {
        Plan::from_files(self.plan.clone())
    }

    /// Returns the first fact that differs from the begin record, because the ledger was modified.
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
