//! Releases: the output of a ceremony with its signed manifest, and their verification.
//!
//! Input: certificates, refusals and the transcript of a ceremony. Output: files. The manifest's
//! signature is written last, so that an incomplete release cannot be mistaken for a complete one.

mod cms;
mod compose;
mod manifest;
mod stream;
mod verify;

use crate::failure::Failure;
use crate::media::Limits;

pub use cms::{Unsigned, verify_manifest};
pub use compose::{Authorities, KeyEntry, Leaf, compose_authorities, compose_leaf};
pub use manifest::{
    AuthorityEntry, CertificateEntry, FORMAT, Head, ManifestKeyEntry, ManifestKind, Plan, RefusalEntry,
    Signer, TokenEntry, TranscriptEntry,
};
pub use stream::{ManifestWriter, Reader, TextReader, decode, entry, read, read_texts};
pub use verify::{ManifestKey, Report, Root, Trust, verify};

/// Limits of a release; the manifest and the transcript are its largest files.
pub const LIMITS: Limits = Limits { file: 8 << 30, total: 32 << 30, files: 4_000_000 };
/// File name of the manifest.
pub const MANIFEST: &str = "manifest.json";
/// File name of the manifest's detached signature.
pub const SIGNATURE: &str = "manifest.json.p7s";
/// File name of the transcript.
pub const TRANSCRIPT: &str = "transcript.jsonl";

/// Why a release was not written or does not verify.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Error(pub String);

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::fault(error.0)
    }
}

impl From<der::Error> for Error {
    fn from(error: der::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<crate::issuance::Error> for Error {
    fn from(error: crate::issuance::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<crate::media::Error> for Error {
    fn from(error: crate::media::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<crate::parallel::Error> for Error {
    fn from(error: crate::parallel::Error) -> Self {
        Self(error.to_string())
    }
}
