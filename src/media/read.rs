//! Bounded reads: each regular file once, through one descriptor, below one folder.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, Dir, FileType, Mode, OFlags, ResolveFlags, fstat, openat, openat2};

use super::{Error, RelativePath, shown};

/// How much is read at most.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Octets of one file.
    pub file: usize,
    /// Octets of all files together.
    pub total: usize,
    /// Number of files.
    pub files: usize,
}

/// Reads every file below `folder`, in the order of their paths' octets.
///
/// # Errors
/// [`Error::Refused`] for a name outside [`RelativePath`], for names that differ only in case,
/// for anything but folders and regular files with one link on the same file system, and for
/// more than the limits allow; [`Error::Fault`] when the medium fails.
pub fn read_tree(folder: &Path, limits: Limits) -> Result<Vec<(RelativePath, Vec<u8>)>, Error> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let root = openat(CWD, folder, flags, Mode::empty()).map_err(|e| Error::fault(folder.display(), e))?;
    let mut walk = Walk { limits, total: 0, found: Vec::new() };
    walk.folder(&root, "")?;
    walk.found.sort_by(|a, b| a.0.cmp(&b.0));
    refuse_case_twins(&walk.found)?;
    Ok(walk.found)
}

struct Walk {
    limits: Limits,
    total: usize,
    found: Vec<(RelativePath, Vec<u8>)>,
}

impl Walk {
    fn folder(&mut self, folder: &OwnedFd, prefix: &str) -> Result<(), Error> {
        let entries = Dir::read_from(folder).map_err(|e| Error::fault(prefix, e))?;
        for entry in entries {
            let entry = entry.map_err(|e| Error::fault(prefix, e))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name == "." || name == ".." {
                continue;
            }
            let text = if prefix.is_empty() { name.clone() } else { format!("{prefix}/{name}") };
            self.entry(folder, &name, RelativePath::new(&text)?)?;
        }
        Ok(())
    }

    fn entry(&mut self, folder: &OwnedFd, name: &str, path: RelativePath) -> Result<(), Error> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
        let opened = openat2(folder, name, flags, Mode::empty(), resolve).map_err(|e| match e {
            rustix::io::Errno::LOOP | rustix::io::Errno::XDEV | rustix::io::Errno::NXIO => {
                not_a_file(path.as_str())
            }
            _ => Error::fault(&path, e),
        })?;
        let status = fstat(&opened).map_err(|e| Error::fault(&path, e))?;
        match FileType::from_raw_mode(status.st_mode) {
            FileType::Directory => self.folder(&opened, path.as_str()),
            FileType::RegularFile if status.st_nlink == 1 => self.file(opened, path),
            _ => Err(not_a_file(path.as_str())),
        }
    }

    fn file(&mut self, opened: OwnedFd, path: RelativePath) -> Result<(), Error> {
        if self.found.len() >= self.limits.files {
            return Err(Error::Refused(format!(
                "more than {} files; split the bundle [MEDIA-SIZE]",
                self.limits.files
            )));
        }
        let octets = bounded(File::from(opened), path.as_str(), self.limits.file)?;
        self.total = self.total.saturating_add(octets.len());
        if self.total > self.limits.total {
            return Err(Error::Refused(format!(
                "more than {} octets in all; split the bundle [MEDIA-SIZE]",
                self.limits.total
            )));
        }
        self.found.push((path, octets));
        Ok(())
    }
}

fn not_a_file(path: &str) -> Error {
    Error::Refused(format!(
        "{}: neither a folder nor a regular file with one name on this medium; links and devices are not read [MEDIA-TYPE]",
        shown(path)
    ))
}

fn bounded(file: File, path: &str, limit: usize) -> Result<Vec<u8>, Error> {
    let mut octets = Vec::new();
    file.take(limit as u64 + 1).read_to_end(&mut octets).map_err(|e| Error::fault(path, e))?;
    if octets.len() > limit {
        return Err(Error::Refused(format!("{path}: larger than {limit} octets [MEDIA-SIZE]")));
    }
    Ok(octets)
}

fn refuse_case_twins(found: &[(RelativePath, Vec<u8>)]) -> Result<(), Error> {
    let mut seen = std::collections::HashMap::new();
    for (path, _) in found {
        if let Some(twin) = seen.insert(path.as_str().to_ascii_lowercase(), path) {
            return Err(Error::Refused(format!(
                "{twin} and {path}: names differ only in case, which some media do not keep apart; rename one [MEDIA-NAME]"
            )));
        }
    }
    Ok(())
}

/// Reads one file named by the operator, of at most `limit` octets. A link is followed, for the
/// operator named it; anything but a regular file is refused.
///
/// # Errors
/// [`Error::Fault`] when it cannot be read, [`Error::Refused`] when it is too large or no file.
pub fn read_file(path: &Path, limit: usize) -> Result<Vec<u8>, Error> {
    let shown_path = path.display().to_string();
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = openat(CWD, path, flags, Mode::empty()).map_err(|e| Error::fault(&shown_path, e))?;
    let status = fstat(opened.as_fd()).map_err(|e| Error::fault(&shown_path, e))?;
    match FileType::from_raw_mode(status.st_mode) {
        FileType::RegularFile => bounded(File::from(opened), &shown_path, limit),
        _ => Err(Error::Refused(format!("{}: not a regular file", shown(&shown_path)))),
    }
}
