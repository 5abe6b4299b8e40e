//! The folders of a node.

use std::path::{Path, PathBuf};

use super::folder::Folder;
use crate::failure::Failure;
use crate::media::shown;

/// Where a kubelet keeps its files unless it has another `--root-dir`.
pub const STANDARD: &str = "/var/lib/kubelet";
/// Folders of keys of a node whose kubelet is the standard one: kubeadm's, and a flat one.
pub const NODES: [&str; 2] = ["/etc/kubernetes/pki", "/etc/kubernetes"];
/// The link to the client certificate and its key.
pub const CLIENT: &str = "kubelet-client-current.pem";

/// Where a node keeps its files.
#[derive(Clone, Debug)]
pub struct Where {
    /// Keys and certificates, as kubeadm's `/etc/kubernetes/pki`.
    pub pki: PathBuf,
    /// Kubeconfigs; the folder above [`Where::pki`] when none is named.
    pub kubeconfig_dir: Option<PathBuf>,
    /// The kubelet's own folder; `/var/lib/kubelet` when none is named and [`Where::pki`] is a node's.
    pub kubelet_dir: Option<PathBuf>,
    /// Kubeconfigs of other names.
    pub kubeconfigs: Vec<PathBuf>,
    /// New keys and kubeconfigs, which take the places of those here.
    pub renewal: Option<PathBuf>,
}

/// The folders of a node: keys and certificates first, then those of kubeconfigs and of the kubelet.
#[derive(Debug)]
pub struct Folders {
    pki: Folder,
    others: Vec<Folder>,
}

impl Folders {
    /// Opens all folders, and locks the first for this process.
    pub fn open(places: &Where) -> Result<Self, Failure> {
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

    pub fn kubeconfig_dir(&self, places: &Where) -> PathBuf {
        let beside = || self.pki.path().parent().unwrap_or(Path::new("/")).to_owned();
        places.kubeconfig_dir.clone().unwrap_or_else(beside)
    }

    /// The folder of keys and certificates.
    pub fn pki(&self) -> &Folder {
        &self.pki
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Folder> {
        std::iter::once(&self.pki).chain(&self.others)
    }

    /// A folder by its number; 0 is that of keys and certificates.
    pub fn at(&self, number: usize) -> &Folder {
        number.checked_sub(1).and_then(|at| self.others.get(at)).unwrap_or(&self.pki)
    }

    /// The number of a folder that is one of them.
    pub fn number(&self, path: &Path) -> Option<usize> {
        let folder = Folder::open(path).ok()?;
        self.iter().position(|known| known.is(&folder))
    }

    /// The number of a folder, which joins them if it is new.
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

/// The folder of a kubelet's certificates: that of the folder which was named, or of the standard
/// one where `pki` is a node's. A folder of another place can be a copy, or of a rehearsal; the
/// kubelet of the machine has nothing to do with it.
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
            "{}: is in the folder that --kubelet-dir names, required is the folder above; say --kubelet-dir {}",
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
