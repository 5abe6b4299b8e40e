//! Removable media: confined paths, bounded reads, and writes that never overwrite and are read
//! back. A medium is a folder or one tar of the same tree.
//!
//! Nothing here follows a symbolic link below the root, overwrites a file or reads an octet twice;
//! memory use is constant but for some eight octets per file.

mod archive;
mod escape;
mod folder;
mod gather;
mod output;
mod path;
mod read;
mod tree;
mod whole;
mod write;

use std::path::Path;

use crate::failure::Failure;

pub use escape::{quoted, shown};
pub use gather::{Gathered, gather};
pub use output::Output;
pub use path::RelativePath;
pub use read::{Leading, Limits, open_file, read_file, read_text};
pub use tree::{Member, Tree};
pub use whole::Whole;
pub use write::{spool, write_new};

use read::Tally;

/// Why a medium could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The content violates a rule; nothing of it is used.
    #[error("{0}")]
    Refused(String),
    /// I/O failed.
    #[error("{path}: {source}")]
    Fault {
        /// The path that was read or written.
        path: String,
        /// The error of the operating system.
        source: std::io::Error,
    },
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(message) => Self::refused(message),
            fault @ Error::Fault { .. } => Self::fault(fault.to_string()),
        }
    }
}

impl Error {
    fn fault(path: impl std::fmt::Display, source: impl Into<std::io::Error>) -> Self {
        Self::Fault { path: path.to_string(), source: source.into() }
    }
}

/// Reads every file of a medium once and returns their number. In a folder the leading files come
/// first, then the others in octet order of their paths; a tar is read in archive order.
///
/// # Errors
/// [`Error::Refused`] for a name that is not a [`RelativePath`], names that differ only in case,
/// anything but folders and regular files with one link on the same file system, exceeded limits,
/// and a tar that is truncated or followed by other data; [`Error::Fault`] when the medium fails;
/// any error of `each`.
pub fn read_each<E: From<Error>>(
    medium: &Path,
    limits: Limits,
    leading: Leading,
    each: &mut dyn FnMut(RelativePath, Vec<u8>) -> Result<(), E>,
) -> Result<usize, E> {
    let mut tally = Tally::new(limits, leading);
    if is_folder(medium)? {
        let root = folder::open(medium)?;
        folder::walk_from(&root, leading.is, &mut |found| {
            tally.admit(&found.path)?;
            let octets = found.read(tally.limit_of(&found.path))?;
            tally.add_size(octets.len())?;
            each(found.path, octets)
        })?;
    } else {
        archive::read_each(medium, &mut tally, each)?;
    }
    Ok(tally.files())
}

fn is_folder(medium: &Path) -> Result<bool, Error> {
    let status = std::fs::metadata(medium).map_err(|e| Error::fault(medium.display(), e))?;
    Ok(status.is_dir())
}
