//! Public keys: accepted kinds, weak keys, and signature verification.
//!
//! Input: a SubjectPublicKeyInfo (RFC 5280 4.1.2.7). Output: a [`PublicKey`] of known kind.

mod kind;
mod rsa;
mod verify;
mod wanted;

pub use kind::{KeyKind, PublicKey};
pub use verify::{SignatureError, verify};
pub use wanted::KeyRequest;

/// Why a public key is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// An algorithm, curve or encoding that is not accepted.
    #[error("{0}")]
    Unsupported(String),
    /// A weak key of an accepted algorithm.
    #[error("{0}")]
    Weak(String),
}
