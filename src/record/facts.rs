//! The facts of a ceremony, stated by the records that begin and resume it.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::media::RelativePath;
use crate::request::{Index, IndexName, Sequence, Time};

/// The facts with which a ceremony was begun or resumed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// Title of the script.
    pub title: String,
    /// The approved plan.
    pub plan: PlanFacts,
    /// Whether the ceremony is a rehearsal.
    pub rehearsal: bool,
    /// The HSM profile.
    pub hsm_profile: HsmProfileFacts,
    /// The PKCS#11 module, which receives the PIN.
    pub module: ModuleFacts,
    /// Serial of the token.
    pub token_serial: String,
    /// Path of the release.
    pub out: Option<PathBuf>,
    /// The bundle digest, if requests were imported.
    pub bundle_sha256: Option<Digest>,
    /// Facts of the bundles' indexes; a bundle without an index has none.
    pub indexes: Vec<BundleFacts>,
    /// Whether prompts are answered, or shares supplied, from a file.
    pub unattended: bool,
    /// The program.
    pub tool: Tool,
}

impl Facts {
    /// Returns the first fact that changed between begin and resume: its name, old and new value. Only the
    /// program and `unattended` may change.
    pub fn changed(&self, now: &Self) -> Option<(&'static str, String, String)> {
        first_difference!(self, now, title plan rehearsal hsm_profile module token_serial out bundle_sha256 indexes)
    }
}

/// The digests of a plan and its files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanFacts {
    /// The plan digest.
    pub sha256: Digest,
    /// The script, followed by the files that it names.
    pub files: Vec<FileFacts>,
}

/// A file of the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileFacts {
    /// Path relative to the script.
    pub path: RelativePath,
    /// SHA-256 of the file.
    pub sha256: Digest,
}

/// The HSM profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HsmProfileFacts {
    /// Name of the profile.
    pub name: String,
    /// SHA-256 of its text.
    pub sha256: Digest,
}

/// The PKCS#11 module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModuleFacts {
    /// Path of the module.
    pub path: PathBuf,
    /// SHA-256 of the file.
    pub sha256: Digest,
}

/// The program that wrote a record or signed a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// Version.
    pub version: String,
    /// SHA-256 of the program's file.
    pub sha256: Digest,
}

impl std::fmt::Display for Tool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.version, self.sha256)
    }
}

/// The recorded facts of a bundle's index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BundleFacts {
    /// Number of the medium, from 0.
    pub bundle: usize,
    /// The cluster named by the index, otherwise by the script.
    pub cluster: Option<IndexName>,
    /// The part of the cluster.
    pub part: Option<IndexName>,
    /// Sequence number of the index.
    pub sequence: Sequence,
    /// Time of creation.
    pub created: Time,
    /// Time from which the index must not be used.
    pub expires: Option<Time>,
    /// SHA-256 of the index.
    pub index_sha256: Digest,
    /// Names of its approvers; empty unless the script requires approvals.
    pub approvers: Vec<String>,
}

impl BundleFacts {
    /// Creates the facts of the index on the medium numbered `bundle`, given parsed and as octets. `cluster` is
    /// the script's.
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

    /// Returns the first field that differs: its name and both values.
    pub fn difference(&self, other: &Self) -> Option<(&'static str, String, String)> {
        first_difference!(self, other, bundle cluster part sequence created expires index_sha256 approvers)
    }
}

/// The state of the machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MachineFacts {
    /// Kernel name and release.
    pub kernel: String,
    /// Network interfaces that are up, except loopback.
    pub network_up: Vec<String>,
    /// Swap areas in use: a PIN in memory might be written to them.
    pub swap: Vec<String>,
    /// Whether memory is locked against swapping.
    pub memory_locked: bool,
    /// Names of loader variables that are set, such as LD_PRELOAD.
    pub loader_variables: Vec<String>,
}
