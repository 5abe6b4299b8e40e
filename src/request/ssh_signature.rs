//! SSH signatures (PROTOCOL.sshsig), as created by `ssh-keygen -Y sign`.

use ssh_key::{Algorithm, EcdsaCurve, PublicKey, SshSig};

use crate::media::shown;

/// Length of the flags (1 octet) and counter (4 octets) that end a security key's signature.
const SECURITY_KEY_TRAILER: usize = 5;

/// Whether signatures by such a key can be verified: Ed25519, or ECDSA on P-256 or P-384; security keys are
/// accepted.
pub fn is_verifiable(key: &PublicKey) -> bool {
    match key.algorithm() {
        Algorithm::Ed25519 | Algorithm::SkEd25519 | Algorithm::SkEcdsaSha2NistP256 => true,
        Algorithm::Ecdsa { curve } => curve != EcdsaCurve::NistP521,
        _ => false,
    }
}

/// A decoded signature.
#[derive(Debug)]
pub struct SshSignature(SshSig);

impl SshSignature {
    /// Decodes the PEM-like form.
    ///
    /// # Errors
    /// Describes why the octets are not a signature.
    pub fn parse(octets: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(octets).map_err(|_| "is not an SSH signature".to_owned())?;
        text.trim().parse().map(Self).map_err(|e| format!("is not an SSH signature: {e}"))
    }

    /// Returns the public key that the signature names.
    pub fn key(&self) -> PublicKey {
        PublicKey::from(self.0.public_key().clone())
    }

    /// Checks the namespace, and that a security key asserts user presence.
    ///
    /// # Errors
    /// Completes a sentence that begins with "is signed".
    pub fn check(&self, namespace: &str) -> Result<(), String> {
        if self.0.namespace() != namespace {
            let found = shown(self.0.namespace());
            return Err(format!("in the namespace {found:?}, must be {namespace:?}"));
        }
        if self.user_present() { Ok(()) } else { Err("without touching the security key".to_owned()) }
    }

    /// Whether the signature is over this message.
    pub fn is_over(&self, namespace: &str, message: &[u8]) -> bool {
        self.key().verify(namespace, message, &self.0).is_ok()
    }

    /// Whether a security key asserts user presence (bit 0 of the flags). True for any other key.
    fn user_present(&self) -> bool {
        if !matches!(self.0.algorithm(), Algorithm::SkEd25519 | Algorithm::SkEcdsaSha2NistP256) {
            return true;
        }
        let octets = self.0.signature_bytes();
        let at = octets.len().checked_sub(SECURITY_KEY_TRAILER);
        at.and_then(|at| octets.get(at)).is_some_and(|flags| flags & 1 == 1)
    }
}
