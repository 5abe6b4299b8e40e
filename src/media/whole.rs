//! A folder or tar that comes into being as a whole: written beside its name, named when all of it
//! is on the medium, and taken away again when something fails.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::output::Output;
use super::write::{Sum, create, read_back_secret, sync_parent};
use super::{Error, RelativePath};

/// A folder, or a tar when its name ends in `.tar`, that nobody sees half made.
#[derive(Debug)]
pub struct Whole {
    target: PathBuf,
    kind: Kind,
    done: bool,
}

#[derive(Debug)]
enum Kind {
    /// The files so far, each with the sum of its octets.
    Folder(Vec<(PathBuf, u128)>),
    Tar(Option<Output>),
}

fn partial(target: &Path) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}

impl Whole {
    /// Checks that a new one can be written here. Nothing is created.
    ///
    /// # Errors
    /// As [`Whole::begin`].
    pub fn check_free(target: &Path) -> Result<(), Error> {
        Output::check_free(target)
    }

    /// Begins a new one. `time` is what the files of a tar are dated, in seconds since 1970.
    ///
    /// # Errors
    /// [`Error::Refused`] when the name is taken, but by an empty folder, or when an interrupted run
    /// left its part; [`Error::Fault`] when it cannot be created.
    pub fn begin(target: &Path, time: u64) -> Result<Self, Error> {
        Self::begin_with(target, time, 0o755)
    }

    /// As [`Whole::begin`], a folder that only its owner may enter.
    ///
    /// # Errors
    /// As [`Whole::begin`].
    pub fn begin_private(target: &Path) -> Result<Self, Error> {
        Self::begin_with(target, 0, 0o700)
    }

    fn begin_with(target: &Path, time: u64, mode: u32) -> Result<Self, Error> {
        // Without a slash at the end, so that the part has a name beside it.
        let target: PathBuf = target.components().collect();
        let target = target.as_path();
        Output::check_free(target)?;
        let part = partial(target);
        if fs::symlink_metadata(&part).is_ok() {
            return Err(Error::Refused(format!(
                "{}: exists; an interrupted run left it, remove it",
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

    /// Writes one file; `mode` is its mode in a folder.
    ///
    /// # Errors
    /// [`Error::Fault`] when the medium fails.
    pub fn put(&mut self, path: &RelativePath, octets: &[u8], mode: u32) -> Result<(), Error> {
        if let Kind::Tar(Some(output)) = &mut self.kind {
            return output.put(path, octets);
        }
        let file = partial(&self.target).join(path.as_str());
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).map_err(|e| Error::fault(folder.display(), e))?;
        }
        create(&file, octets, mode)?;
        let mut sum = Sum::default();
        sum.update(octets);
        if let Kind::Folder(files) = &mut self.kind {
            files.push((file, sum.finish()));
        }
        Ok(())
    }

    /// Syncs, and gives it its name.
    ///
    /// # Errors
    /// [`Error::Fault`] when the medium fails; [`Error::Refused`] when the name was taken meanwhile.
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
                // One call for all files: a call for each costs more than making its key.
                rustix::fs::syncfs(&opened).map_err(|e| Error::fault(part.display(), e))?;
                files.iter().try_for_each(|(file, sum)| read_back_secret(file, *sum))?;
                // A folder takes the place of an empty one, and of nothing else.
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
        // What cannot be removed is told by the next run, which finds it there.
        let _ = match self.kind {
            Kind::Folder(_) => fs::remove_dir_all(&part),
            Kind::Tar(_) => fs::remove_file(&part),
        };
    }
}
