//! Folders: each regular file below one root is opened once, relative to a directory descriptor.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, Dir, FileType, Mode, OFlags, ResolveFlags, fstat, openat, openat2};

use super::read::{bounded, not_a_file};
use super::{Error, RelativePath, shown};

/// An open regular file below the root.
pub struct Found {
    pub path: RelativePath,
    pub file: File,
    pub size: u64,
}

impl Found {
    /// Reads its contents, at most `limit` octets.
    pub fn read(&self, limit: u64) -> Result<Vec<u8>, Error> {
        bounded(&self.file, self.path.as_str(), self.size, limit)
    }
}

/// Opens the root. A symbolic link is not followed: the operator must name the folder itself.
pub fn open(root: &Path) -> Result<OwnedFd, Error> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(CWD, root, flags, Mode::empty()).map_err(|e| Error::fault(root.display(), e))
}

/// Visits every file below `folder`, in octet order of the paths.
pub fn walk<E: From<Error>>(
    folder: &OwnedFd,
    prefix: &str,
    each: &mut dyn FnMut(Found) -> Result<(), E>,
) -> Result<(), E> {
    walk_names(folder, prefix, names(folder, prefix)?, each)
}

/// As [`walk`], but top-level names for which `first` returns true come before all others.
pub fn walk_from<E: From<Error>>(
    folder: &OwnedFd,
    first: fn(&str) -> bool,
    each: &mut dyn FnMut(Found) -> Result<(), E>,
) -> Result<(), E> {
    let mut names = names(folder, "")?;
    names.sort_by_key(|name| !first(name));
    walk_names(folder, "", names, each)
}

fn walk_names<E: From<Error>>(
    folder: &OwnedFd,
    prefix: &str,
    names: Vec<Box<str>>,
    each: &mut dyn FnMut(Found) -> Result<(), E>,
) -> Result<(), E> {
    for name in names {
        let name = name.trim_end_matches('/');
        let text = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") };
        RelativePath::new(&text)?;
        match below(folder, name, &text)? {
            Entry::File(found) => each(found)?,
            Entry::Folder(inner) => walk(&inner, &text, each)?,
        }
    }
    Ok(())
}

/// Lists the names in a folder. Folder names end in a slash, so that they sort like the paths of
/// their files.
pub fn names(folder: &OwnedFd, prefix: &str) -> Result<Vec<Box<str>>, Error> {
    let fault = |e| Error::fault(if prefix.is_empty() { "." } else { prefix }, e);
    let mut names = Vec::new();
    for entry in Dir::read_from(folder).map_err(fault)? {
        let entry = entry.map_err(fault)?;
        let mut name = entry.file_name().to_string_lossy().into_owned();
        if name == "." || name == ".." {
            continue;
        }
        let is_folder = match entry.file_type() {
            FileType::Directory => true,
            FileType::Unknown => {
                let flags = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
                let status = rustix::fs::statat(folder, entry.file_name(), flags).map_err(fault)?;
                FileType::from_raw_mode(status.st_mode) == FileType::Directory
            }
            _ => false,
        };
        if is_folder {
            name.push('/');
        }
        names.push(name.into_boxed_str());
    }
    names.sort_unstable();
    Ok(names)
}

pub enum Entry {
    File(Found),
    Folder(OwnedFd),
}

/// Opens the file or folder with this name; `text` is its path below the root.
pub fn below(folder: &OwnedFd, name: &str, text: &str) -> Result<Entry, Error> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    let opened = openat2(folder, name, flags, Mode::empty(), resolve).map_err(|e| match e {
        rustix::io::Errno::LOOP | rustix::io::Errno::XDEV | rustix::io::Errno::NXIO => not_a_file(text),
        _ => Error::fault(shown(text), e),
    })?;
    let status = fstat(opened.as_fd()).map_err(|e| Error::fault(shown(text), e))?;
    match FileType::from_raw_mode(status.st_mode) {
        FileType::Directory => Ok(Entry::Folder(opened)),
        FileType::RegularFile if status.st_nlink == 1 => {
            let path = RelativePath::new(text)?;
            Ok(Entry::File(Found { path, file: File::from(opened), size: status.st_size.unsigned_abs() }))
        }
        _ => Err(not_a_file(text)),
    }
}

/// Opens a file by its path below the root, under the same rules as [`walk`].
pub fn find(root: &OwnedFd, path: &RelativePath) -> Result<Found, Error> {
    match below(root, path.as_str(), path.as_str())? {
        Entry::File(found) => Ok(found),
        Entry::Folder(_) => Err(not_a_file(path.as_str())),
    }
}
