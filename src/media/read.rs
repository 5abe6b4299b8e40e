//! Bounded reads of files and media.

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::fs::File;
use std::hash::BuildHasher;
use std::io::Read;
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat};

use super::{Error, RelativePath, shown};

/// Limits on reading a medium.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Maximum size of a file, in octets.
    pub file: u64,
    /// Maximum size of all files together, in octets.
    pub total: u64,
    /// Maximum number of files.
    pub files: usize,
}

/// Top-level files that describe the others, such as an index. In a folder they are read first; a tar
/// that has them should list them first.
#[derive(Clone, Copy, Debug)]
pub struct Leading {
    /// Returns whether a path is one of them.
    pub is: fn(&str) -> bool,
    /// Maximum size of each, in octets.
    pub file: u64,
}

/// Identifies names by a 64-bit hash with a random key per run. Two of two million names collide by
/// chance in one of ten million runs; the medium is then refused.
#[derive(Debug, Default)]
pub struct NameHasher(RandomState);

impl NameHasher {
    /// Hashes a name regardless of case.
    pub fn folded(&self, path: &RelativePath) -> u64 {
        self.0.hash_one(path.as_str().to_ascii_lowercase())
    }

    /// Hashes a name exactly.
    pub fn exact(&self, path: &RelativePath) -> u64 {
        self.0.hash_one(path.as_str())
    }
}

/// Names and sizes read from a medium so far, checked against the limits.
#[derive(Debug)]
pub struct Tally {
    limits: Limits,
    leading: Leading,
    total: u64,
    names: HashSet<u64>,
    hasher: NameHasher,
}

impl Tally {
    pub fn new(limits: Limits, leading: Leading) -> Self {
        Self { limits, leading, total: 0, names: HashSet::new(), hasher: NameHasher::default() }
    }

    pub fn files(&self) -> usize {
        self.names.len()
    }

    /// Returns the size limit of this file, in octets.
    pub fn limit_of(&self, path: &RelativePath) -> u64 {
        if (self.leading.is)(path.as_str()) { self.leading.file } else { self.limits.file }
    }

    /// Returns the largest size limit of any file, in octets.
    pub fn file_limit(&self) -> u64 {
        self.limits.file.max(self.leading.file)
    }

    /// Counts a file; refuses one too many and a duplicate name.
    pub fn admit(&mut self, path: &RelativePath) -> Result<(), Error> {
        if self.names.len() >= self.limits.files {
            return Err(Error::Refused(format!(
                "more than {} files; split the bundle [MEDIA-SIZE]",
                self.limits.files
            )));
        }
        if self.names.insert(self.hasher.folded(path)) {
            return Ok(());
        }
        Err(duplicate_name(path))
    }

    /// Adds a size in octets; refuses a total over the limit.
    pub fn add_size(&mut self, length: usize) -> Result<(), Error> {
        self.total = self.total.saturating_add(length as u64);
        if self.total > self.limits.total {
            return Err(Error::Refused(format!(
                "more than {} octets in total; split the bundle [MEDIA-SIZE]",
                self.limits.total
            )));
        }
        Ok(())
    }
}

pub fn duplicate_name(path: &RelativePath) -> Error {
    Error::Refused(format!(
        "{path}: another file on this medium has the same name, or one that differs only in case, which some file systems do not distinguish; rename one [MEDIA-NAME]"
    ))
}

pub fn not_a_file(path: &str) -> Error {
    Error::Refused(format!(
        "{}: neither a folder nor a regular file with a single link on this file system; links and devices are not read [MEDIA-TYPE]",
        shown(path)
    ))
}

/// Reads a file with a declared size of `size` octets, and refuses more than `limit`.
pub fn bounded(reader: impl Read, path: &str, size: u64, limit: u64) -> Result<Vec<u8>, Error> {
    let mut octets = Vec::with_capacity(usize::try_from(size.min(limit)).unwrap_or_default() + 1);
    reader.take(limit + 1).read_to_end(&mut octets).map_err(|e| Error::fault(path, e))?;
    if octets.len() as u64 > limit {
        return Err(Error::Refused(format!("{path}: larger than {limit} octets [MEDIA-SIZE]")));
    }
    Ok(octets)
}

/// Reads a file of at most `limit` octets that the operator named. A symbolic link is followed,
/// because the operator named it; anything but a regular file is refused.
///
/// # Errors
/// [`Error::Fault`] when it cannot be read, [`Error::Refused`] when it is too large or not a file.
pub fn read_file(path: &Path, limit: usize) -> Result<Vec<u8>, Error> {
    let (file, size) = open_file(path)?;
    bounded(file, &path.display().to_string(), size, limit as u64)
}

/// Reads a text file that the operator named, as [`read_file`] does.
///
/// # Errors
/// As [`read_file`], and [`Error::Refused`] when it is not valid UTF-8.
pub fn read_text(path: &Path, limit: usize) -> Result<String, Error> {
    let octets = read_file(path, limit)?;
    String::from_utf8(octets).map_err(|e| Error::Refused(format!("{}: {e}", path.display())))
}

/// Opens a regular file that the operator named; also returns its size in octets.
///
/// # Errors
/// As [`read_file`].
pub fn open_file(path: &Path) -> Result<(File, u64), Error> {
    let shown_path = path.display().to_string();
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = openat(CWD, path, flags, Mode::empty()).map_err(|e| Error::fault(&shown_path, e))?;
    let status = fstat(opened.as_fd()).map_err(|e| Error::fault(&shown_path, e))?;
    match FileType::from_raw_mode(status.st_mode) {
        FileType::RegularFile => Ok((File::from(opened), status.st_size.unsigned_abs())),
        _ => Err(Error::Refused(format!("{}: not a regular file", shown(&shown_path)))),
    }
}
