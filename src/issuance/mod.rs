//! Issuance (RFC 5280): from an approval to the exact octets that a token signs, and from the
//! signature to a verified certificate.

mod algorithm;
mod assemble;
mod authority;
mod build;
mod certificate;
mod check;
mod extensions;
mod name_constraints;
mod parts;
mod path;
mod policies;
mod preview;
mod serial;
mod template;
mod validity;

use crate::failure::Failure;

pub use algorithm::signature_algorithm;
pub use assemble::Signed;
pub use authority::Authority;
pub use build::{Reserved, ToBeSigned};
pub use certificate::Certificate;
pub use parts::IssuedFacts;
pub use path::Scope;
pub use policies::MANIFEST_SIGNING;
pub use preview::preview;
pub use serial::Serial;
pub use template::{Template, Templates};
pub use validity::Validity;

/// Why a certificate was not built or not accepted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// RFC 5280 or this authority does not allow it.
    #[error("{0}")]
    Refused(String),
    /// The token's signature does not verify; it must not be stored.
    #[error(
        "{0}: the token's signature does not verify with the authority's certificate; the signature was discarded, do not use this token before it has been examined"
    )]
    BadSignature(String),
    /// Encoding failed, or the octets differ from the intended values.
    #[error("internal check: {0}")]
    Internal(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(message) => Self::usage(message),
            other => Self::fault(other.to_string()),
        }
    }
}

impl From<der::Error> for Error {
    fn from(error: der::Error) -> Self {
        Self::Internal(error.to_string())
    }
}
