//! Assigns certificates of a release to the private keys of a node, by public key.

use der::{DateTime, Encode};
use zeroize::Zeroizing;

use crate::digest::Digest;
use crate::failure::Failure;
use crate::issuance::Certificate;
use crate::keys::{PublicKey, verify};
use crate::kubernetes::install::ca_file::CaFile;
use crate::kubernetes::install::kubeconfig;
use crate::kubernetes::install::kubelet::Pair;
use crate::kubernetes::install::node_files::{KeyFile, KubeconfigFile};
use crate::kubernetes::install::pem::{self, Present};
use crate::kubernetes::install::target::Target;
use crate::kubernetes::install::trust::Trust;
use crate::release::{CertificateEntry, Report};

/// Location of the key for a kubelet's new certificate.
#[derive(Clone, Copy)]
pub enum KeyIn<'a> {
    /// In the kubelet's current file.
    File(&'a Pair),
    /// In a kubeconfig.
    Kubeconfig(&'a KubeconfigFile),
}

impl KeyIn<'_> {
    /// Returns the key in PEM.
    pub fn text(self) -> Result<Zeroizing<String>, String> {
        let text = |octets: &[u8]| pem::private_key(octets).map(|key| Zeroizing::new(key.text.to_owned()));
        match self {
            Self::File(pair) => text(&pair.found.octets),
            Self::Kubeconfig(file) => match kubeconfig::key(&file.octets)? {
                Some(octets) => text(&octets),
                None => Err("has no client-key-data".to_owned()),
            },
        }
    }

    pub fn public(self) -> Option<Digest> {
        match self {
            Self::File(pair) => Some(pair.public),
            Self::Kubeconfig(file) => file.config.key,
        }
    }
}

/// A certificate and its one destination: with a key file, a kubeconfig, or the kubelet's key.
pub struct Leaf<'a> {
    pub entry: &'a CertificateEntry,
    pub certificate: &'a Certificate,
    pub key: Option<&'a KeyFile>,
    pub kubeconfig: Option<usize>,
    /// Key of a kubelet whose client certificate this one succeeds.
    pub kubelet: Option<KeyIn<'a>>,
}

impl<'a> Leaf<'a> {
    /// Creates a certificate without a destination.
    pub fn new(entry: &'a CertificateEntry, certificate: &'a Certificate) -> Self {
        Self { entry, certificate, key: None, kubeconfig: None, kubelet: None }
    }

    /// Returns the certificate and its intermediates in PEM.
    pub fn text(&self, trust: &Trust<'_>) -> Result<String, Failure> {
        let mut text = self.certificate.pem()?;
        for certificate in trust.chain(&self.entry.authority)?.intermediates {
            text.push_str(&certificate.pem()?);
        }
        Ok(text)
    }

    /// Describes the certificate for display.
    pub fn description(&self) -> String {
        format!("{}, {}, until {}", self.entry.profile, self.entry.subject, self.entry.not_after)
    }

    /// The certificate must be valid now, or its reader would reject it.
    pub fn check_time(&self, now: DateTime) -> Result<(), Failure> {
        let validity = self.certificate.validity();
        if (validity.not_before..=validity.not_after).contains(&now) {
            return Ok(());
        }
        Err(Failure::refused(format!(
            "{}: is valid from {} to {}, but the clock says {now}; correct the clock, or get a newer release",
            self.entry.path, validity.not_before, validity.not_after
        )))
    }

    /// The certificate must not be older than the installed one.
    pub fn check_newer(&self, place: &str, there: &[Present]) -> Result<(), Failure> {
        let Some(first) = there.first() else { return Ok(()) };
        let (old, new) = (start(first), self.certificate.validity().not_before);
        if old <= new || first.der == self.certificate.der() {
            return Ok(());
        }
        Err(Failure::refused(format!(
            "{place}: has a certificate valid from {old}, but the release's is valid from {new}; a newer certificate is not replaced; get a newer release, or move the file away"
        )))
    }
}

/// Returns the notBefore time of a certificate.
pub fn start(certificate: &Present) -> DateTime {
    certificate.parsed.tbs_certificate().validity().not_before.to_date_time()
}

/// Returns a leaf for each key file and kubeconfig whose key the release certifies.
pub fn assign<'a>(target: &'a Target, report: &'a Report) -> Vec<Leaf<'a>> {
    let keys = target.keys.iter().filter_map(|key| {
        let (entry, certificate) = find(report, key.public)?;
        Some(Leaf { key: Some(key), ..Leaf::new(entry, certificate) })
    });
    let kubeconfigs = target.kubeconfigs.iter().enumerate().filter_map(|(number, file)| {
        let (entry, certificate) = find(report, file.config.key?)?;
        Some(Leaf { kubeconfig: Some(number), ..Leaf::new(entry, certificate) })
    });
    keys.chain(kubeconfigs).collect()
}

/// Returns the certificate for a key; a ceremony certifies a key only once (`KEY-TWICE`).
pub fn find(report: &Report, public: Digest) -> Option<&(CertificateEntry, Certificate)> {
    report.kept.iter().find(|(entry, _)| entry.spki_sha256 == public)
}

/// Returns the CA file for a kubeconfig: that of its client certificate, or one that shares a
/// certificate with its embedded CA.
pub fn ca_of<'a>(
    file: &KubeconfigFile,
    leaf: Option<&Leaf<'_>>,
    trust: &Trust<'_>,
    files: &'a [CaFile],
) -> Result<Option<&'a CaFile>, Failure> {
    if let Some(leaf) = leaf {
        let anchor = trust.chain(&leaf.entry.authority)?.anchor;
        let found = files.iter().find(|ca| trust.files_of(anchor).any(|path| path == ca.path));
        return Ok(found);
    }
    let holds = |ca: &CaFile| {
        let known = |der: &Vec<u8>| file.config.authorities.iter().any(|held| held.der == *der);
        ca.before.iter().map(|old| &old.der).chain(&ca.after).any(known)
    };
    match complete_as_it_is(file) {
        Ok(()) => Ok(files.iter().find(|ca| holds(ca))),
        Err(_) => Ok(None),
    }
}

/// A kubeconfig that receives no certificate must be complete, or have its key elsewhere.
pub fn complete_as_it_is(file: &KubeconfigFile) -> Result<(), String> {
    let Some(key) = file.config.key else { return Ok(()) };
    let Some(client) = file.config.client.first() else {
        return Err("this release has no certificate for its key, and it has none yet; install the right file, or move it away".into());
    };
    let info = client.parsed.tbs_certificate().subject_public_key_info().to_der();
    match info.map(|der| Digest::of(&der)) {
        Ok(digest) if digest == key => Ok(()),
        _ => Err("this release has no certificate for its key, and its current one is for another key; install the right file, or move it away".into()),
    }
}

/// Returns the certificates that remain installed, with the names of their files.
pub fn staying(target: &Target, leaves: &[Leaf<'_>]) -> Result<Vec<(String, Present)>, Failure> {
    let mut staying = Vec::new();
    let placed = |path: &str| leaves.iter().any(|leaf| leaf.key.is_some_and(|key| key.path == path));
    for key in target.keys.iter().filter(|key| !placed(&key.path)) {
        let Some(found) = target.folders.pki().read(&key.certificate)? else { continue };
        let name = target.folders.pki().name(&key.certificate);
        let certificates = pem::certificates(&found.octets).unwrap_or_default();
        staying.extend(certificates.into_iter().map(|certificate| (name.clone(), certificate)));
    }
    for (number, file) in target.kubeconfigs.iter().enumerate() {
        if leaves.iter().any(|leaf| leaf.kubeconfig == Some(number)) {
            continue;
        }
        let name = target.folders.at(file.folder).name(&file.path);
        staying.extend(file.config.client.iter().map(|certificate| (name.clone(), certificate.clone())));
    }
    Ok(staying)
}

/// Whether a certificate equals another one or was issued by it.
pub fn is_under(certificate: &Present, issuer: &Present) -> bool {
    let (inner, outer) = (certificate.parsed.tbs_certificate(), issuer.parsed.tbs_certificate());
    let Ok(key) = PublicKey::new(outer.subject_public_key_info().clone()) else {
        return inner.issuer() == outer.subject();
    };
    let signature = certificate.parsed.signature().as_bytes().unwrap_or_default();
    if certificate.der == issuer.der {
        return true;
    }
    inner.issuer() == outer.subject()
        && inner.to_der().is_ok_and(|octets| {
            verify(&key, certificate.parsed.signature_algorithm(), &octets, signature).is_ok()
        })
}
