//! Approvals of a bundle: SSH signatures (PROTOCOL.sshsig) over its index by a quorum of the
//! approvers that the script names.

use serde::Deserialize;
use ssh_key::PublicKey;

use super::index::INDEX;
use super::ssh_signature::{SshSignature, is_verifiable};
use crate::media::{RelativePath, shown};

/// Signature namespace, as in `ssh-keygen -Y sign -n keyrite-bundle`.
pub const NAMESPACE: &str = "keyrite-bundle";

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
        match is_verifiable(&key) {
            true => Ok(Self(key)),
            false => Err(format!(
                "key type {} is not accepted; use Ed25519, or ECDSA on P-256 or P-384",
                key.algorithm()
            )),
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
            "{INDEX}: {} of {} required approvals{have}; approvers are {}; have one of them sign: ssh-keygen -Y sign -n {NAMESPACE} -f KEY < {INDEX} > {INDEX}.NAME.sig [BUNDLE-APPROVAL]",
            names.len(),
            self.required,
            may.join(", ")
        ))
    }

    fn signer(&self, index: &[u8], octets: &[u8]) -> Result<&str, String> {
        let signature = SshSignature::parse(octets)?;
        let key = signature.key();
        let found = self.signers.iter().find(|one| one.key.0.key_data() == key.key_data());
        let Some(Approver { name, .. }) = found else {
            let print = key.fingerprint(Default::default());
            return Err(format!("is signed by {print}, who is not an approver"));
        };
        signature.check(NAMESPACE).map_err(|why| format!("is signed by {name} {why}"))?;
        match signature.is_over(NAMESPACE, index) {
            true => Ok(name),
            false => Err(format!("is not a valid signature by {name} over this {INDEX}")),
        }
    }
}
