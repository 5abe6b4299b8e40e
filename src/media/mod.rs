//! The boundary to removable media: names that cannot escape, bounded reads, files that are
//! written new and read back. A medium is a folder or one tar of the same tree.
//!
//! Nothing here follows a symbolic link, overwrites a file or reads an octet twice; memory does
//! not grow with the medium but for eight octets or so a file.

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

use crate::failure::Failure;
use std::path::Path;

pub use escape::shown;
pub use gather::{Gathered, gather};
pub use output::Output;
pub use path::RelativePath;
pub use read::{Leading, Limits, open_file, read_file};
pub use tree::{Member, Tree};
pub use whole::Whole;
pub use write::{spool, write_new};

use read::Tally;

/// What went wrong with a medium.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The content breaks a rule: nothing that was found there is used.
    #[error("{0}")]
    Refused(String),
    /// The medium or the file system failed.
    #[error("{path}: {source}")]
    Fault {
        /// What was being read or written.
        path: String,
        /// What the system said.
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

/// Reads every file of a medium once: of a folder the leading ones and then the others, in the
/// order of the paths' octets, of a tar in the order of the archive. Returns how many there were.
///
/// # Errors
/// [`Error::Refused`] for a name outside [`RelativePath`], for names that differ only in case,
/// for anything but folders and regular files with one link on the same file system, for more
/// than the limits allow, and for a tar that is cut off or goes on after its end;
/// [`Error::Fault`] when the medium fails; whatever `each` returns.
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
            tally.weigh(octets.len())?;
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
