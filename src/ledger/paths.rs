//! Paths of requests, and the paths of their certificates in a release.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use super::Error;
use crate::media::RelativePath;

pub fn path(text: String) -> Result<RelativePath, Error> {
    RelativePath::try_from(text).map_err(|e| Error::Fault(e.to_string()))
}

/// Returns the certificate's path in a release, in lower case, because some media are case-insensitive.
pub fn output(path: &RelativePath) -> String {
    path.released().map_or_else(|_| path.to_string(), String::from).to_ascii_lowercase()
}

/// Paths of one ceremony's certificates, stored as hashes because a bundle may have millions.
#[derive(Debug, Default)]
pub struct Outputs {
    hasher: RandomState,
    files: Vec<u64>,
    folders: HashSet<u64>,
}

impl Outputs {
    /// Adds the path of a request.
    pub fn add(&mut self, request: &RelativePath) {
        let output = output(request);
        self.files.push(self.hasher.hash_one(&output));
        let mut folder = output.as_str();
        // The parents of a known folder are known.
        while let Some((parent, _)) = folder.rsplit_once('/')
            && self.folders.insert(self.hasher.hash_one(parent))
        {
            folder = parent;
        }
    }

    /// Returns the number of requests.
    pub fn count(&self) -> usize {
        self.files.len()
    }

    /// Returns the paths that several requests share, or that another request needs as a folder.
    pub fn collisions(mut self) -> Collisions {
        self.files.sort_unstable();
        let mut next = self.files.iter().skip(1);
        let is_taken = |file: &&u64| next.next() == Some(*file) || self.folders.contains(*file);
        let hashes = self.files.iter().filter(is_taken).copied().collect();
        Collisions { hasher: self.hasher, hashes }
    }
}

/// Certificate paths that collide.
#[derive(Debug)]
pub struct Collisions {
    hasher: RandomState,
    hashes: HashSet<u64>,
}

impl Collisions {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// Returns the path of a request's certificate if it collides.
    pub fn of(&self, request: &RelativePath) -> Option<String> {
        let output = output(request);
        self.hashes.contains(&self.hasher.hash_one(&output)).then_some(output)
    }
}
