//! Private keys and kubeconfigs of a node or a renewal.

use zeroize::Zeroizing;

use super::folder::{Folder, Owner};
use super::kubeconfig::{self, Kubeconfig};
use super::private_key::public_key;
use crate::digest::Digest;
use crate::failure::Failure;

/// Names of kubeconfigs of kubeadm and others, without extension.
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

/// A private key and the path of its certificate.
#[derive(Debug)]
pub struct KeyFile {
    pub path: String,
    pub certificate: String,
    pub public: Digest,
    /// The key itself, if it is not installed yet.
    pub new: Option<Zeroizing<Vec<u8>>>,
}

#[derive(Debug)]
pub struct KubeconfigFile {
    pub folder: usize,
    pub path: String,
    /// Contents, as installed or from a renewal.
    pub octets: Zeroizing<Vec<u8>>,
    pub config: Kubeconfig,
    /// Digest and owner of the installed file, if any.
    pub before: Option<(Digest, Owner)>,
    /// Whether it is from a renewal.
    pub renewed: bool,
    /// Path of the kubelet's link, if client certificate and key come from there.
    pub pem: Option<String>,
}

/// Returns the file names of known kubeconfigs.
pub fn known_names() -> impl Iterator<Item = String> {
    STEMS.iter().flat_map(|stem| ["conf", "kubeconfig"].map(|end| format!("{stem}.{end}")))
}

impl KubeconfigFile {
    /// Reads a kubeconfig, or returns `None` if it does not exist.
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

/// Returns all private keys of a folder: `NAME.key`, or `NAME-key.pem` as written by cfssl.
pub fn keys(folder: &Folder) -> Result<Vec<KeyFile>, Failure> {
    let mut keys = Vec::new();
    for path in folder.files()? {
        let kubeadm = path.strip_suffix(".key").map(|stem| format!("{stem}.crt"));
        let cfssl = || path.strip_suffix("-key.pem").map(|stem| format!("{stem}.pem"));
        let Some(certificate) = kubeadm.or_else(cfssl) else { continue };
        let Some(found) = folder.read(&path)? else { continue };
        let public = public_key(&found.octets).map_err(|why| {
            Failure::refused(format!(
                "{}: {why}; correct it, or move it away if it needs no certificate",
                folder.name(&path)
            ))
        })?;
        keys.push(KeyFile { path, certificate, public, new: None });
    }
    Ok(keys)
}
