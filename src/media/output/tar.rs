//! A release as one tar: written beside its name, synced, read back, then named.

use std::fs::{self, File};
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use tar::{Builder, EntryType, Header};

use crate::media::write::{Sum, check_parent, create_empty, read_back_sum, sync_parent};
use crate::media::{Error, RelativePath};

pub struct Tar {
    builder: Builder<Hashed>,
    target: PathBuf,
    partial: PathBuf,
    time: u64,
}

impl std::fmt::Debug for Tar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Tar").field(&self.target).finish()
    }
}

/// Hashes what it writes, so that it can be compared with what the device gives back.
struct Hashed {
    file: BufWriter<File>,
    hasher: Sum,
}

impl Write for Hashed {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        let written = self.file.write(octets)?;
        self.hasher.update(octets.split_at(written).0);
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

fn partial(target: &Path) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}

pub fn check_free(target: &Path) -> Result<(), Error> {
    for path in [target.to_owned(), partial(target)] {
        if fs::symlink_metadata(&path).is_ok() {
            return Err(Error::Refused(format!("{}: exists; name a file that does not", path.display())));
        }
    }
    check_parent(target)
}

impl Tar {
    pub fn open(target: &Path, time: u64) -> Result<Self, Error> {
        let partial = partial(target);
        // Before the ceremony began there was none: it is what an interrupted run of it left.
        if fs::symlink_metadata(&partial).is_ok_and(|status| status.is_file()) {
            fs::remove_file(&partial).map_err(|e| Error::fault(partial.display(), e))?;
        }
        let file = BufWriter::with_capacity(1 << 20, create_empty(&partial, 0o644)?);
        let builder = Builder::new(Hashed { file, hasher: Sum::default() });
        Ok(Self { builder, target: target.to_owned(), partial, time })
    }

    pub fn put(&mut self, path: &RelativePath, size: u64, octets: impl Read) -> Result<(), Error> {
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o644);
        header.set_mtime(self.time);
        header.set_size(size);
        self.builder
            .append_data(&mut header, path.as_str(), octets)
            .map_err(|e| Error::fault(self.partial.display(), e))
    }

    pub fn finish(self) -> Result<(), Error> {
        let Self { builder, target, partial, .. } = self;
        let fault = |e: std::io::Error| Error::fault(partial.display(), e);
        let Hashed { file, hasher } = builder.into_inner().map_err(fault)?;
        let file = file.into_inner().map_err(|e| fault(e.into_error()))?;
        file.sync_all().map_err(fault)?;
        drop(file);
        read_back_sum(&partial, hasher.finish())?;
        // Not every file system can rename without replacing: a name that is taken is looked at first.
        match fs::symlink_metadata(&target) {
            // An interrupted run of the same release came so far: the same octets stay.
            Ok(there) if there.is_file() && read_back_sum(&target, hasher.finish()).is_ok() => {
                fs::remove_file(&partial).map_err(fault)?;
            }
            Ok(_) => {
                return Err(Error::Refused(format!(
                    "{}: holds something else already; move it away",
                    target.display()
                )));
            }
            Err(_) => fs::rename(&partial, &target).map_err(fault)?,
        }
        sync_parent(&target)
    }
}
