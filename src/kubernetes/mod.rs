//! The cluster's side: keys and certification requests. No token, no ledger.

mod requests;
mod sample;

pub use requests::{NewKey, request};
pub use sample::{SampleFile, sample_cluster};

/// Why no request was made.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Error(pub String);

impl From<der::Error> for Error {
    fn from(error: der::Error) -> Self {
        Self(error.to_string())
    }
}
