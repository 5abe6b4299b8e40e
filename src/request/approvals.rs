//! Approvals of a bundle: SSH signatures (PROTOCOL.sshsig) over its index by a quorum of the
//! approvers that the script names.

use serde::Deserialize;
use ssh_key::{Algorithm, PublicKey, SshSig};

use super::index::INDEX;
use crate::media::{RelativePath, shown};

/// Signature namespace, as in `ssh-keygen -Y sign -n keyrite-bundle`.
pub const NAMESPACE: &str = "keyrite-bundle";

/// Length of the flags (1 octet) and counter (4 octets) that end a security key's signature.
const SECURITY_KEY_TRAILER: usize = 5;

/// Quorum of approvers for a bundle.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approvals {
    /// Number of distinct approvers required.
    pub required: usize,
    /// The approvers.
    pub signers: Vec<Approver>,
}

/// A person who may approve bundles.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approver {
    /// Display name in printable ASCII, unique among the approvers.
    pub name: String,
    /// Public key as an OpenSSH line: `ssh-ed25519 AAAA... comment`.
    pub key: SshKey,
}

/// An OpenSSH public key: Ed25519, or ECDSA on P-256 or P-384; security keys are accepted.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct SshKey(PublicKey);

impl TryFrom<String> for SshKey {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let key: PublicKey = text
            .trim()
            .parse()
            .map_err(|e| format!("{:?} is not an OpenSSH public key: {e}", shown(&text)))?;
        match key.algorithm() {
            Algorithm::Ed25519 | Algorithm::SkEd25519 | Algorithm::SkEcdsaSha2NistP256 => Ok(Self(key)),
            Algorithm::Ecdsa { curve } if curve != ssh_key::EcdsaCurve::NistP521 => Ok(Self(key)),
            other => {
                Err(format!("key type {other} is not accepted; use Ed25519, or ECDSA on P-256 or P-384"))
            }
        }
    }
}

impl Approvals {
    /// Checks that names and keys are distinct, and that `required` is satisfiable.
    ///
    /// # Errors
    /// Describes the first violation.
    pub fn check(&self) -> Result<(), String> {
        if self.required == 0 || self.required > self.signers.len() {
            return Err(format!(
                "approvals: required is {}, must be 1 to {}, the number of signers",
                self.required,
                self.signers.len()
            ));
        }
        for (at, one) in self.signers.iter().enumerate() {
            if one.name.is_empty() || one.name != shown(&one.name) {
                return Err(format!("approvals: name {:?} is not printable ASCII", shown(&one.name)));
            }
            let before = || self.signers.iter().take(at);
            if before().any(|other| other.name == one.name) {
                return Err(format!("approvals: duplicate name {}", one.name));
            }
            if let Some(other) = before().find(|other| other.key.0.key_data() == one.key.0.key_data()) {
                return Err(format!("approvals: {} and {} have the same key", other.name, one.name));
            }
        }
        Ok(())
    }

    /// Returns the distinct names of the approvers who signed the index.
    ///
    /// # Errors
    /// Names the first invalid signature, or the number of approvers missing.
    pub fn verify(
        &self,
        index: &[u8],
        signatures: &[(RelativePath, Vec<u8>)],
    ) -> Result<Vec<String>, String> {
        let mut names: Vec<String> = Vec::new();
        for (path, octets) in signatures {
            let name = self.signer(index, octets).map_err(|why| {
                format!("{path}: {why}; remove it, or have {INDEX} signed again: ssh-keygen -Y sign -n {NAMESPACE} -f KEY < {INDEX} > {INDEX}.NAME.sig [BUNDLE-APPROVAL]")
            })?;
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
        if names.len() >= self.required {
            return Ok(names);
        }
        let have = if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) };
        let may: Vec<&str> = self.signers.iter().map(|one| one.name.as_str()).collect();
        Err(format!(
            "{INDEX}: {} of {} required approvals{have}; approvers are {}; have it signed: ssh-keygen -Y sign -n {NAMESPACE} -f KEY < {INDEX} > {INDEX}.NAME.sig [BUNDLE-APPROVAL]",
            names.len(),
            self.required,
            may.join(", ")
        ))
    }

    fn signer(&self, index: &[u8], octets: &[u8]) -> Result<&str, String> {
        let text = std::str::from_utf8(octets).map_err(|_| "is not an SSH signature".to_owned())?;
        let signature: SshSig = text.parse().map_err(|e| format!("is not an SSH signature: {e}"))?;
        let found = self.signers.iter().find(|one| one.key.0.key_data() == signature.public_key());
        let Some(approver) = found else {
            let key = PublicKey::from(signature.public_key().clone());
            return Err(format!(
                "is signed by {}, who is not an approver",
                key.fingerprint(Default::default())
            ));
        };
        if signature.namespace() != NAMESPACE {
            return Err(format!(
                "is signed by {} in the namespace {:?}, required is {NAMESPACE:?}",
                approver.name,
                shown(signature.namespace())
            ));
        }
        if !user_present(&signature) {
            return Err(format!("is signed by {} without touching the security key", approver.name));
        }
        let verified = approver.key.0.verify(NAMESPACE, index, &signature);
        verified
            .map(|()| approver.name.as_str())
            .map_err(|_| format!("is not a valid signature by {} over this {INDEX}", approver.name))
    }
}

/// Whether a security key asserts user presence (bit 0 of the flags). True for any other key.
fn user_present(signature: &SshSig) -> bool {
    if !matches!(signature.algorithm(), Algorithm::SkEd25519 | Algorithm::SkEcdsaSha2NistP256) {
        return true;
    }
    let octets = signature.signature_bytes();
    let at = octets.len().checked_sub(SECURITY_KEY_TRAILER);
    at.and_then(|at| octets.get(at)).is_some_and(|flags| flags & 1 == 1)
}
