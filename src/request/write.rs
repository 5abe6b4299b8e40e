//! Writes a bundle: the index first, then every request.

use std::path::Path;

use der::DateTime;

use super::index::{Entry, INDEX, Index};
use super::private_key::form_of_private_key;
use crate::media::{Error, RelativePath, Whole};

/// Request files with their index entries.
pub type Requests = Vec<(Entry, Vec<u8>)>;

/// Writes a bundle with its index to a folder or a tar, all of it or nothing.
///
/// # Errors
/// [`Error::Refused`] when there is no request, a file contains a private key, or `out` exists;
/// [`Error::Fault`] when the medium fails.
pub fn write_bundle(out: &Path, mut index: Index, mut requests: Requests) -> Result<(), Error> {
    let time = index.created.0;
    requests.sort_by(|(a, _), (b, _)| a.path.cmp(&b.path));
    index.requests = requests.iter().map(|(entry, _)| entry.clone()).collect();
    let files = requests.iter().map(|(entry, octets)| (&entry.path, octets.as_slice()));
    write(out, time, &index.encode()?, files)
}

fn write<'a>(
    out: &Path,
    time: DateTime,
    index: &[u8],
    files: impl Iterator<Item = (&'a RelativePath, &'a [u8])>,
) -> Result<(), Error> {
    let mut whole = Whole::begin(out, time.unix_duration().as_secs())?;
    whole.put(&RelativePath::new(INDEX)?, index, 0o644)?;
    let mut count = 0;
    for (path, octets) in files {
        refuse_private_key(path.as_str(), octets)?;
        whole.put(path, octets, 0o644)?;
        count += 1;
    }
    match count {
        0 => Err(Error::Refused(format!("{}: there are no requests to write [BUNDLE-EMPTY]", out.display()))),
        _ => whole.finish(),
    }
}

/// Refuses to write a file that contains a private key.
///
/// # Errors
/// [`Error::Refused`] names the file.
pub fn refuse_private_key(path: &str, octets: &[u8]) -> Result<(), Error> {
    match form_of_private_key(octets) {
        None => Ok(()),
        Some(form) => Err(Error::Refused(format!(
            "{path}: contains a PRIVATE KEY ({form}), which must not leave this machine; nothing was written; remove the key from the file [BUNDLE-PRIVATE-KEY]"
        ))),
    }
}
