//! Public keys: which there are, which are weak, and what a signature by one proves.
//!
//! In: a SubjectPublicKeyInfo (RFC 5280 4.1.2.7). Out: a [`PublicKey`] whose kind is known.

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
    /// An algorithm, curve or encoding that is not accepted at all.
    #[error("{0}")]
    Unsupported(String),
    /// An accepted algorithm, but a key that is too weak.
    #[error("{0}")]
    Weak(String),
}
