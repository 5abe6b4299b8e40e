//! The output of a release: a folder, or a tar if the name ends in `.tar`.

mod folder;
mod tar;

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::{Error, RelativePath};

/// A release being written.
#[derive(Debug)]
pub struct Output(Kind);

#[derive(Debug)]
enum Kind {
    Folder(folder::Folder),
    Tar(Box<tar::Tar>),
}

fn is_tar(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "tar")
}

/// Extensions that are refused: a folder with such a name would be a surprise.
const OTHERS: [&str; 8] = ["tgz", "gz", "xz", "bz2", "zst", "zip", "7z", "tar"];

fn check_ending(path: &Path) -> Result<(), Error> {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    if !is_tar(path) && OTHERS.iter().any(|other| ending.eq_ignore_ascii_case(other)) {
        Err(Error::Refused(format!(
            "{}: output must be a folder or an uncompressed tar; name a folder, or a file that ends in .tar",
            path.display()
        )))
    } else {
        Ok(())
    }
}

impl Output {
    pub(super) fn is_tar(path: &Path) -> bool {
        is_tar(path)
    }

    /// Checks that a new release can be written here: to an empty folder, or an unused name in an existing
    /// folder. Creates nothing.
    ///
    /// # Errors
    /// [`Error::Refused`] if the path is in use or has the extension of another archive format;
    /// [`Error::Fault`] if it cannot be read.
    pub fn check_free(path: &Path) -> Result<(), Error> {
        check_ending(path)?;
        if is_tar(path) { tar::check_free(path) } else { folder::check_free(path) }
    }

    /// Returns the mount point of the file system that contains this path or will contain it.
    pub fn medium(path: &Path) -> PathBuf {
        let device = |path: &Path| std::fs::metadata(path).ok().map(|status| status.dev());
        let there = path.ancestors().find(|above| above.exists()).unwrap_or(path);
        let same = there.ancestors().take_while(|above| device(above) == device(there));
        same.last().unwrap_or(there).to_owned()
    }

    /// Opens the output for writing. `time` is the modification time of the files in a tar, in seconds since 1970.
    ///
    /// An earlier run of the same release may have been interrupted: its files in a folder are kept, and an
    /// unfinished tar is replaced.
    ///
    /// # Errors
    /// [`Error::Fault`] if the output cannot be created.
    pub fn open(path: &Path, time: u64) -> Result<Self, Error> {
        Ok(Self(if is_tar(path) {
            Kind::Tar(Box::new(tar::Tar::open(path, time)?))
        } else {
            Kind::Folder(folder::Folder::open(path)?)
        }))
    }

    /// Writes a file. In a folder an identical file is kept, a truncated one is replaced, and any other is an
    /// error.
    ///
    /// # Errors
    /// [`Error::Refused`] if the name is taken by a different file; [`Error::Fault`] if the medium fails or reads
    /// back differently.
    pub fn put(&mut self, path: &RelativePath, octets: &[u8]) -> Result<(), Error> {
        match &mut self.0 {
            Kind::Folder(folder) => folder.put(path, octets),
            Kind::Tar(tar) => tar.put(path, octets.len() as u64, octets),
        }
    }

    /// Writes a file that is too large for memory: the first `size` octets of `from`.
    ///
    /// # Errors
    /// As [`Output::put`].
    pub fn put_file(&mut self, path: &RelativePath, from: &File, size: u64) -> Result<(), Error> {
        match &mut self.0 {
            Kind::Folder(folder) => folder.put_file(path, from, size),
            Kind::Tar(tar) => tar.put(path, size, Spooled { from, at: 0 }),
        }
    }

    /// Syncs all files so far and reads them back. A tar is synced as a whole, by [`Output::finish`].
    ///
    /// # Errors
    /// As [`Output::put`].
    pub fn sync(&mut self) -> Result<(), Error> {
        match &mut self.0 {
            Kind::Folder(folder) => folder.sync(),
            Kind::Tar(_) => Ok(()),
        }
    }

    /// Syncs and reads back the output, and renames a tar to its final name.
    ///
    /// # Errors
    /// As [`Output::put`].
    pub fn finish(self) -> Result<(), Error> {
        match self.0 {
            Kind::Folder(mut folder) => folder.sync(),
            Kind::Tar(tar) => tar.finish(),
        }
    }
}

/// Reads a file from its beginning, independently of the file's position.
struct Spooled<'a> {
    from: &'a File,
    at: u64,
}

impl std::io::Read for Spooled<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = std::os::unix::fs::FileExt::read_at(self.from, buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}
