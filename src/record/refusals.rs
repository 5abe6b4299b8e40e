//! Refusals as a number and the digest of their list, which takes no memory however many there are.

use crate::digest::{Digest, Hasher};
use crate::request::Reason;

/// How many requests were refused, and the digest over paths, requests and reasons.
#[derive(Clone, Debug, Default)]
pub struct Refusals {
    count: u64,
    hasher: Hasher,
}

impl Refusals {
    /// Takes in the next: its path, SHA-256 over the request, its reasons.
    pub fn take(&mut self, path: &str, request: &Digest, reasons: &[Reason]) {
        self.count += 1;
        self.hasher.list(path, request);
        for text in reasons.iter().flat_map(|reason| [&reason.control, &reason.message]) {
            // A length before each text, so that no two lists look alike.
            self.hasher.update(&(text.len() as u64).to_be_bytes());
            self.hasher.update(text.as_bytes());
        }
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The digest over their list.
    pub fn digest(&self) -> Digest {
        self.hasher.clone().finish()
    }
}
