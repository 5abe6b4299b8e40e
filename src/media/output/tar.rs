//! A release as a tar, written under a temporary name and renamed at the end. It is written in pieces: each is
//! synced while the next is filled, and read back while the next is synced.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, Sender, bounded};
use tar::{Builder, EntryType, Header};

use crate::media::write::{ReadBack, check_parent, create_empty, sum_of, sync_parent};
use crate::media::{Error, RelativePath};

pub struct Tar {
    builder: Builder<Pieces>,
    target: PathBuf,
    partial: PathBuf,
    time: u64,
}

impl std::fmt::Debug for Tar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Tar").field(&self.target).finish()
    }
}

/// Size of a piece, in octets: a multiple of the direct-read alignment. At most seven are in memory: one being
/// filled, the next one's buffer, one queued, one being synced, one queued again, two being compared.
const PIECE: usize = 2 << 20;

/// The growing tar: each piece is written and synced.
struct Growing {
    file: File,
    path: PathBuf,
    at: u64,
}

impl Growing {
    /// Writes and syncs a piece; returns its offset.
    fn append(&mut self, piece: &[u8], is_last: bool) -> Result<u64, Error> {
        let written = self
            .file
            .write_all(piece)
            .and_then(|()| if is_last { self.file.sync_all() } else { self.file.sync_data() });
        written.map_err(|e| Error::fault(self.path.display(), e))?;
        let at = self.at;
        self.at += piece.len() as u64;
        Ok(at)
    }

    /// Appends all pieces from the queue; each is read back from the device while the next is synced.
    fn append_all(mut self, pieces: &Receiver<Vec<u8>>) -> Result<Self, Error> {
        let (synced, queue) = bounded::<(u64, Vec<u8>)>(1);
        let path = self.path.clone();
        let reader = thread::Builder::new().spawn(move || {
            let mut back = ReadBack::default();
            queue.iter().try_for_each(|(at, piece)| back.compare_piece(&path, at, &piece, false))
        });
        let reader = reader.map_err(|e| Error::fault(self.path.display(), e))?;
        let appended = self.append_each(pieces, &synced);
        drop(synced);
        let read = reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        appended.and(read).map(|()| self)
    }

    fn append_each(
        &mut self,
        pieces: &Receiver<Vec<u8>>,
        synced: &Sender<(u64, Vec<u8>)>,
    ) -> Result<(), Error> {
        for piece in pieces {
            let at = self.append(&piece, false)?;
            if synced.send((at, piece)).is_err() {
                // The reader has ended with an error, which the caller gets by joining it.
                break;
            }
        }
        Ok(())
    }
}

/// Fills pieces. The first full piece starts a thread, which appends each while the next is filled.
struct Pieces {
    growing: Option<Growing>,
    thread: Option<Thread>,
    filled: Vec<u8>,
}

struct Thread {
    pieces: Sender<Vec<u8>>,
    outcome: JoinHandle<Result<Growing, Error>>,
}

impl Pieces {
    fn submit(&mut self) -> Result<(), Error> {
        let piece = std::mem::replace(&mut self.filled, Vec::with_capacity(PIECE));
        if let Some(growing) = self.growing.take() {
            let (pieces, queue) = bounded::<Vec<u8>>(1);
            let fault = {
                let path = growing.path.clone();
                move |e| Error::fault(path.display(), e)
            };
            let work = move || growing.append_all(&queue);
            self.thread =
                Some(Thread { pieces, outcome: thread::Builder::new().spawn(work).map_err(fault)? });
        }
        match &self.thread {
            Some(thread) if thread.pieces.send(piece).is_ok() => Ok(()),
            // The thread has ended because an earlier piece failed.
            _ => self.end().map(drop),
        }
    }

    /// Waits until all pieces have been appended.
    fn end(&mut self) -> Result<Growing, Error> {
        let growing = match self.thread.take() {
            None => self.growing.take(),
            Some(Thread { pieces, outcome }) => {
                drop(pieces);
                Some(outcome.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?)
            }
        };
        growing.ok_or_else(|| Error::fault("tar", std::io::Error::other("an earlier piece failed")))
    }

    fn finish(mut self) -> Result<(), Error> {
        let mut growing = self.end()?;
        let at = growing.append(&self.filled, true)?;
        ReadBack::default().compare_piece(&growing.path, at, &self.filled, true)
    }
}

impl Write for Pieces {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        let (taken, _) = octets.split_at(octets.len().min(PIECE - self.filled.len()));
        self.filled.extend_from_slice(taken);
        if self.filled.len() == PIECE {
            self.submit().map_err(|error| match error {
                Error::Fault { source, .. } => source,
                Error::Refused(message) => std::io::Error::other(message),
            })?;
        }
        Ok(taken.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
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
            return Err(Error::Refused(format!("{}: exists; name a new file", path.display())));
        }
    }
    check_parent(target)
}

impl Tar {
    pub fn open(target: &Path, time: u64) -> Result<Self, Error> {
        let partial = partial(target);
        // It did not exist when the ceremony began, so an interrupted run left it.
        if fs::symlink_metadata(&partial).is_ok_and(|status| status.is_file()) {
            fs::remove_file(&partial).map_err(|e| Error::fault(partial.display(), e))?;
        }
        let file = create_empty(&partial, 0o644)?;
        let growing = Growing { file, path: partial.clone(), at: 0 };
        let pieces = Pieces { growing: Some(growing), thread: None, filled: Vec::new() };
        Ok(Self { builder: Builder::new(pieces), target: target.to_owned(), partial, time })
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
        builder.into_inner().map_err(fault)?.finish()?;
        // Not every file system can rename without replacing, so existing files are compared first.
        match fs::symlink_metadata(&target) {
            // An interrupted run of the same release completed it: the identical file is kept.
            Ok(there) if there.is_file() && sum_of(&target)? == sum_of(&partial)? => {
                fs::remove_file(&partial).map_err(fault)?;
            }
            Ok(_) => {
                return Err(Error::Refused(format!(
                    "{}: exists with different contents; move it away",
                    target.display()
                )));
            }
            Err(_) => fs::rename(&partial, &target).map_err(fault)?,
        }
        sync_parent(&target)
    }
}
