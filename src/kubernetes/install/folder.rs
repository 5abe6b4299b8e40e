//! A target folder and its files. Symbolic links are not followed, nor other file systems entered.

mod link;

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, FlockOperation, Mode, OFlags, ResolveFlags, Stat, flock, fstat, fsync,
    linkat, mkdirat, openat, openat2, renameat, unlinkat,
};
use rustix::io::Errno;
use zeroize::Zeroizing;

use crate::digest::Digest;
use crate::failure::{Failure, Kind};
use crate::media::shown;
pub use link::link_digest;

/// Maximum file size in octets.
const FILE_LIMIT: u64 = 1 << 20;
/// Maximum number of files in a folder, and maximum depth.
const ENTRIES: usize = 10_000;
const DEPTH: usize = 6;

/// A file that was read.
#[derive(Debug)]
pub struct Found {
    pub octets: Zeroizing<Vec<u8>>,
    pub owner: Owner,
}

impl Found {
    pub fn digest(&self) -> Digest {
        Digest::of(&self.octets)
    }
}

/// Mode and owner of a file; without IDs a new file belongs to the current user.
#[derive(Clone, Copy, Debug)]
pub struct Owner {
    pub mode: u32,
    pub ids: Option<(u32, u32)>,
}

/// An open folder.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    fd: OwnedFd,
}

impl Folder {
    /// Opens a folder named by the operator; symbolic links in its own path are followed.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let fault = |e: std::io::Error| Failure::fault(format!("{}: {e}", named(path)));
        let path = std::fs::canonicalize(path).map_err(fault)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = openat(CWD, &path, flags, Mode::empty()).map_err(|e| fault(e.into()))?;
        Ok(Self { path, fd })
    }

    /// Returns the absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether both are the same folder.
    pub fn is(&self, other: &Self) -> bool {
        let identity = |folder: &Self| fstat(&folder.fd).map(|status| (status.st_dev, status.st_ino));
        matches!((identity(self), identity(other)), (Ok(one), Ok(two)) if one == two)
    }

    /// Returns the full path of a file below, for display.
    pub fn name(&self, path: &str) -> String {
        named(&self.path.join(path))
    }

    /// Locks the folder for this process.
    pub fn lock(&self) -> Result<(), Failure> {
        match flock(&self.fd, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(()),
            Err(Errno::WOULDBLOCK) => Err(Failure::fault(format!(
                "{}: another installation is in progress here; wait until it ends",
                named(&self.path)
            ))),
            Err(e) => Err(self.fault("", e)),
        }
    }

    /// Returns a failure that names the file.
    pub fn fault(&self, path: &str, error: impl Into<std::io::Error>) -> Failure {
        let error: std::io::Error = error.into();
        Failure::fault(format!("{}: {error}", self.name(path)))
    }

    fn find(&self, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
        let path = if path.is_empty() { "." } else { path };
        openat2(&self.fd, path, flags | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty(), resolve)
    }

    /// Opens the parent folder of a path, and returns it with the last path component.
    fn parent<'a>(&self, path: &'a str) -> Result<(OwnedFd, &'a str), Failure> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let fd =
            self.find(folder, OFlags::RDONLY | OFlags::DIRECTORY).map_err(|e| self.explained(folder, e))?;
        Ok((fd, name))
    }

    fn explained(&self, path: &str, error: Errno) -> Failure {
        match error {
            Errno::LOOP => Failure::refused(format!(
                "{}: is a symbolic link, which is not followed; replace it with a file or folder",
                self.name(path)
            )),
            Errno::XDEV => Failure::refused(format!(
                "{}: is on a different file system than {}; name its folder with --pki",
                self.name(path),
                named(&self.path)
            )),
            other => self.fault(path, other),
        }
    }

    /// Reads a file, or returns `None` if it does not exist.
    pub fn read(&self, path: &str) -> Result<Option<Found>, Failure> {
        let opened = match self.find(path, OFlags::RDONLY | OFlags::NONBLOCK) {
            Ok(opened) => opened,
            Err(Errno::NOENT) => return Ok(None),
            Err(e) => return Err(self.explained(path, e)),
        };
        let status = fstat(opened.as_fd()).map_err(|e| self.fault(path, e))?;
        if FileType::from_raw_mode(status.st_mode) != FileType::RegularFile {
            return Err(Failure::refused(format!("{}: not a regular file", self.name(path))));
        }
        let room = usize::try_from(status.st_size.unsigned_abs().min(FILE_LIMIT)).unwrap_or_default();
        let mut octets = Zeroizing::new(Vec::with_capacity(room + 1));
        let file = File::from(opened);
        file.take(FILE_LIMIT + 1).read_to_end(&mut octets).map_err(|e| self.fault(path, e))?;
        if octets.len() as u64 > FILE_LIMIT {
            return Err(Failure::refused(format!("{}: larger than {FILE_LIMIT} octets", self.name(path))));
        }
        Ok(Some(Found { octets, owner: owner(&status) }))
    }

    /// Returns the regular files below, sorted, without links and names that start with a dot.
    pub fn files(&self) -> Result<Vec<String>, Failure> {
        let mut found = Vec::new();
        self.walk("", DEPTH, &mut found)?;
        found.sort_unstable();
        Ok(found)
    }

    fn walk(&self, folder: &str, depth: usize, found: &mut Vec<String>) -> Result<(), Failure> {
        for (name, kind) in self.entries(folder)? {
            let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            match kind {
                FileType::Directory if depth > 0 => match self.walk(&path, depth - 1, found) {
                    // A mount point does not belong to this target.
                    Err(Failure { kind: Kind::Refused, .. }) => {}
                    other => other?,
                },
                FileType::RegularFile => found.push(path),
                _ => {}
            }
            if found.len() > ENTRIES {
                return Err(Failure::refused(format!(
                    "{}: contains more than {ENTRIES} files",
                    named(&self.path)
                )));
            }
        }
        Ok(())
    }

    fn entries(&self, folder: &str) -> Result<Vec<(String, FileType)>, Failure> {
        let fault = |e: Errno| self.fault(folder, e);
        let opened =
            self.find(folder, OFlags::RDONLY | OFlags::DIRECTORY).map_err(|e| self.explained(folder, e))?;
        let mut entries = Vec::new();
        for entry in Dir::read_from(&opened).map_err(fault)? {
            let entry = entry.map_err(fault)?;
            let Ok(name) = entry.file_name().to_str() else { continue };
            if name.starts_with('.') {
                continue;
            }
            let status = rustix::fs::statat(&opened, name, AtFlags::SYMLINK_NOFOLLOW).map_err(fault)?;
            entries.push((name.to_owned(), FileType::from_raw_mode(status.st_mode)));
        }
        Ok(entries)
    }

    /// Returns the names in a subfolder, or none if it does not exist.
    pub fn names(&self, folder: &str) -> Result<Vec<String>, Failure> {
        match self.find(folder, OFlags::RDONLY | OFlags::DIRECTORY) {
            Ok(_) => Ok(self.entries(folder)?.into_iter().map(|(name, _)| name).collect()),
            Err(Errno::NOENT) => Ok(Vec::new()),
            Err(e) => Err(self.explained(folder, e)),
        }
    }

    /// Whether a subfolder exists.
    pub fn has_folder(&self, path: &str) -> bool {
        self.find(path, OFlags::RDONLY | OFlags::DIRECTORY).is_ok()
    }

    /// Whether a subfolder exists; if so, only the current user may have write access.
    pub fn has_own_folder(&self, path: &str) -> Result<bool, Failure> {
        let opened = match self.find(path, OFlags::RDONLY | OFlags::DIRECTORY) {
            Ok(opened) => opened,
            Err(Errno::NOENT) => return Ok(false),
            Err(e) => return Err(self.explained(path, e)),
        };
        let status = fstat(&opened).map_err(|e| self.fault(path, e))?;
        let user = rustix::process::geteuid().as_raw();
        if status.st_uid == user && status.st_mode & 0o022 == 0 {
            return Ok(true);
        }
        Err(Failure::refused(format!(
            "{}: is owned by user {} with mode {:o}, must be owned by user {user} and not writable by others; its contents are not trusted, so remove it",
            self.name(path),
            status.st_uid,
            status.st_mode & 0o7777
        )))
    }

    /// Creates a subfolder if it does not exist, and returns whether it did.
    pub fn make_folder(&self, path: &str, mode: u32) -> Result<bool, Failure> {
        let (parent, name) = self.parent(path)?;
        match mkdirat(&parent, name, Mode::from_raw_mode(mode)) {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) if self.has_folder(path) => Ok(false),
            Err(e) => Err(self.explained(path, e)),
        }
    }

    /// Removes a subfolder if it is empty.
    pub fn remove_folder(&self, path: &str) {
        if let Ok((parent, name)) = self.parent(path) {
            // Fails if the folder is not empty, which is intended.
            let _ = unlinkat(&parent, name, AtFlags::REMOVEDIR);
        }
    }

    /// Writes a new file and syncs it.
    pub fn write(&self, path: &str, octets: &[u8], owner: Owner) -> Result<(), Failure> {
        let (parent, name) = self.parent(path)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = openat(&parent, name, flags, Mode::RUSR | Mode::WUSR).map_err(|e| self.fault(path, e))?;
        if let Some((user, group)) = owner.ids {
            let (user, group) = (rustix::fs::Uid::from_raw(user), rustix::fs::Gid::from_raw(group));
            rustix::fs::fchown(&fd, Some(user), Some(group)).map_err(|e| self.fault(path, e))?;
        }
        let mut file = File::from(fd);
        file.write_all(octets).map_err(|e| self.fault(path, e))?;
        rustix::fs::fchmod(&file, Mode::from_raw_mode(owner.mode)).map_err(|e| self.fault(path, e))?;
        file.sync_all().map_err(|e| self.fault(path, e))
    }

    /// Creates a hard link.
    pub fn link(&self, from: &str, to: &str) -> Result<(), Failure> {
        let (old, old_name) = self.parent(from)?;
        let (new, new_name) = self.parent(to)?;
        linkat(&old, old_name, &new, new_name, AtFlags::empty()).map_err(|e| self.fault(to, e))
    }

    /// Renames a file, replacing any existing one.
    pub fn rename(&self, from: &str, to: &str) -> Result<(), Failure> {
        let (old, old_name) = self.parent(from)?;
        let (new, new_name) = self.parent(to)?;
        renameat(&old, old_name, &new, new_name).map_err(|e| self.fault(to, e))
    }

    /// Removes a file if it exists.
    pub fn remove(&self, path: &str) -> Result<(), Failure> {
        let (parent, name) = self.parent(path)?;
        match unlinkat(&parent, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(e) => Err(self.fault(path, e)),
        }
    }

    /// Syncs the parent folder of a path.
    pub fn sync_parent(&self, path: &str) -> Result<(), Failure> {
        let (parent, _) = self.parent(path)?;
        fsync(&parent).map_err(|e| self.fault(path, e))
    }
}

fn owner(status: &Stat) -> Owner {
    Owner { mode: status.st_mode & 0o7777, ids: Some((status.st_uid, status.st_gid)) }
}

fn named(path: &Path) -> String {
    shown(&path.to_string_lossy())
}
