//! HSM profiles: how a kind of token behaves, and which token to use.

use std::path::PathBuf;

use serde::Deserialize;

use super::Error;
use crate::digest::Digest;

/// An HSM profile; `hsm-profiles/README.md` describes the file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HsmProfile {
    /// Display name.
    pub name: String,
    /// Absolute paths of the PKCS#11 module; the first one that exists is loaded.
    pub module: Vec<PathBuf>,
    /// SHA-256 of the module's file, if pinned.
    pub module_sha256: Option<Digest>,
    #[serde(default)]
    pub hash: Hashing,
    /// Attributes that this kind of token rejects in templates.
    #[serde(default)]
    pub omit_attributes: Vec<Omittable>,
    #[serde(default)]
    pub token: Selector,
    #[serde(default)]
    pub pin: PinEntry,
    /// Number of sessions that sign in parallel, 1 to 64.
    #[serde(default = "one")]
    pub sessions: usize,
}

fn one() -> usize {
    1
}

/// Who hashes the message to be signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Hashing {
    /// keyrite hashes: CKM_ECDSA and CKM_RSA_PKCS.
    #[default]
    Software,
    /// The token hashes: CKM_ECDSA_SHA256 and similar.
    Token,
}

/// Attributes that some tokens do not support.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Omittable {
    Copyable,
    Modifiable,
    SignRecover,
    Derive,
    Unwrap,
    Decrypt,
}

/// Selects a token by serial, by label, or as the only one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selector {
    pub serial: Option<String>,
    pub label: Option<String>,
}

/// How the PIN is entered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PinEntry {
    /// At keyrite's prompt.
    #[default]
    Ask,
    /// On the device itself (CKF_PROTECTED_AUTHENTICATION_PATH).
    Pinpad,
}

impl HsmProfile {
    /// Parses and validates a profile.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let profile: Self = toml::from_str(text).map_err(|e| Error::Setup(format!("HSM profile: {e}")))?;
        if !(1..=64).contains(&profile.sessions) {
            return Err(Error::Setup(format!(
                "HSM profile: sessions is {}, must be 1 to 64",
                profile.sessions
            )));
        }
        if profile.module.is_empty() {
            return Err(Error::Setup("HSM profile: module lists no path".into()));
        }
        if let Some(relative) = profile.module.iter().find(|path| !path.is_absolute()) {
            return Err(Error::Setup(format!(
                "HSM profile: module {} is not an absolute path",
                relative.display()
            )));
        }
        Ok(profile)
    }

    /// Returns whether an attribute is omitted from templates and from verification.
    pub fn omits(&self, attribute: Omittable) -> bool {
        self.omit_attributes.contains(&attribute)
    }
}
