//! Creates files, syncs them and reads them back from the device.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{Advice, CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use xxhash_rust::xxh3::Xxh3Default;
use zeroize::Zeroizing;

use super::Error;

/// Creates a file, syncs it and its folder, and reads it back.
///
/// # Errors
/// [`Error::Fault`] if the file exists, cannot be written, or reads back differently.
pub fn write_new(path: &Path, octets: &[u8], mode: u32) -> Result<(), Error> {
    let file = create(path, octets, mode)?;
    file.sync_all().map_err(|e| Error::fault(path.display(), e))?;
    drop(file);
    sync_parent(path)?;
    read_back(path, octets)
}

/// Creates a file; the caller must sync it.
pub fn create(path: &Path, octets: &[u8], mode: u32) -> Result<File, Error> {
    let mut file = create_empty(path, mode)?;
    file.write_all(octets).map_err(|e| Error::fault(path.display(), e))?;
    Ok(file)
}

pub fn create_empty(path: &Path, mode: u32) -> Result<File, Error> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(mode);
    options.open(path).map_err(|e| Error::fault(path.display(), e))
}

/// Reads a synced file back, bypassing the page cache, and compares.
pub fn read_back(path: &Path, octets: &[u8]) -> Result<(), Error> {
    ReadBack::default().compare(path, octets)
}

/// As [`read_back_sum`], for a secret: the buffer is zeroized.
pub fn read_back_secret(path: &Path, sum: u128) -> Result<(), Error> {
    let mut back = Zeroizing::new(Vec::with_capacity(1 << 13));
    let mut found = Checksum::default();
    from_device(path)?.read_to_end(&mut back).map_err(|e| Error::fault(path.display(), e))?;
    found.update(&back);
    if found.finish() == sum { Ok(()) } else { Err(reads_differently(path)) }
}

/// Alignment of direct reads, in octets: the largest sector size of common devices.
const SECTOR: usize = 4096;

/// Reads files back, one after another, with a reusable buffer for direct reads.
#[derive(Default)]
pub struct ReadBack(Vec<u8>);

impl ReadBack {
    /// Reads a synced file from its device and compares.
    pub fn compare(&mut self, path: &Path, octets: &[u8]) -> Result<(), Error> {
        self.compare_piece(path, 0, octets, true)
    }

    /// As [`ReadBack::compare`], for a piece of a growing file. Offset and length must be multiples of [`SECTOR`],
    /// except for the length of the last piece, at which the file must end.
    pub fn compare_piece(&mut self, path: &Path, at: u64, octets: &[u8], is_last: bool) -> Result<(), Error> {
        let fault = |e: std::io::Error| Error::fault(path.display(), e);
        let wanted = octets.len() + usize::from(is_last);
        let same = match self.direct(path, at, wanted, octets) {
            // Some file systems do not support direct reads.
            Err(error) if error.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => {
                let mut file = from_device(path)?;
                file.seek(SeekFrom::Start(at)).map_err(fault)?;
                let mut back = Vec::with_capacity(wanted);
                file.take(wanted as u64).read_to_end(&mut back).map_err(fault)?;
                back == octets
            }
            other => other.map_err(fault)?,
        };
        if same { Ok(()) } else { Err(reads_differently(path)) }
    }

    fn direct(&mut self, path: &Path, at: u64, wanted: usize, octets: &[u8]) -> std::io::Result<bool> {
        let flags = OFlags::RDONLY | OFlags::DIRECT | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = File::from(openat(CWD, path, flags, Mode::empty())?);
        let length = wanted.next_multiple_of(SECTOR);
        self.0.resize(length + SECTOR, 0);
        let start = self.0.as_ptr().align_offset(SECTOR);
        let buffer = self.0.get_mut(start..start + length).unwrap_or_default();
        let mut filled = 0;
        // A read that ends within a sector has reached the end of the file.
        while filled % SECTOR == 0 && filled < length {
            match file.read_at(buffer.get_mut(filled..).unwrap_or_default(), at + filled as u64)? {
                0 => break,
                read => filled += read,
            }
        }
        Ok(buffer.get(..filled) == Some(octets))
    }
}

/// A checksum of octets written and read back. It detects a faulty device, not a malicious one: against that,
/// verifiers of the release have SHA-256.
#[derive(Default)]
pub struct Checksum(Xxh3Default);

impl Checksum {
    pub fn update(&mut self, octets: &[u8]) {
        self.0.update(octets);
    }

    pub fn finish(&self) -> u128 {
        self.0.digest128()
    }
}

impl std::fmt::Debug for Checksum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Checksum")
    }
}

impl Write for Checksum {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.update(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// As [`read_back`], for a file that is too large for memory.
pub fn read_back_sum(path: &Path, sum: u128) -> Result<(), Error> {
    if sum_of(path)? == sum { Ok(()) } else { Err(reads_differently(path)) }
}

/// Returns the checksum of a synced file, as read from its device.
pub fn sum_of(path: &Path) -> Result<u128, Error> {
    let mut found = Checksum::default();
    copy(&mut from_device(path)?, &mut found, path)?;
    Ok(found.finish())
}

/// Copies all octets and returns their number.
pub fn copy(from: &mut impl Read, to: &mut impl Write, path: &Path) -> Result<u64, Error> {
    let mut buffer = vec![0; 1 << 18];
    let mut all = 0;
    loop {
        let read = from.read(&mut buffer).map_err(|e| Error::fault(path.display(), e))?;
        let (found, _) = buffer.split_at(read);
        if found.is_empty() {
            return Ok(all);
        }
        to.write_all(found).map_err(|e| Error::fault(path.display(), e))?;
        all += read as u64;
    }
}

fn from_device(path: &Path) -> Result<File, Error> {
    let file = File::open(path).map_err(|e| Error::fault(path.display(), e))?;
    // Synced pages may be dropped from the page cache, so that the device is read. A file system that does not
    // support the advice reads from the cache.
    let _ = rustix::fs::fadvise(&file, 0, None, Advice::DontNeed);
    Ok(file)
}

fn reads_differently(path: &Path) -> Error {
    Error::fault(path.display(), std::io::Error::other("reads back differently from what was written"))
}

/// Creates a folder, unless it exists and is not a link.
pub fn make_dir(folder: &Path) -> Result<(), Error> {
    match DirBuilder::new().mode(0o755).create(folder) {
        Ok(()) => sync_parent(folder),
        Err(e) if e.kind() == ErrorKind::AlreadyExists && is_real_dir(folder) => Ok(()),
        Err(e) => Err(Error::fault(folder.display(), e)),
    }
}

fn is_real_dir(folder: &Path) -> bool {
    fs::symlink_metadata(folder).is_ok_and(|status| status.is_dir())
}

pub fn sync_parent(path: &Path) -> Result<(), Error> {
    let parent = parent(path);
    File::open(parent).and_then(|folder| folder.sync_all()).map_err(|e| Error::fault(parent.display(), e))
}

/// Returns the folder that contains a path.
pub fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Requires that the folder of `path` exists.
pub fn check_parent(path: &Path) -> Result<(), Error> {
    let parent = parent(path);
    match fs::metadata(parent) {
        Ok(status) if status.is_dir() => Ok(()),
        Ok(_) => Err(Error::Refused(format!("{}: not a folder", parent.display()))),
        Err(e) => Err(Error::fault(parent.display(), e)),
    }
}

/// Creates an unnamed temporary file in a folder, which disappears when the program ends.
///
/// # Errors
/// [`Error::Fault`] if the file system does not support O_TMPFILE.
pub fn spool(folder: &Path) -> Result<File, Error> {
    let flags = OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC;
    let file = openat(CWD, folder, flags, Mode::RUSR | Mode::WUSR);
    Ok(File::from(file.map_err(|e| Error::fault(folder.display(), e))?))
}
