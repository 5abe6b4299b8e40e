//! The facts of a ceremony, as the record that begins it, and every one that resumes it, states them.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::media::RelativePath;
use crate::request::{Index, IndexName, Sequence, Time};

/// What began a ceremony, or resumed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// The script's title.
    pub title: String,
    /// The plan that people approved.
    pub plan: PlanFacts,
    /// Whether it is a rehearsal.
    pub rehearsal: bool,
    /// The HSM profile.
    pub hsm_profile: HsmProfileFacts,
    /// The PKCS#11 module, which gets the PIN.
    pub module: ModuleFacts,
    /// The token's serial.
    pub token_serial: String,
    /// Where the release goes.
    pub out: Option<PathBuf>,
    /// The bundle digest, when requests came in.
    pub bundle_sha256: Option<Digest>,
    /// The indexes of the bundles that have one.
    pub indexes: Vec<BundleFacts>,
    /// Whether a file answers for people, or gives their shares.
    pub unattended: bool,
    /// The program.
    pub tool: Tool,
}

impl Facts {
    /// The first fact that is not the same when a ceremony is resumed: its name, what it was and what it is.
    /// Program and people may change.
    pub fn changed(&self, now: &Self) -> Option<(&'static str, String, String)> {
        first_difference!(self, now, title plan rehearsal hsm_profile module token_serial out bundle_sha256 indexes)
    }
}

/// The plan: its digest, and those of its files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanFacts {
    /// The plan digest.
    pub sha256: Digest,
    /// The script, then the files that it names.
    pub files: Vec<FileFacts>,
}

/// A file of the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileFacts {
    /// Its path beside the script.
    pub path: RelativePath,
    /// SHA-256 over its octets.
    pub sha256: Digest,
}

/// The HSM profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HsmProfileFacts {
    /// Its name.
    pub name: String,
    /// SHA-256 over its text.
    pub sha256: Digest,
}

/// The PKCS#11 module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModuleFacts {
    /// Its path.
    pub path: PathBuf,
    /// SHA-256 over its file.
    pub sha256: Digest,
}

/// The program that wrote a record, or signed a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// Version.
    pub version: String,
    /// SHA-256 over the program's file.
    pub sha256: Digest,
}

impl std::fmt::Display for Tool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.version, self.sha256)
    }
}

/// What is written down of a bundle's index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BundleFacts {
    /// Which of the media it came on, from 0.
    pub bundle: usize,
    /// The cluster, as the index or the script names it.
    pub cluster: Option<IndexName>,
    /// The part of the cluster.
    pub part: Option<IndexName>,
    /// Its sequence number.
    pub sequence: Sequence,
    /// When it was made.
    pub created: Time,
    /// When it must no longer be used.
    pub expires: Option<Time>,
    /// SHA-256 over the index.
    pub index_sha256: Digest,
    /// Who approved it, as far as the script asks for that.
    pub approvers: Vec<String>,
}

impl BundleFacts {
    /// The facts of the index on the medium numbered `bundle`, which has these octets. `cluster` is the one that
    /// the script names.
    pub fn new(
        bundle: usize,
        (index, octets): (&Index, &[u8]),
        cluster: Option<&IndexName>,
        approvers: Vec<String>,
    ) -> Self {
        Self {
            bundle,
            cluster: index.cluster.as_ref().or(cluster).cloned(),
            part: index.part.clone(),
            sequence: index.sequence,
            created: index.created,
            expires: index.expires,
            index_sha256: Digest::of(octets),
            approvers,
        }
    }

    /// The first field that differs: its name and both values.
    pub fn difference(&self, other: &Self) -> Option<(&'static str, String, String)> {
        first_difference!(self, other, bundle cluster part sequence created expires index_sha256 approvers)
    }
}

/// What the machine looks like.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MachineFacts {
    /// Kernel name and release.
    pub kernel: String,
    /// Network interfaces that are up, the loopback left out.
    pub network_up: Vec<String>,
    /// Swap areas in use: a PIN in memory might be written there.
    pub swap: Vec<String>,
    /// Whether memory is locked against swapping.
    pub memory_locked: bool,
    /// Names of loader variables that are set, as LD_PRELOAD.
    pub loader_variables: Vec<String>,
}
