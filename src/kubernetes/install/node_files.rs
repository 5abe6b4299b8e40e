//! Private keys and kubeconfigs, as a node or a renewal has them.

use zeroize::Zeroizing;

use super::folder::{Folder, Owner};
use super::kubeconfig::{self, Kubeconfig};
use super::private_key::public_key;
use crate::digest::Digest;
use crate::failure::Failure;

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
