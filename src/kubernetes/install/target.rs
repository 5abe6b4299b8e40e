//! A node as it is: its private keys, its kubeconfigs, its kubelet's certificates, and what was installed before.

use crate::failure::Failure;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::folder::{Folder, Owner};
use super::kubeconfig::{self, Kubeconfig};
use super::kubelet::{self, Kubelet};
use super::private_key::public_key;
use super::record::Record;
use super::recover;
use super::renewal::Renewal;
use crate::digest::Digest;

/// Names under which kubeadm and others keep kubeconfigs, without their ending.
const STEMS: [&str; 8] = [
    "admin",
    "super-admin",
    "controller-manager",
    "kube-controller-manager",
    "scheduler",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
];

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

/// A private key, and where its certificate belongs.
#[derive(Debug)]
pub struct KeyFile {
    pub path: String,
    pub certificate: String,
    pub public: Digest,
    /// The key itself, when it is not here yet.
    pub new: Option<Zeroizing<Vec<u8>>>,
}

/// A kubeconfig.
#[derive(Debug)]
pub struct KubeconfigFile {
    pub folder: usize,
    pub path: String,
    /// What it says, here or in a renewal.
    pub octets: Zeroizing<Vec<u8>>,
    pub config: Kubeconfig,
    /// What stands in its place; none when nothing does.
    pub before: Option<(Digest, Owner)>,
    /// Whether it comes from a renewal.
    pub renewed: bool,
    /// The kubelet's link, when it has its client certificate and key from there.
    pub pem: Option<String>,
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
        if let Some(path) = kubelet::folder(folders.pki(), places.kubelet_dir.as_deref())? {
            folders.add(&path)?;
        }
        Ok(folders)
    }

    fn kubeconfig_dir(&self, places: &Where) -> PathBuf {
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

/// A node as it is, taken for this process alone.
#[derive(Debug)]
pub struct Target {
    pub(super) folders: Folders,
    pub(super) keys: Vec<KeyFile>,
    pub(super) kubeconfigs: Vec<KubeconfigFile>,
    pub(super) kubelet: Kubelet,
    pub(super) record: Option<Record>,
    restored: bool,
}

impl Target {
    /// Reads a node's folders. What an interrupted installation left is put back as it was before,
    /// unless they are only looked at.
    ///
    /// # Errors
    /// [`Failure::refused`] for a key or a kubeconfig that cannot be used, and for an interrupted
    /// installation when only looking; [`Failure::fault`] when something cannot be read.
    pub fn open(places: &Where, look_only: bool) -> Result<Self, Failure> {
        let mut folders = Folders::open(places)?;
        let restored = match look_only {
            true => recover::require_whole(folders.pki()).map(|()| false)?,
            false => recover::recover(&folders)?,
        };
        let record = Record::read(folders.pki())?;
        let mut keys = keys(folders.pki())?;
        let at = folders.add(&folders.kubeconfig_dir(places))?;
        let mut kubeconfigs = kubeconfigs(&mut folders, at, places)?;
        check_level(folders.pki(), &keys, &kubeconfigs)?;
        let kubelet = Kubelet::read(&mut folders, places, &mut kubeconfigs)?;
        if let Some(path) = &places.renewal {
            let renewal = Renewal::open(path)?;
            renewal.keys(&mut keys)?;
            renewal.kubeconfigs(at, &mut kubeconfigs)?;
        }
        Ok(Self { folders, keys, kubeconfigs, kubelet, record, restored })
    }

    /// Whether an interrupted installation was put back.
    pub fn restored(&self) -> bool {
        self.restored
    }

    /// SHA-256 over each public key whose private key is here.
    pub fn public_keys(&self) -> HashSet<Digest> {
        let embedded = self.kubeconfigs.iter().filter_map(|file| file.config.key);
        let kubelet = self.kubelet.client.iter().map(|pair| pair.public);
        self.keys.iter().map(|key| key.public).chain(embedded).chain(kubelet).collect()
    }

    /// The certificates that the kubelet keeps itself, in words.
    pub fn kubelet(&self) -> &[String] {
        &self.kubelet.seen
    }
}

/// Refuses a folder that lies above the one that is meant, as `/etc/kubernetes`: CA files would go
/// to the wrong place, and kubeconfigs would be passed over.
fn check_level(pki: &Folder, keys: &[KeyFile], known: &[KubeconfigFile]) -> Result<(), Failure> {
    let below = keys.iter().find_map(|key| {
        let end = format!("/{}", key.path).find("/pki/")? + "pki".len();
        Some((key, key.path.get(..end)?))
    });
    if let Some((key, folder)) = below {
        return Err(Failure::refused(format!(
            "{}: a private key in a folder pki below --pki; name that folder: --pki {}",
            pki.name(&key.path),
            pki.name(folder)
        )));
    }
    for name in known_names() {
        let taken = known.iter().any(|file| file.folder == 0 && file.path == name);
        if taken || pki.digest(&name)?.is_none() {
            continue;
        }
        let meant = match pki.has_folder("pki") {
            true => format!("--pki {}", pki.name("pki")),
            false => format!("keys' own folder by --pki, or say --kubeconfig-dir {} as well", pki.name("")),
        };
        return Err(Failure::refused(format!(
            "{}: a kubeconfig in the folder of keys; name {meant}",
            pki.name(&name)
        )));
    }
    Ok(())
}

/// The names under which kubeconfigs are looked for.
pub fn known_names() -> impl Iterator<Item = String> {
    STEMS.iter().flat_map(|stem| ["conf", "kubeconfig"].map(|end| format!("{stem}.{end}")))
}

impl KubeconfigFile {
    /// Reads a kubeconfig, or finds none.
    pub fn read(folder: &Folder, number: usize, path: &str) -> Result<Option<Self>, Failure> {
        let Some(found) = folder.read(path)? else { return Ok(None) };
        let config = kubeconfig::read(&found.octets)
            .map_err(|why| Failure::refused(format!("{}: {why}", folder.name(path))))?;
        let before = Some((found.digest(), found.owner));
        let path = path.to_owned();
        Ok(Some(Self {
            folder: number,
            path,
            octets: found.octets,
            config,
            before,
            renewed: false,
            pem: None,
        }))
    }
}

/// The kubeconfigs that are there; one that was named must be.
fn kubeconfigs(folders: &mut Folders, at: usize, places: &Where) -> Result<Vec<KubeconfigFile>, Failure> {
    let mut wanted: Vec<(usize, String, bool)> = known_names().map(|name| (at, name, false)).collect();
    for file in &places.kubeconfigs {
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        let place = (folders.add(parent(file))?, name);
        wanted.retain(|(folder, name, _)| (*folder, name) != (place.0, &place.1));
        wanted.push((place.0, place.1, true));
    }
    let mut files = Vec::new();
    for (number, path, required) in wanted {
        let folder = folders.at(number);
        match KubeconfigFile::read(folder, number, &path)? {
            Some(file) => files.push(file),
            None if required => return Err(Failure::fault(format!("{}: no such file", folder.name(&path)))),
            None => {}
        }
    }
    Ok(files)
}

fn parent(file: &Path) -> &Path {
    file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Every private key of the folder: `NAME.key`, or `NAME-key.pem` as cfssl names it.
pub fn keys(folder: &Folder) -> Result<Vec<KeyFile>, Failure> {
    let mut keys = Vec::new();
    for path in folder.files()? {
        let kubeadm = path.strip_suffix(".key").map(|stem| format!("{stem}.crt"));
        let cfssl = || path.strip_suffix("-key.pem").map(|stem| format!("{stem}.pem"));
        let Some(certificate) = kubeadm.or_else(cfssl) else { continue };
        let Some(found) = folder.read(&path)? else { continue };
        let public = public_key(&found.octets).map_err(|why| {
            Failure::refused(format!(
                "{}: {why}; mend it, or move it away if no certificate belongs to it",
                folder.name(&path)
            ))
        })?;
        keys.push(KeyFile { path, certificate, public, new: None });
    }
    Ok(keys)
}
