//! Where a release goes: a folder, or one tar when the name ends in `.tar`.

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

/// Endings of files that are not written here: a folder of such a name would surprise.
const OTHERS: [&str; 8] = ["tgz", "gz", "xz", "bz2", "zst", "zip", "7z", "tar"];

/// A name says what is written: a folder, or a tar without compression.
fn check_ending(path: &Path) -> Result<(), Error> {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    if !is_tar(path) && OTHERS.iter().any(|other| ending.eq_ignore_ascii_case(other)) {
        Err(Error::Refused(format!(
            "{}: is written as a folder or as one tar without compression; name a folder, or a file that ends in .tar",
            path.display()
        )))
    } else {
        Ok(())
    }
}

impl Output {
    /// Whether a name is a tar's.
    pub(super) fn is_tar(path: &Path) -> bool {
        is_tar(path)
    }

    /// Checks that a new release can be written here: an empty folder, a name that is free below
    /// an existing folder. Nothing is created.
    ///
    /// # Errors
    /// [`Error::Refused`] when something is there already or the name is another archive's;
    /// [`Error::Fault`] when it cannot be read.
    pub fn check_free(path: &Path) -> Result<(), Error> {
        check_ending(path)?;
        if is_tar(path) { tar::check_free(path) } else { folder::check_free(path) }
    }

    /// Where the file system is mounted that has this path, or will have it.
    pub fn medium(path: &Path) -> PathBuf {
        let device = |path: &Path| std::fs::metadata(path).ok().map(|status| status.dev());
        let there = path.ancestors().find(|above| above.exists()).unwrap_or(path);
        let same = there.ancestors().take_while(|above| device(above) == device(there));
        same.last().unwrap_or(there).to_owned()
    }

    /// Opens it for writing. `time` is what the files of a tar are dated, in seconds since 1970.
    ///
    /// An earlier run of the same release may have been interrupted: what a folder holds of it is
    /// kept, and an unfinished tar is begun anew.
    ///
    /// # Errors
    /// [`Error::Fault`] when it cannot be created.
    pub fn open(path: &Path, time: u64) -> Result<Self, Error> {
        Ok(Self(if is_tar(path) {
            Kind::Tar(Box::new(tar::Tar::open(path, time)?))
        } else {
            Kind::Folder(folder::Folder::open(path)?)
        }))
    }

    /// Writes one file. In a folder the same octets are kept, a cut-off beginning of them is
    /// replaced, anything else stays and is an error.
    ///
    /// # Errors
    /// [`Error::Refused`] when another file has the name, [`Error::Fault`] when the medium fails
    /// or gives back other octets than were written.
    pub fn put(&mut self, path: &RelativePath, octets: &[u8]) -> Result<(), Error> {
        match &mut self.0 {
            Kind::Folder(folder) => folder.put(path, octets),
            Kind::Tar(tar) => tar.put(path, octets.len() as u64, octets),
        }
    }

    /// Writes one file that is too large to be held: `size` octets of `from`, from its beginning.
    ///
    /// # Errors
    /// As [`Output::put`].
    pub fn put_file(&mut self, path: &RelativePath, from: &File, size: u64) -> Result<(), Error> {
        match &mut self.0 {
            Kind::Folder(folder) => folder.put_file(path, from, size),
            Kind::Tar(tar) => tar.put(path, size, Spooled { from, at: 0 }),
        }
    }

    /// Everything so far is on the medium, and was read back.
    ///
    /// # Errors
    /// As [`Output::put`]. A tar is synced as a whole, by [`Output::finish`].
    pub fn sync(&mut self) -> Result<(), Error> {
        match &mut self.0 {
            Kind::Folder(folder) => folder.sync(),
            Kind::Tar(_) => Ok(()),
        }
    }

    /// Syncs, reads back, and gives a tar its name.
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

/// A file read from its beginning, wherever others read it.
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
