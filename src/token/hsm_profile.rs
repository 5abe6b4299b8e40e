//! HSM profiles: how a kind of token behaves, and which token is meant.

use std::path::PathBuf;

use secrecy::SecretString;
use serde::Deserialize;

use super::Error;
use crate::digest::Digest;

/// How a kind of token behaves; `hsm-profiles/README.md` describes the file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HsmProfile {
    /// What people call it.
    pub name: String,
    /// Absolute paths of the module; the first that exists is used.
    pub module: Vec<PathBuf>,
    /// SHA-256 of the module's file, when it is pinned.
    pub module_sha256: Option<Digest>,
    /// Who hashes what is signed.
    #[serde(default)]
    pub hash: Hashing,
    /// Attributes that this kind of token refuses in templates.
    #[serde(default)]
    pub omit_attributes: Vec<Omittable>,
    /// Which token is meant.
    #[serde(default)]
    pub token: Selector,
    /// How the PIN is entered.
    #[serde(default)]
    pub pin: PinEntry,
    /// How many sessions sign side by side, 1 to 64.
    #[serde(default = "one")]
    pub sessions: usize,
}

fn one() -> usize {
    1
}

/// Who hashes what is signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Hashing {
    /// keyrite hashes: CKM_ECDSA and CKM_RSA_PKCS.
    #[default]
    Software,
    /// The token hashes: CKM_ECDSA_SHA256 and its like.
    Token,
}

/// Attributes that some tokens do not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Omittable {
    /// CKA_COPYABLE
    Copyable,
    /// CKA_MODIFIABLE
    Modifiable,
    /// CKA_SIGN_RECOVER
    SignRecover,
    /// CKA_DERIVE
    Derive,
    /// CKA_UNWRAP
    Unwrap,
    /// CKA_DECRYPT
    Decrypt,
}

/// Which token is meant: by serial, by label, or the only one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selector {
    /// The token serial.
    pub serial: Option<String>,
    /// The token's label.
    pub label: Option<String>,
}

/// How the PIN is entered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PinEntry {
    /// keyrite asks for it.
    #[default]
    Ask,
    /// On the device itself (CKF_PROTECTED_AUTHENTICATION_PATH).
    Pinpad,
}

/// A PIN, or the knowledge that the device asks for it.
#[derive(Debug)]
pub enum Pin {
    /// Handed to C_Login.
    Known(SecretString),
    /// C_Login is called without one.
    Pinpad,
}

impl HsmProfile {
    /// Reads a profile.
    ///
    /// # Errors
    /// [`Error::Setup`] names the key and the line.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let profile: Self = toml::from_str(text).map_err(|e| Error::Setup(format!("HSM profile: {e}")))?;
        if !(1..=64).contains(&profile.sessions) {
            return Err(Error::Setup(format!(
                "HSM profile: sessions is {}, required is 1 to 64",
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

    /// Whether an attribute is left out of templates and of the read-back.
    pub fn omits(&self, attribute: Omittable) -> bool {
        self.omit_attributes.contains(&attribute)
    }
}
