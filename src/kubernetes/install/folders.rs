//! The folders of a node.

use std::path::{Path, PathBuf};

use super::folder::Folder;
use crate::failure::Failure;
use crate::media::shown;

/// Default `--root-dir` of a kubelet.
pub const STANDARD: &str = "/var/lib/kubelet";
/// Key folders of a node with a kubelet at the default path: kubeadm's and a flat one.
pub const NODES: [&str; 2] = ["/etc/kubernetes/pki", "/etc/kubernetes"];
/// Link to the kubelet's client certificate and key.
pub const CLIENT: &str = "kubelet-client-current.pem";

/// Paths of a node's folders.
#[derive(Clone, Debug)]
pub struct Paths {
    /// Folder of keys and certificates, such as kubeadm's `/etc/kubernetes/pki`.
    pub pki: PathBuf,
    /// Folder of kubeconfigs; by default the parent of [`Paths::pki`].
    pub kubeconfig_dir: Option<PathBuf>,
    /// The kubelet's folder; by default `/var/lib/kubelet` if [`Paths::pki`] is a node's.
    pub kubelet_dir: Option<PathBuf>,
    /// Kubeconfigs with other names.
    pub kubeconfigs: Vec<PathBuf>,
    /// Folder of new keys and kubeconfigs, which replace the installed ones.
    pub renewal: Option<PathBuf>,
}

/// The open folders of a node: first keys and certificates, then kubeconfigs and kubelet.
#[derive(Debug)]
pub struct Folders {
    pki: Folder,
    others: Vec<Folder>,
}

impl Folders {
    /// Opens all folders and locks the first one for this process.
    pub fn open(places: &Paths) -> Result<Self, Failure> {
        let pki = Folder::open(&places.pki)?;
        pki.lock()?;
        let mut folders = Self { pki, others: Vec::new() };
        folders.add(&folders.kubeconfig_dir(places))?;
        for file in &places.kubeconfigs {
            folders.add(parent(file))?;
        }
        if let Some(path) = kubelet_folder(folders.pki(), places.kubelet_dir.as_deref())? {
            folders.add(&path)?;
        }
        Ok(folders)
    }

    pub fn kubeconfig_dir(&self, places: &Paths) -> PathBuf {
        let beside = || self.pki.path().parent().unwrap_or(Path::new("/")).to_owned();
        places.kubeconfig_dir.clone().unwrap_or_else(beside)
    }

    /// Returns the folder of keys and certificates.
    pub fn pki(&self) -> &Folder {
        &self.pki
    }

    pub fn iter(&self) -> impl Iterator<Item = &Folder> {
        std::iter::once(&self.pki).chain(&self.others)
    }

    /// Returns a folder by number; 0 is that of keys and certificates.
    pub fn at(&self, number: usize) -> &Folder {
        number.checked_sub(1).and_then(|at| self.others.get(at)).unwrap_or(&self.pki)
    }

    /// Returns the number of a folder, if it is among them.
    pub fn number(&self, path: &Path) -> Option<usize> {
        let folder = Folder::open(path).ok()?;
        self.iter().position(|known| known.is(&folder))
    }

    /// Returns the number of a folder, after adding it if necessary.
    pub fn add(&mut self, path: &Path) -> Result<usize, Failure> {
        let folder = Folder::open(path)?;
        let known = self.iter().position(|known| known.is(&folder));
        Ok(known.unwrap_or_else(|| {
            self.others.push(folder);
            self.others.len()
        }))
    }
}

pub fn parent(file: &Path) -> &Path {
    file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Returns the folder of a kubelet's certificates: below the named folder, or below the default one
/// if `pki` is a node's. Any other `pki` may be a copy or a rehearsal, without relation to that
/// kubelet.
pub fn kubelet_folder(pki: &Folder, named: Option<&Path>) -> Result<Option<PathBuf>, Failure> {
    let of_node = || NODES.iter().any(|node| Folder::open(Path::new(node)).is_ok_and(|node| node.is(pki)));
    let dir = match named {
        Some(dir) => dir,
        None if of_node() && exists(Path::new(STANDARD))? => Path::new(STANDARD),
        None => return Ok(None),
    };
    let dir = Folder::open(dir)?;
    if exists(&dir.path().join("pki"))? {
        return Ok(Some(dir.path().join("pki")));
    }
    if exists(&dir.path().join(CLIENT))? {
        return Err(Failure::refused(format!(
            "{}: is in the folder that --kubelet-dir names, which must be the parent folder; use --kubelet-dir {}",
            dir.name(CLIENT),
            shown(&dir.path().parent().unwrap_or(Path::new("/")).to_string_lossy())
        )));
    }
    Ok(None)
}

fn exists(path: &Path) -> Result<bool, Failure> {
    match std::fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(Failure::fault(format!("{}: {e}", shown(&path.to_string_lossy())))),
    }
}
