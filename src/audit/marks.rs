//! What a transcript tells, piece by piece: acts of people and steps, the seal, looks, refusals.

use super::records::{
    Custody, KeyCertificate, KeyFound, KeyGenerated, KeyIntended, KeyWithdrawn, Said, Statement,
};
use crate::ceremony::Role;
use crate::digest::{Digest, Hasher};

/// What people and steps did, in order.
#[derive(Clone, Debug)]
pub enum Mark {
    Begin,
    Resume,
    Step {
        number: usize,
        act: String,
        time: String,
    },
    Done(usize),
    Present(Role, String),
    /// What somebody typed, and when that was written down.
    Confirmed(Said, String),
    Statement(Statement),
    Custody(Custody),
    Key(KeyMark),
}

/// What became of a key that the token was asked for.
#[derive(Clone, Debug)]
pub enum KeyMark {
    Intended(KeyIntended),
    Found(KeyFound),
    Generated(KeyGenerated),
    Withdrawn(KeyWithdrawn),
    Certificate(KeyCertificate),
}

/// The seal: what the manifest says of the transcript.
#[derive(Clone, Debug)]
pub struct Seal {
    pub sequence: u64,
    pub head: Digest,
    /// SHA-256 over the lines so far.
    pub file: Digest,
}

/// Looks at the token.
#[derive(Debug, Default)]
pub struct Looks {
    pub count: usize,
    /// Objects at the first look and at the last.
    pub first: usize,
    pub last: usize,
    /// Whether the last look found nothing that nobody expects.
    pub accepted: bool,
}

/// Refusals as a number and the digest of their list.
#[derive(Debug, Default)]
pub struct Refusals {
    pub count: u64,
    hasher: Hasher,
}

impl Refusals {
    /// Takes in the next: path, SHA-256 of the request, its reasons.
    pub fn take<'a>(
        &mut self,
        path: &str,
        request: &Digest,
        reasons: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) {
        self.count += 1;
        self.hasher.list(path, request);
        for (control, message) in reasons {
            for text in [control, message] {
                // A length before each text, so that no two lists look alike.
                self.hasher.update(&(text.len() as u64).to_be_bytes());
                self.hasher.update(text.as_bytes());
            }
        }
    }

    /// The digest of the list.
    pub fn digest(&self) -> Digest {
        self.hasher.clone().finish()
    }
}
