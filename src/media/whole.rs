//! Atomic creation of a folder or tar: written under a temporary name, renamed when everything is on the
//! medium, and removed on failure.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::output::Output;
use super::write::{Checksum, create, read_back_secret, sync_parent};
use super::{Error, RelativePath};

/// A folder, or a tar if the name ends in `.tar`, that is created atomically.
#[derive(Debug)]
pub struct Whole {
    target: PathBuf,
    kind: Kind,
    done: bool,
}

#[derive(Debug)]
enum Kind {
    /// The files so far with their checksums.
    Folder(Vec<(PathBuf, u128)>),
    Tar(Option<Output>),
}

fn partial(target: &Path) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}

impl Whole {
    /// Checks that a new folder or tar can be written here. Creates nothing.
    ///
    /// # Errors
    /// As [`Whole::begin`].
    pub fn check_free(target: &Path) -> Result<(), Error> {
        Output::check_free(target)
    }

    /// Begins a new folder or tar. `time` is the modification time of the files in a tar, in seconds since 1970.
    ///
    /// # Errors
    /// [`Error::Refused`] if the path exists and is not an empty folder, or if an interrupted run left a partial
    /// one; [`Error::Fault`] if it cannot be created.
    pub fn begin(target: &Path, time: u64) -> Result<Self, Error> {
        Self::begin_with(target, time, 0o755)
    }

    /// As [`Whole::begin`], with a folder that only its owner may enter.
    ///
    /// # Errors
    /// As [`Whole::begin`].
    pub fn begin_private(target: &Path) -> Result<Self, Error> {
        Self::begin_with(target, 0, 0o700)
    }

    fn begin_with(target: &Path, time: u64, mode: u32) -> Result<Self, Error> {
        // Without a trailing slash, so that a suffix can be appended to the name.
        let target: PathBuf = target.components().collect();
        let target = target.as_path();
        Output::check_free(target)?;
        let part = partial(target);
        if fs::symlink_metadata(&part).is_ok() {
            return Err(Error::Refused(format!(
                "{}: exists; an interrupted run left it, so remove it",
                part.display()
            )));
        }
        let kind = if Output::is_tar(target) {
            Kind::Tar(Some(Output::open(target, time)?))
        } else {
            DirBuilder::new().mode(mode).create(&part).map_err(|e| Error::fault(part.display(), e))?;
            Kind::Folder(Vec::new())
        };
        Ok(Self { target: target.to_owned(), kind, done: false })
    }

    /// Writes a file; `mode` applies to folders.
    ///
    /// # Errors
    /// [`Error::Fault`] if the medium fails.
    pub fn put(&mut self, path: &RelativePath, octets: &[u8], mode: u32) -> Result<(), Error> {
        if let Kind::Tar(Some(output)) = &mut self.kind {
            return output.put(path, octets);
        }
        let file = partial(&self.target).join(path.as_str());
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).map_err(|e| Error::fault(folder.display(), e))?;
        }
        create(&file, octets, mode)?;
        let mut sum = Checksum::default();
        sum.update(octets);
        if let Kind::Folder(files) = &mut self.kind {
            files.push((file, sum.finish()));
        }
        Ok(())
    }

    /// Syncs everything, reads it back and renames it to its final name.
    ///
    /// # Errors
    /// [`Error::Fault`] if the medium fails; [`Error::Refused`] if the name was taken in the meantime.
    pub fn finish(mut self) -> Result<(), Error> {
        match &mut self.kind {
            Kind::Tar(output) => {
                if let Some(output) = output.take() {
                    output.finish()?;
                }
            }
            Kind::Folder(files) => {
                let part = partial(&self.target);
                let opened = fs::File::open(&part).map_err(|e| Error::fault(part.display(), e))?;
                // One call for all files: a call for each would cost more than generating its key.
                rustix::fs::syncfs(&opened).map_err(|e| Error::fault(part.display(), e))?;
                files.iter().try_for_each(|(file, sum)| read_back_secret(file, *sum))?;
                // rename replaces an empty folder and nothing else.
                fs::rename(&part, &self.target).map_err(|e| Error::fault(self.target.display(), e))?;
                sync_parent(&self.target)?;
            }
        }
        self.done = true;
        Ok(())
    }
}

impl Drop for Whole {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        let part = partial(&self.target);
        // If it cannot be removed, the next run reports it.
        let _ = match self.kind {
            Kind::Folder(_) => fs::remove_dir_all(&part),
            Kind::Tar(_) => fs::remove_file(&part),
        };
    }
}
