//! A medium whose files are read by name: each at most once, and unread files can be detected.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::read::{NameHasher, bounded, duplicate_name, open_file};
use super::{Error, Limits, RelativePath, archive, folder, is_folder};

/// A folder or tar with an index of its names.
#[derive(Debug)]
pub struct Tree {
    medium: Medium,
    hasher: NameHasher,
    index: Vec<Slot>,
}

#[derive(Debug)]
enum Medium {
    Folder(OwnedFd),
    Tar(Arc<File>, String),
}

#[derive(Debug)]
struct Slot {
    folded: u64,
    exact: u64,
    offset: u64,
    size: u64,
    read: AtomicBool,
}

/// A sequential reader of one file.
#[derive(Clone, Debug)]
pub struct Member {
    file: Arc<File>,
    at: u64,
    left: u64,
}

impl Read for Member {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if length == 0 {
            return Ok(0);
        }
        let (wanted, _) = buffer.split_at_mut(length);
        let read = self.file.read_at(wanted, self.at)?;
        self.at += read as u64;
        self.left -= read as u64;
        Ok(read)
    }
}

impl Tree {
    /// Indexes a medium.
    ///
    /// # Errors
    /// As [`super::read_each`].
    pub fn open(path: &Path, limits: Limits) -> Result<Self, Error> {
        let medium = match is_folder(path)? {
            true => Medium::Folder(folder::open(path)?),
            false => Medium::Tar(Arc::new(open_file(path)?.0), path.display().to_string()),
        };
        let mut tree = Self { medium, hasher: NameHasher::default(), index: Vec::new() };
        let (mut index, mut total) = (Vec::new(), 0u64);
        tree.each_name(&mut |path, offset, size| {
            total = total.saturating_add(size);
            if index.len() >= limits.files || size > limits.file || total > limits.total {
                return Err(Error::Refused(format!(
                    "{path}: more than {} octets, or more than {} octets or {} files in total [MEDIA-SIZE]",
                    limits.file, limits.total, limits.files
                )));
            }
            let (folded, exact) = (tree.hasher.folded(path), tree.hasher.exact(path));
            index.push(Slot { folded, exact, offset, size, read: AtomicBool::new(false) });
            Ok(())
        })?;
        index.sort_unstable_by_key(|slot| slot.folded);
        tree.index = index;
        if tree.index.windows(2).any(|pair| matches!(pair, [a, b] if a.folded == b.folded)) {
            return Err(tree.first_duplicate());
        }
        Ok(tree)
    }

    fn each_name(
        &self,
        each: &mut dyn FnMut(&RelativePath, u64, u64) -> Result<(), Error>,
    ) -> Result<(), Error> {
        match &self.medium {
            Medium::Folder(root) => folder::walk(root, "", &mut |found| each(&found.path, 0, found.size)),
            Medium::Tar(file, named) => {
                archive::headers(file, named, &mut |place| each(&place.path, place.offset, place.size))
            }
        }
    }

    fn first_duplicate(&self) -> Error {
        let mut seen = std::collections::HashSet::new();
        let found = self.each_name(&mut |path, _, _| match seen.insert(self.hasher.folded(path)) {
            true => Ok(()),
            false => Err(duplicate_name(path)),
        });
        found.err().unwrap_or_else(|| Error::Refused("the medium changed while it was read".into()))
    }

    fn slot(&self, path: &RelativePath) -> Option<&Slot> {
        let name = self.hasher.folded(path);
        let at = self.index.binary_search_by_key(&name, |slot| slot.folded).ok()?;
        self.index.get(at).filter(|slot| slot.exact == self.hasher.exact(path))
    }

    /// Opens a file; also returns its size in octets.
    ///
    /// # Errors
    /// [`Error::Refused`] when it is missing or was read before.
    pub fn member(&self, path: &RelativePath) -> Result<(Member, u64), Error> {
        let slot = self.slot(path).ok_or_else(|| Error::Refused(format!("{path}: missing")))?;
        if slot.read.swap(true, Ordering::Relaxed) {
            return Err(Error::Refused(format!("{path}: listed twice")));
        }
        let file = match &self.medium {
            Medium::Folder(root) => Arc::new(folder::find(root, path)?.file),
            Medium::Tar(file, _) => Arc::clone(file),
        };
        Ok((Member { file, at: slot.offset, left: slot.size }, slot.size))
    }

    /// Reads a file of at most `limit` octets.
    ///
    /// # Errors
    /// As [`Tree::member`]; [`Error::Refused`] when it is too large or its size has changed.
    pub fn read(&self, path: &RelativePath, limit: u64) -> Result<Vec<u8>, Error> {
        let (member, size) = self.member(path)?;
        let octets = bounded(member, path.as_str(), size, limit)?;
        if octets.len() as u64 != size {
            return Err(Error::Refused(format!("{path}: changed while it was read")));
        }
        Ok(octets)
    }

    /// Returns the first file that was not read, if any.
    ///
    /// # Errors
    /// [`Error::Fault`] when the medium fails.
    pub fn unread(&self) -> Result<Option<RelativePath>, Error> {
        if self.index.iter().all(|slot| slot.read.load(Ordering::Relaxed)) {
            return Ok(None);
        }
        let mut first = None;
        self.each_name(&mut |path, _, _| {
            let unread = self.slot(path).is_none_or(|slot| !slot.read.load(Ordering::Relaxed));
            if unread && first.is_none() {
                first = Some(path.clone());
            }
            Ok(())
        })?;
        Ok(first)
    }
}
