//! A renewal: new keys and kubeconfigs of a node, in a folder written by `request cluster` or
//! kubeadm. They replace the old ones together with their certificates.

use std::path::Path;

use super::folder::Folder;
use super::node_files::{KeyFile, KubeconfigFile, keys, known_names};
use crate::failure::Failure;

/// Folder of a renewal: kubeconfigs in it and keys in its `pki`, or everything in one folder.
#[derive(Debug)]
pub struct Renewal {
    pki: Folder,
    top: Folder,
}

impl Renewal {
    /// Opens a renewal folder.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let top = Folder::open(path)?;
        let pki = if top.has_folder("pki") { path.join("pki") } else { path.to_owned() };
        Ok(Self { pki: Folder::open(&pki)?, top })
    }

    /// Replaces old keys with the new ones. The service account key is skipped: it has no
    /// certificate and is the same on all control-plane nodes.
    pub fn keys(&self, known: &mut Vec<KeyFile>) -> Result<(), Failure> {
        for mut key in keys(&self.pki)? {
            if key.path.ends_with("sa.key") || known.iter().any(|old| old.public == key.public) {
                continue;
            }
            key.new = self.pki.read(&key.path)?.map(|found| found.octets);
            known.retain(|old| old.path != key.path);
            known.push(key);
        }
        Ok(())
    }

    /// Replaces old kubeconfigs with the new ones.
    pub fn kubeconfigs(&self, folder: usize, known: &mut Vec<KubeconfigFile>) -> Result<(), Failure> {
        for name in known_names() {
            let Some(mut file) = KubeconfigFile::read(&self.top, folder, &name)? else { continue };
            (file.renewed, file.before) = (true, None);
            if let Some(at) = known.iter().position(|old| old.folder == folder && old.path == name) {
                // The installed kubeconfig decides which certificate is newer, and which CA is
                // trusted.
                let old = known.remove(at);
                file.before = old.before;
                file.pem = old.pem;
                file.config.client = old.config.client;
                file.config.files = old.config.files;
                file.config.authorities = old.config.authorities;
            }
            known.push(file);
        }
        Ok(())
    }
}
