//! Bounded reads, and what a medium may hold in all.

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::fs::File;
use std::hash::BuildHasher;
use std::io::Read;
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat};

use super::{Error, RelativePath, shown};

/// How much is read at most.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Octets of one file.
    pub file: u64,
    /// Octets of all files together.
    pub total: u64,
    /// Number of files.
    pub files: usize,
}

/// Files at the top of a medium that say what the others are: in a folder they are read first, in a
/// tar they stand first where it was made for them.
#[derive(Clone, Copy, Debug)]
pub struct Leading {
    /// Whether the file of this path is one.
    pub is: fn(&str) -> bool,
    /// Octets of one of them.
    pub file: u64,
}

/// Names are kept apart by 64 bits of a hash that is keyed anew in each run: two of two million
/// names fall together by chance once in ten million runs, and then the medium is refused.
#[derive(Debug, Default)]
pub struct NameHasher(RandomState);

impl NameHasher {
    /// The hash of a name without its case.
    pub fn folded(&self, path: &RelativePath) -> u64 {
        self.0.hash_one(path.as_str().to_ascii_lowercase())
    }

    /// The hash of a name as it is.
    pub fn exact(&self, path: &RelativePath) -> u64 {
        self.0.hash_one(path.as_str())
    }
}

/// What was found on a medium so far.
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

    /// The limit of this file, in octets.
    pub fn limit_of(&self, path: &RelativePath) -> u64 {
        if (self.leading.is)(path.as_str()) { self.leading.file } else { self.limits.file }
    }

    /// The limit of any file, in octets.
    pub fn file_limit(&self) -> u64 {
        self.limits.file.max(self.leading.file)
    }

    /// Takes in a name.
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
        Err(twin(path))
    }

    /// Takes in a size, in octets.
    pub fn weigh(&mut self, length: usize) -> Result<(), Error> {
        self.total = self.total.saturating_add(length as u64);
        if self.total > self.limits.total {
            return Err(Error::Refused(format!(
                "more than {} octets in all; split the bundle [MEDIA-SIZE]",
                self.limits.total
            )));
        }
        Ok(())
    }
}

pub fn twin(path: &RelativePath) -> Error {
    Error::Refused(format!(
        "{path}: another file of this medium has the same name, or one that differs only in case, which some media do not keep apart; rename one [MEDIA-NAME]"
    ))
}

pub fn not_a_file(path: &str) -> Error {
    Error::Refused(format!(
        "{}: neither a folder nor a regular file with one name on this medium; links and devices are not read [MEDIA-TYPE]",
        shown(path)
    ))
}

/// Reads a file that claims to have `size` octets, and no more than `limit`.
pub fn bounded(reader: impl Read, path: &str, size: u64, limit: u64) -> Result<Vec<u8>, Error> {
    let mut octets = Vec::with_capacity(usize::try_from(size.min(limit)).unwrap_or_default() + 1);
    reader.take(limit + 1).read_to_end(&mut octets).map_err(|e| Error::fault(path, e))?;
    if octets.len() as u64 > limit {
        return Err(Error::Refused(format!("{path}: larger than {limit} octets [MEDIA-SIZE]")));
    }
    Ok(octets)
}

/// Reads one file named by the operator, of at most `limit` octets. A link is followed, for the
/// operator named it; anything but a regular file is refused.
///
/// # Errors
/// [`Error::Fault`] when it cannot be read, [`Error::Refused`] when it is too large or no file.
pub fn read_file(path: &Path, limit: usize) -> Result<Vec<u8>, Error> {
    let (file, size) = open_file(path)?;
    bounded(file, &path.display().to_string(), size, limit as u64)
}

/// Opens a regular file named by the operator; returns its size in octets, too.
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
