//! Collects the files with a given suffix from a folder that may contain anything else.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, FileType, statat};

use super::folder::{self, Entry, below, names};
use super::{Error, Limits, RelativePath, shown};

/// Maximum depth of folders: each level keeps a descriptor open, and no request is that deep.
const DEPTH: usize = 64;

/// The result of [`gather`].
#[derive(Debug, Default)]
pub struct Gathered {
    /// The files with the suffix, in the order of their paths.
    pub files: Vec<(RelativePath, Vec<u8>)>,
    /// Paths of symbolic links, devices and other special files, which were skipped.
    pub links: Vec<String>,
    /// Number of other regular files, which were not opened.
    pub left: usize,
    octets: u64,
}

/// Reads every file below a folder whose name ends with `ending`. No other file is opened.
///
/// # Errors
/// [`Error::Refused`] for a name that is not a [`RelativePath`] and for exceeded limits,
/// [`Error::Fault`] when the folder cannot be read.
pub fn gather(root: &Path, ending: &str, limits: Limits) -> Result<Gathered, Error> {
    let mut found = Gathered::default();
    descend(&folder::open(root)?, "", ending, limits, &mut found)?;
    found.files.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(found)
}

fn descend(
    folder: &OwnedFd,
    prefix: &str,
    ending: &str,
    limits: Limits,
    found: &mut Gathered,
) -> Result<(), Error> {
    if prefix.split('/').count() > DEPTH {
        return Err(Error::Refused(format!(
            "{}: folders are nested more than {DEPTH} deep; name a folder further down [MEDIA-NAME]",
            shown(prefix)
        )));
    }
    for name in names(folder, prefix)? {
        let bare = name.trim_end_matches('/');
        let text = if prefix.is_empty() { bare.to_owned() } else { format!("{prefix}/{bare}") };
        let status =
            statat(folder, bare, AtFlags::SYMLINK_NOFOLLOW).map_err(|e| Error::fault(shown(&text), e))?;
        match FileType::from_raw_mode(status.st_mode) {
            FileType::Directory => {
                if let Entry::Folder(inner) = below(folder, bare, &text)? {
                    descend(&inner, &text, ending, limits, found)?;
                }
            }
            FileType::RegularFile if bare.ends_with(ending) => {
                if let Entry::File(file) = below(folder, bare, &text)? {
                    found.take(file.read(limits.file)?, file.path, limits)?;
                }
            }
            FileType::RegularFile => found.left += 1,
            _ => found.links.push(text),
        }
    }
    Ok(())
}

impl Gathered {
    fn take(&mut self, octets: Vec<u8>, path: RelativePath, limits: Limits) -> Result<(), Error> {
        self.octets += octets.len() as u64;
        if self.files.len() >= limits.files || self.octets > limits.total {
            return Err(Error::Refused(format!(
                "more than {} files or {} octets; split them into several bundles [MEDIA-SIZE]",
                limits.files, limits.total
            )));
        }
        self.files.push((path, octets));
        Ok(())
    }
}
