//! A renewal: new keys and kubeconfigs of a node, in the folder where `request cluster` or kubeadm
//! made them. They take the places of the old ones together with their certificates.

use crate::failure::Failure;
use std::path::Path;

use super::folder::Folder;
use super::node_files::{KeyFile, KubeconfigFile, keys, known_names};

/// The folder of a renewal: kubeconfigs in it, keys in its `pki`, or all in one.
#[derive(Debug)]
pub struct Renewal {
    pki: Folder,
    top: Folder,
}

impl Renewal {
    /// Opens a renewal.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let top = Folder::open(path)?;
        let pki = if top.has_folder("pki") { path.join("pki") } else { path.to_owned() };
        Ok(Self { pki: Folder::open(&pki)?, top })
    }

    /// Puts the new keys in the places of the old ones. The key of service accounts is none of them:
    /// it has no certificate, and is the same on every control-plane node.
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

    /// Puts the new kubeconfigs in the places of the old ones.
    pub fn kubeconfigs(&self, folder: usize, known: &mut Vec<KubeconfigFile>) -> Result<(), Failure> {
        for name in known_names() {
            let Some(mut file) = KubeconfigFile::read(&self.top, folder, &name)? else { continue };
            (file.renewed, file.before) = (true, None);
            if let Some(at) = known.iter().position(|old| old.folder == folder && old.path == name) {
                // What is there now decides whether it is newer, and which CA it trusts.
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
