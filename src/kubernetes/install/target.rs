//! The state of a node: private keys, kubeconfigs, kubelet certificates, installed releases.

use std::collections::HashSet;

use super::folder::Folder;
use super::folders::{Folders, Paths, parent};
use super::kubelet::Kubelet;
use super::node_files::{KeyFile, KubeconfigFile, keys, known_names};
use super::record::Record;
use super::recover;
use super::renewal::Renewal;
use crate::digest::Digest;
use crate::failure::Failure;

/// The state of a node, locked for this process.
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
    /// Reads the folders of a node; unless `look_only`, first rolls back an interrupted
    /// installation.
    ///
    /// # Errors
    /// [`Failure::refused`] for an unusable key or kubeconfig, and for an interrupted installation
    /// if `look_only`; [`Failure::fault`] when reading fails.
    pub fn open(places: &Paths, look_only: bool) -> Result<Self, Failure> {
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

    /// Whether an interrupted installation was rolled back.
    pub fn restored(&self) -> bool {
        self.restored
    }

    /// Returns the SHA-256 of each public key whose private key is on the node.
    pub fn public_keys(&self) -> HashSet<Digest> {
        let embedded = self.kubeconfigs.iter().filter_map(|file| file.config.key);
        let kubelet = self.kubelet.client.iter().map(|pair| pair.public);
        self.keys.iter().map(|key| key.public).chain(embedded).chain(kubelet).collect()
    }

    /// Describes the certificates that the kubelet manages itself, for display.
    pub fn kubelet(&self) -> &[String] {
        &self.kubelet.seen
    }
}

/// Refuses a parent of the intended folder, such as `/etc/kubernetes`: CA files would be written to
/// the wrong place, and kubeconfigs would be missed.
fn check_level(pki: &Folder, keys: &[KeyFile], known: &[KubeconfigFile]) -> Result<(), Failure> {
    let below = keys.iter().find_map(|key| {
        let end = format!("/{}", key.path).find("/pki/")? + "pki".len();
        Some((key, key.path.get(..end)?))
    });
    if let Some((key, folder)) = below {
        return Err(Failure::refused(format!(
            "{}: is a private key in a folder pki below --pki; name that folder: --pki {}",
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
            false => format!("the folder of keys alone with --pki, or add --kubeconfig-dir {}", pki.name("")),
        };
        return Err(Failure::refused(format!(
            "{}: is a kubeconfig in the folder of keys; name {meant}",
            pki.name(&name)
        )));
    }
    Ok(())
}

/// Returns the existing kubeconfigs; those named by the operator must exist.
fn kubeconfigs(folders: &mut Folders, at: usize, places: &Paths) -> Result<Vec<KubeconfigFile>, Failure> {
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
