//! Collects the `*.csr` files of a folder that also contains private keys.

use std::path::Path;

use super::index::Entry;
use super::write::Requests;
use super::{ENTRY_LIMITS, refuse_private_key};
use crate::digest::Digest;
use crate::media::{Error, Gathered, gather, shown};

/// Result of collecting a folder.
#[derive(Debug)]
pub struct Collected {
    /// The requests, with their index entries.
    pub requests: Requests,
    /// Symbolic links and special files, which are not followed.
    pub links: Vec<String>,
    /// Number of other files, which are left in the folder.
    pub left: usize,
}

/// Collects the `*.csr` files below a folder and keeps their paths.
///
/// # Errors
/// [`Error::Refused`] when there is none or one contains a private key; [`Error::Fault`] when the
/// folder cannot be read.
pub fn collect(folder: &Path) -> Result<Collected, Error> {
    let Gathered { files, links, left, .. } = gather(folder, ".csr", ENTRY_LIMITS)?;
    if files.is_empty() {
        return Err(Error::Refused(format!(
            "{}: contains no *.csr files ({left} other files); name the folder that `kubeadm certs generate-csr` wrote to [BUNDLE-EMPTY]",
            shown(&folder.display().to_string())
        )));
    }
    let mut requests = Vec::with_capacity(files.len());
    for (path, octets) in files {
        refuse_private_key(path.as_str(), &octets)?;
        let sha256 = Digest::of(&octets);
        requests.push((Entry { path, sha256, profile: None, object: None }, octets));
    }
    Ok(Collected { requests, links, left })
}
