//! Refusals as a count and a digest of their list, in constant memory.

use crate::digest::{Digest, Hasher};
use crate::request::Reason;

/// The number of refused requests, and the digest of paths, requests and reasons.
#[derive(Clone, Debug, Default)]
pub struct Refusals {
    count: u64,
    hasher: Hasher,
}

impl Refusals {
    /// Adds a refusal: path, SHA-256 of the request, reasons.
    pub fn take(&mut self, path: &str, request: &Digest, reasons: &[Reason]) {
        self.count += 1;
        self.hasher.list(path, request);
        for text in reasons.iter().flat_map(|reason| [&reason.control, &reason.message]) {
            // Each text is prefixed with its length, so that no two lists have the same encoding.
            self.hasher.update(&(text.len() as u64).to_be_bytes());
            self.hasher.update(text.as_bytes());
        }
    }

    /// Returns the number of refusals.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Returns the digest of the list.
    pub fn digest(&self) -> Digest {
        self.hasher.clone().finish()
    }
}
