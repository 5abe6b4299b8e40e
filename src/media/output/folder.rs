//! A release as a folder. Files are written in groups; each group is synced and read back while the next is
//! written.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::thread::{Builder, JoinHandle};

use crossbeam_channel::{Sender, bounded};

use super::Spooled;
use crate::media::read::open_file;
use crate::media::write::{
    Checksum, ReadBack, check_parent, copy, create, create_empty, make_dir, read_back_sum, sync_parent,
};
use crate::media::{Error, RelativePath};

/// Size of a group, in octets. At most three groups are in memory: being written, queued, being read back.
const GROUP: usize = 2 << 20;

/// Number of files that are read back in parallel.
const READERS: usize = 16;

/// Paths and contents of files that were written together.
type Group = Vec<(PathBuf, Vec<u8>)>;

#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
    /// The folder of the last file, which exists.
    last: PathBuf,
    written: Group,
    /// Octets of the files in `written`.
    pending: usize,
    checker: Option<Checker>,
}

/// A thread that syncs groups and reads them back.
#[derive(Debug)]
struct Checker {
    groups: Sender<Group>,
    outcome: JoinHandle<Result<(), Error>>,
}

impl Checker {
    fn start(root: &Path) -> Result<Self, Error> {
        let (groups, queue) = bounded::<Group>(1);
        let fault = |e| Error::fault(root.display(), e);
        let root = root.to_owned();
        let work = move || queue.iter().try_for_each(|group| sync_and_read_back(&root, &group));
        let outcome = Builder::new().spawn(work);
        Ok(Self { groups, outcome: outcome.map_err(fault)? })
    }

    /// Waits until all groups were checked.
    fn end(self) -> Result<(), Error> {
        drop(self.groups);
        self.outcome.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

pub fn check_free(root: &Path) -> Result<(), Error> {
    match fs::read_dir(root) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(Error::Refused(format!(
                "{}: output folder is not empty; name a new or empty one",
                root.display()
            ))),
        },
        Err(e) if e.kind() == ErrorKind::NotFound => check_parent(root),
        Err(e) if e.kind() == ErrorKind::NotADirectory => Err(Error::Refused(format!(
            "{}: is a file; name a folder, or a new file that ends in .tar",
            root.display()
        ))),
        Err(e) => Err(Error::fault(root.display(), e)),
    }
}

impl Folder {
    pub fn open(root: &Path) -> Result<Self, Error> {
        make_dir(root)?;
        Ok(Self {
            root: root.to_owned(),
            last: root.to_owned(),
            written: Vec::new(),
            pending: 0,
            checker: None,
        })
    }

    pub fn put(&mut self, path: &RelativePath, octets: &[u8]) -> Result<(), Error> {
        let target = self.place(path)?;
        match create(&target, octets, 0o644) {
            Ok(_) => {}
            Err(Error::Fault { source, .. }) if source.kind() == ErrorKind::AlreadyExists => {
                if keep(&target, octets, octets.len() as u64)? {
                    return Ok(());
                }
                create(&target, octets, 0o644)?;
            }
            Err(other) => return Err(other),
        }
        self.pending += octets.len();
        self.written.push((target, octets.to_vec()));
        if self.pending > GROUP { self.submit() } else { Ok(()) }
    }

    pub fn put_file(&mut self, path: &RelativePath, from: &File, size: u64) -> Result<(), Error> {
        self.sync()?;
        let target = self.place(path)?;
        if fs::symlink_metadata(&target).is_ok() && keep(&target, Spooled { from, at: 0 }, size)? {
            return Ok(());
        }
        let fault = |e: std::io::Error| Error::fault(target.display(), e);
        let mut sum = Checksum::default();
        let mut file = create_empty(&target, 0o644)?;
        let mut both = Both(&mut file, &mut sum);
        copy(&mut Spooled { from, at: 0 }.take(size), &mut both, &target)?;
        file.sync_all().map_err(fault)?;
        drop(file);
        sync_parent(&target)?;
        read_back_sum(&target, sum.finish())
    }

    /// Syncs all files and reads them back.
    pub fn sync(&mut self) -> Result<(), Error> {
        self.submit()?;
        self.checker.take().map_or(Ok(()), Checker::end)
    }

    fn submit(&mut self) -> Result<(), Error> {
        let group = std::mem::take(&mut self.written);
        self.pending = 0;
        let checker = match &mut self.checker {
            Some(checker) => checker,
            None => self.checker.insert(Checker::start(&self.root)?),
        };
        match checker.groups.send(group) {
            Ok(()) => Ok(()),
            // The checker has ended because an earlier group failed.
            Err(_) => self.checker.take().map_or(Ok(()), Checker::end),
        }
    }

    fn place(&mut self, path: &RelativePath) -> Result<PathBuf, Error> {
        let target = self.root.join(path.as_str());
        let folder = target.parent().unwrap_or(&self.root).to_owned();
        if folder != self.last {
            let mut made = self.root.clone();
            let parts: Vec<&str> = path.as_str().split('/').collect();
            for part in parts.iter().take(parts.len().saturating_sub(1)) {
                made.push(part);
                make_dir(&made)?;
            }
            self.last = folder;
        }
        Ok(target)
    }
}

fn sync_and_read_back(root: &Path, group: &Group) -> Result<(), Error> {
    let folder = File::open(root).map_err(|e| Error::fault(root.display(), e))?;
    // One call for the group: a call for each file would cost more than everything before it.
    rustix::fs::syncfs(&folder).map_err(|e| Error::fault(root.display(), e))?;
    // Files are read from the device in parallel, because a device serves many requests at once.
    std::thread::scope(|scope| {
        let readers: Vec<_> = group
            .chunks(group.len().div_ceil(READERS).max(1))
            .map(|files| (files, Builder::new().spawn_scoped(scope, move || compare(files))))
            .collect();
        let read = readers.into_iter().map(|(files, reader)| match reader {
            Ok(reader) => reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            // Slower without a thread, but correct.
            Err(_) => compare(files),
        });
        // Waits for all readers, then reports the first failure in the order of the files.
        read.collect::<Vec<_>>().into_iter().collect()
    })
}

fn compare(files: &[(PathBuf, Vec<u8>)]) -> Result<(), Error> {
    let mut back = ReadBack::default();
    files.iter().try_for_each(|(path, octets)| back.compare(path, octets))
}

struct Both<'a>(&'a mut File, &'a mut Checksum);

impl std::io::Write for Both<'_> {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        let written = self.0.write(octets)?;
        self.1.update(octets.split_at(written).0);
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

/// Returns whether the existing file is identical to the new one; removes it if it is only the beginning.
fn keep(target: &Path, mut wanted: impl Read, size: u64) -> Result<bool, Error> {
    let fault = |e: std::io::Error| Error::fault(target.display(), e);
    let taken = || {
        Error::Refused(format!(
            "{}: exists with different contents; name an empty output folder",
            target.display()
        ))
    };
    // Links are not followed: no run of keyrite creates them.
    if !fs::symlink_metadata(target).map_err(fault)?.is_file() {
        return Err(taken());
    }
    let (mut there, length) = open_file(target)?;
    let mut buffer = vec![0; 1 << 16];
    let (mut compared, mut differs) = (0, length > size);
    while !differs {
        let read = there.read(&mut buffer).map_err(fault)?;
        let (found, _) = buffer.split_at(read);
        if found.is_empty() {
            break;
        }
        let mut same = vec![0; read];
        differs = wanted.read_exact(&mut same).is_err() || same != found;
        compared += read as u64;
    }
    if differs {
        return Err(taken());
    }
    if compared == size {
        return Ok(true);
    }
    fs::remove_file(target).map_err(fault)?;
    Ok(false)
}
