//! Files that are written new, synced and read back.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::{Error, RelativePath};

/// A folder that belongs to one release.
#[derive(Debug)]
pub struct OutputDir {
    root: PathBuf,
}

impl OutputDir {
    /// Checks that a new release can be written here: the folder is empty, or absent below an
    /// existing one. Nothing is created.
    ///
    /// # Errors
    /// [`Error::Refused`] when something is there already; [`Error::Fault`] when it cannot be read.
    pub fn check_empty(root: &Path) -> Result<(), Error> {
        match fs::read_dir(root) {
            Ok(mut entries) => match entries.next() {
                None => Ok(()),
                Some(_) => Err(Error::Refused(format!(
                    "{}: output folder is not empty; name a new or an empty one",
                    root.display()
                ))),
            },
            Err(e) if e.kind() == ErrorKind::NotFound => check_parent(root),
            Err(e) => Err(Error::fault(root.display(), e)),
        }
    }

    /// Opens the folder for writing, creating it when absent.
    ///
    /// # Errors
    /// [`Error::Fault`] when it cannot be created.
    pub fn open(root: &Path) -> Result<Self, Error> {
        make_dir(root)?;
        Ok(Self { root: root.to_owned() })
    }

    /// Writes one file, or finishes one that an interrupted run of the same release left behind:
    /// the same octets are kept, a cut-off beginning of them is replaced, anything else stays
    /// and is an error.
    ///
    /// # Errors
    /// [`Error::Refused`] when another file has the name, [`Error::Fault`] when the medium fails
    /// or gives back other octets than were written.
    pub fn put(&self, path: &RelativePath, octets: &[u8]) -> Result<(), Error> {
        let target = self.root.join(path.as_str());
        self.make_parents(path)?;
        match fs::symlink_metadata(&target) {
            Err(e) if e.kind() == ErrorKind::NotFound => write_new(&target, octets, 0o644),
            Err(e) => Err(Error::fault(target.display(), e)),
            Ok(_) => {
                let present = super::read_file(&target, octets.len())?;
                if present == octets {
                    return Ok(());
                }
                if !octets.starts_with(&present) {
                    return Err(Error::Refused(format!(
                        "{}: holds something else already; name an empty output folder",
                        target.display()
                    )));
                }
                fs::remove_file(&target).map_err(|e| Error::fault(target.display(), e))?;
                write_new(&target, octets, 0o644)
            }
        }
    }

    fn make_parents(&self, path: &RelativePath) -> Result<(), Error> {
        let mut folder = self.root.clone();
        let parts: Vec<&str> = path.as_str().split('/').collect();
        for part in parts.iter().take(parts.len().saturating_sub(1)) {
            folder.push(part);
            make_dir(&folder)?;
        }
        Ok(())
    }
}

fn check_parent(root: &Path) -> Result<(), Error> {
    let parent = match root.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    match fs::metadata(parent) {
        Ok(status) if status.is_dir() => Ok(()),
        Ok(_) => Err(Error::Refused(format!("{}: not a folder", parent.display()))),
        Err(e) => Err(Error::fault(parent.display(), e)),
    }
}

fn make_dir(folder: &Path) -> Result<(), Error> {
    match DirBuilder::new().mode(0o755).create(folder) {
        Ok(()) => sync_parent(folder),
        Err(e) if e.kind() == ErrorKind::AlreadyExists && is_real_dir(folder) => Ok(()),
        Err(e) => Err(Error::fault(folder.display(), e)),
    }
}

fn is_real_dir(folder: &Path) -> bool {
    fs::symlink_metadata(folder).is_ok_and(|status| status.is_dir())
}

/// Writes a file that must not exist yet, syncs it and its folder, and reads it back.
///
/// # Errors
/// [`Error::Fault`] when it exists, cannot be written, or gives back other octets.
pub fn write_new(path: &Path, octets: &[u8], mode: u32) -> Result<(), Error> {
    let fault = |e: std::io::Error| Error::fault(path.display(), e);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(fault)?;
    file.write_all(octets).map_err(fault)?;
    file.sync_all().map_err(fault)?;
    drop(file);
    sync_parent(path)?;
    let mut back = Vec::new();
    File::open(path).and_then(|mut file| file.read_to_end(&mut back)).map_err(fault)?;
    if back != octets {
        return Err(fault(std::io::Error::other("reads back differently from what was written")));
    }
    Ok(())
}

fn sync_parent(path: &Path) -> Result<(), Error> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(parent).and_then(|folder| folder.sync_all()).map_err(|e| Error::fault(parent.display(), e))
}
