//! The boundary to removable media and folders: names that cannot escape, bounded reads, files
//! that are written new and read back.
//!
//! Nothing here follows a symbolic link, overwrites a file or reads an octet twice.

mod path;
mod read;
mod write;

pub use path::RelativePath;
pub use read::{Limits, read_file, read_tree};
pub use write::{OutputDir, write_new};

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

impl Error {
    fn fault(path: impl std::fmt::Display, source: impl Into<std::io::Error>) -> Self {
        Self::Fault { path: path.to_string(), source: source.into() }
    }
}

/// Text from outside made safe to show: everything but printable ASCII becomes `\u{..}`.
pub fn shown(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            ' '..='~' => c.to_string(),
            _ => c.escape_unicode().to_string(),
        })
        .collect()
}
