//! Uncompressed tar archives (POSIX.1-1988 ustar, with GNU or pax long names), read under the same
//! rules as folders.

use std::cell::Cell;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::Path;

use tar::{Archive, Entry, EntryType};

use super::read::{Tally, bounded, not_a_file, open_file};
use super::{Error, RelativePath, shown};

/// Header size, and the unit to which files are padded, in octets.
const BLOCK: u64 = 512;

/// Maximum octets read to find the next header. Long names are separate entries, which the crate
/// reads whole.
const HEADERS: u64 = 1 << 20;
/// Maximum folder entries: they carry nothing, and each takes time.
const FOLDERS: usize = 100_000;
/// Maximum octets of zeros after the last file; tar pads to a record, usually of 10 KiB.
const PADDING: u64 = 1 << 20;
/// Read-ahead buffer, in octets.
const AHEAD: usize = 1 << 20;

/// A file with a budget of octets to read, so that a hostile header cannot exhaust memory.
struct Metered<'f> {
    file: &'f File,
    left: &'f Cell<u64>,
}

impl Read for Metered<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read(buffer)?;
        match self.left.get().checked_sub(read as u64) {
            Some(left) => self.left.set(left),
            None => return Err(std::io::Error::other("a header is larger than a megabyte")),
        }
        Ok(read)
    }
}

impl Seek for Metered<'_> {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.file.seek(to)
    }
}

/// A regular file in a tar.
pub struct Place {
    pub path: RelativePath,
    /// Offset of its contents, in octets.
    pub offset: u64,
    /// Size of its contents, in octets.
    pub size: u64,
}

/// Reads every file, in the order of the archive.
pub fn read_each<E: From<Error>>(
    medium: &Path,
    tally: &mut Tally,
    each: &mut dyn FnMut(RelativePath, Vec<u8>) -> Result<(), E>,
) -> Result<(), E> {
    let (file, _) = open_file(medium)?;
    let named = medium.display().to_string();
    let left = Cell::new(HEADERS + AHEAD as u64);
    let mut archive = Archive::new(Buffered::new(AHEAD, Metered { file: &file, left: &left }));
    let (mut end, mut folders) = (0, 0);
    for entry in archive.entries_with_seek().map_err(|e| malformed(&named, e))? {
        left.set(tally.file_limit() + HEADERS + AHEAD as u64);
        let mut entry = entry.map_err(|e| malformed(&named, e))?;
        end = end_of(&entry);
        let Some(place) = place(&entry)? else {
            count_folder(&mut folders)?;
            continue;
        };
        tally.admit(&place.path)?;
        let limit = tally.limit_of(&place.path);
        if place.size > limit {
            return Err(too_large(&place.path, limit).into());
        }
        let octets =
            bounded(&mut entry, place.path.as_str(), place.size, limit).map_err(|e| read_error(&named, e))?;
        if octets.len() as u64 != place.size {
            return Err(truncated(&named).into());
        }
        tally.add_size(octets.len())?;
        each(place.path, octets)?;
    }
    Ok(check_end(&file, &named, end)?)
}

/// Visits the header of every file and skips the contents.
pub fn headers<E: From<Error>>(
    file: &File,
    named: &str,
    each: &mut dyn FnMut(Place) -> Result<(), E>,
) -> Result<(), E> {
    let mut start = file;
    start.seek(SeekFrom::Start(0)).map_err(|e| Error::fault(named, e))?;
    let left = Cell::new(HEADERS + AHEAD as u64);
    let mut archive = Archive::new(Buffered::new(1 << 16, Metered { file, left: &left }));
    let (mut end, mut folders) = (0, 0);
    for entry in archive.entries_with_seek().map_err(|e| malformed(named, e))? {
        left.set(HEADERS + AHEAD as u64);
        let entry = entry.map_err(|e| malformed(named, e))?;
        end = end_of(&entry);
        match place(&entry)? {
            Some(place) => each(place)?,
            None => count_folder(&mut folders)?,
        }
    }
    Ok(check_end(file, named, end)?)
}

/// A buffered reader that seeks within its buffer where possible, and tracks its position without
/// system calls.
struct Buffered<'f> {
    reader: BufReader<Metered<'f>>,
    at: u64,
}

impl<'f> Buffered<'f> {
    fn new(ahead: usize, file: Metered<'f>) -> Self {
        Self { reader: BufReader::with_capacity(ahead, file), at: 0 }
    }
}

impl Read for Buffered<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for Buffered<'_> {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        // The offset is out of range: the tar is malformed; the device has not failed.
        let nowhere = |_| std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
        match to {
            SeekFrom::Current(octets) => {
                self.reader.seek_relative(octets).map_err(nowhere)?;
                self.at = self.at.saturating_add_signed(octets);
            }
            other => self.at = self.reader.seek(other).map_err(nowhere)?,
        }
        Ok(self.at)
    }
}

fn count_folder(folders: &mut usize) -> Result<(), Error> {
    *folders += 1;
    if *folders <= FOLDERS {
        return Ok(());
    }
    Err(Error::Refused(format!("more than {FOLDERS} folders in a tar; leave out empty ones [MEDIA-SIZE]")))
}

fn too_large(path: &RelativePath, limit: u64) -> Error {
    Error::Refused(format!("{path}: larger than {limit} octets [MEDIA-SIZE]"))
}

fn end_of<R: Read>(entry: &Entry<'_, R>) -> u64 {
    entry.raw_file_position().saturating_add(entry.size().next_multiple_of(BLOCK))
}

/// Returns path, offset and size of a regular file; `None` for a folder.
fn place<R: Read>(entry: &Entry<'_, R>) -> Result<Option<Place>, Error> {
    let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
    let mut text = name.as_str();
    while let Some(rest) = text.strip_prefix("./") {
        text = rest;
    }
    let path = || RelativePath::new(text.trim_end_matches('/'));
    match entry.header().entry_type() {
        EntryType::Directory if text.is_empty() || text == "." => Ok(None),
        EntryType::Directory => path().map(|_| None),
        EntryType::Regular if !text.ends_with('/') => {
            Ok(Some(Place { path: path()?, offset: entry.raw_file_position(), size: entry.size() }))
        }
        _ => Err(not_a_file(&name)),
    }
}

/// Requires two blocks of zeros after the last file, and only zeros to the end: without the blocks
/// the tar may be truncated, and other data after them may hide files.
fn check_end(file: &File, named: &str, end: u64) -> Result<(), Error> {
    let (mut at, mut buffer) = (end, [0; 1 << 13]);
    loop {
        let read = file.read_at(&mut buffer, at).map_err(|e| Error::fault(named, e))?;
        let (found, _) = buffer.split_at(read);
        if found.iter().any(|octet| *octet != 0) {
            return Err(Error::Refused(format!(
                "{}: data follows the end of the tar; create it again [MEDIA-TYPE]",
                shown(named)
            )));
        }
        if read == 0 {
            break;
        }
        at += read as u64;
        if at > end.saturating_add(PADDING) {
            return Err(Error::Refused(format!(
                "{}: more than {PADDING} octets of zeros follow the end of the tar; create it again [MEDIA-SIZE]",
                shown(named)
            )));
        }
    }
    if at < end.saturating_add(2 * BLOCK) { Err(truncated(named)) } else { Ok(()) }
}

fn truncated(named: &str) -> Error {
    Error::Refused(format!("{}: the tar is truncated; copy it again [MEDIA-TYPE]", shown(named)))
}

fn read_error(named: &str, error: Error) -> Error {
    match error {
        Error::Fault { source, .. } => malformed(named, source),
        other => other,
    }
}

/// The crate reports malformed archives and I/O errors with the same type; only the latter have an OS
/// error code.
fn malformed(named: &str, error: std::io::Error) -> Error {
    if error.raw_os_error().is_some() {
        return Error::fault(named, error);
    }
    let why = shown(&error.to_string());
    // A truncated header has no separate error kind.
    if error.kind() == std::io::ErrorKind::UnexpectedEof || why == "failed to read entire block" {
        return truncated(named);
    }
    Error::Refused(format!(
        "{}: neither a folder nor a valid uncompressed tar: {why} [MEDIA-TYPE]",
        shown(named)
    ))
}
