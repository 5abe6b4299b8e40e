//! Symbolic links that a program such as the kubelet maintains: read and written, never followed.

use rustix::fs::{AtFlags, FileType, Gid, OFlags, Uid, chownat, fstat, readlinkat, symlinkat};
use rustix::io::Errno;

use super::{Folder, Owner, owner};
use crate::digest::Digest;
use crate::failure::Failure;
use crate::media::shown;

impl Folder {
    /// Returns target and owner of a symbolic link, or `None` if the path is not a link.
    pub fn link_text(&self, path: &str) -> Result<Option<(String, Owner)>, Failure> {
        let opened = match self.find(path, OFlags::PATH) {
            Ok(opened) => opened,
            Err(Errno::NOENT) => return Ok(None),
            Err(e) => return Err(self.explained(path, e)),
        };
        let status = fstat(&opened).map_err(|e| self.fault(path, e))?;
        if FileType::from_raw_mode(status.st_mode) != FileType::Symlink {
            return Ok(None);
        }
        let text = readlinkat(&opened, "", Vec::new()).map_err(|e| self.fault(path, e))?;
        let text = text.into_string().map_err(|_| {
            Failure::refused(format!(
                "{}: links to a path that is not valid UTF-8; remove the link",
                self.name(path)
            ))
        })?;
        Ok(Some((text, owner(&status))))
    }

    /// Returns the digest of a file or link, or `None` if it does not exist. See [`link_digest`].
    pub fn digest(&self, path: &str) -> Result<Option<Digest>, Failure> {
        match self.link_text(path)? {
            Some((text, _)) => Ok(Some(link_digest(&text))),
            None => Ok(self.read(path)?.map(|found| found.digest())),
        }
    }

    /// Creates a symbolic link.
    pub fn symlink(&self, text: &str, path: &str, owner: Owner) -> Result<(), Failure> {
        let (parent, name) = self.parent(path)?;
        symlinkat(text, &parent, name).map_err(|e| self.fault(path, e))?;
        let Some((user, group)) = owner.ids else { return Ok(()) };
        let (user, group) = (Uid::from_raw(user), Gid::from_raw(group));
        chownat(&parent, name, Some(user), Some(group), AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|e| self.fault(path, e))
    }

    /// Checks that a link at `path`, once moved to `place`, points to an existing file here.
    pub fn check_link(&self, path: &str, place: &str) -> Result<(), Failure> {
        let Some((text, _)) = self.link_text(path)? else { return Ok(()) };
        let name = text.rsplit('/').next().unwrap_or_default();
        match self.read(name)? {
            Some(_) => Ok(()),
            None => Err(Failure::refused(format!(
                "{}: linked to {}, which no longer exists; restore that file",
                self.name(place),
                shown(&text)
            ))),
        }
    }
}

/// Digest of a link with this target, distinct from the digest of any file.
pub fn link_digest(text: &str) -> Digest {
    Digest::of(format!("symbolic link\0{text}").as_bytes())
}
