//! Creates API objects from a release: certificates for the status of CertificateSigningRequest
//! objects, Secrets of type `kubernetes.io/tls`, a ConfigMap of trusted roots.

use std::collections::BTreeMap;
use std::path::Path;

use base64ct::{Base64, Encoding};
use der::DateTime;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::folder::Folder;
use super::node_files::keys;
use super::plan::Leaf;
use super::trust::Trust;
use super::{object_name, record};
use crate::digest::Digest;
use crate::failure::Failure;
use crate::media::{RelativePath, quoted};
use crate::release::{CertificateEntry, ManifestKind, Report};

/// Name of the ConfigMap, and of its file.
const TRUST: &str = "trust-bundle";

/// A file for `kubectl`.
#[derive(Debug)]
pub struct ObjectFile {
    /// Path in the output folder.
    pub path: RelativePath,
    /// Contents of the file.
    pub octets: Zeroizing<Vec<u8>>,
    /// Whether the file contains a private key.
    pub secret: bool,
}

/// A certificate for a CertificateSigningRequest object.
#[derive(Debug)]
struct Answer {
    name: String,
    patch: RelativePath,
}

/// API objects of a release.
#[derive(Debug)]
pub struct Objects {
    files: Vec<ObjectFile>,
    answers: Vec<Answer>,
    secrets: usize,
}

/// Private keys in a folder, by public key.
#[derive(Debug)]
pub struct KeyFolder {
    folder: Folder,
    keys: BTreeMap<Digest, String>,
}

impl KeyFolder {
    /// Reads the keys below a folder.
    ///
    /// # Errors
    /// [`Failure::refused`] for a key that cannot be used; [`Failure::fault`] when reading fails.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let folder = Folder::open(path)?;
        let keys = keys(&folder)?.into_iter().map(|key| (key.public, key.path)).collect();
        Ok(Self { folder, keys })
    }

    fn read(&self, public: &Digest) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
        let Some(path) = self.keys.get(public) else { return Ok(None) };
        Ok(self.folder.read(path)?.map(|found| found.octets))
    }
}

impl Objects {
    /// Whether a certificate is for an object or has its key in `keys`.
    pub fn wants(keys: Option<&KeyFolder>, entry: &CertificateEntry) -> bool {
        object_name::of_path(&entry.path).is_some()
            || keys.is_some_and(|keys| keys.keys.contains_key(&entry.spki_sha256))
    }

    /// Creates the objects of a verified release. The pair says whether a rehearsal is allowed, and
    /// which manifest key the operator named.
    ///
    /// # Errors
    /// [`Failure::refused`] for an unexpected rehearsal, a certificate that is not valid now, a
    /// path that is no escaped object name, and duplicate Secrets; [`Failure::fault`] when a key
    /// cannot be read.
    pub fn new(
        report: &Report,
        keys: Option<&KeyFolder>,
        (rehearsal, manifest_key): (bool, Option<Digest>),
        now: DateTime,
    ) -> Result<Self, Failure> {
        record::admit(None, report, rehearsal, manifest_key, now)?;
        let trust = Trust::of_roots(&report.authorities);
        let mut objects = Self { files: Vec::new(), answers: Vec::new(), secrets: 0 };
        for (entry, certificate) in &report.kept {
            let leaf = Leaf::new(entry, certificate);
            leaf.check_time(now)?;
            let text = leaf.text(&trust)?;
            match object_name::of_path(&entry.path) {
                Some(Ok(name)) => objects.answer(entry, name, &text)?,
                Some(Err(why)) => return Err(Failure::refused(format!("{}: {why}", entry.path))),
                None => {}
            }
            if let Some(key) = keys.map(|keys| keys.read(&entry.spki_sha256)).transpose()?.flatten() {
                objects.secret(report, entry, &text, &key)?;
            }
        }
        objects.trust(report)?;
        objects.script()?;
        Ok(objects)
    }

    fn put(&mut self, path: &str, value: &Value, secret: bool) -> Result<RelativePath, Failure> {
        let path = RelativePath::new(path).map_err(|e| Failure::refused(e.to_string()))?;
        let mut octets = Zeroizing::new(Vec::with_capacity(65_536));
        serde_json::to_writer_pretty(&mut *octets, value).map_err(|e| Failure::fault(e.to_string()))?;
        octets.push(b'\n');
        if self.files.iter().any(|file| file.path == path) {
            return Err(Failure::refused(format!(
                "{path}: two certificates would produce this object; use separate key folders"
            )));
        }
        self.files.push(ObjectFile { path: path.clone(), octets, secret });
        Ok(path)
    }

    /// A merge patch, so that the conditions in the status are preserved.
    fn answer(&mut self, entry: &CertificateEntry, name: String, text: &str) -> Result<(), Failure> {
        let stem = entry.path.as_str().trim_start_matches("certificates/objects/").trim_end_matches(".crt");
        let patch = json!({ "status": { "certificate": Base64::encode_string(text.as_bytes()) } });
        let patch = self.put(&format!("status/{stem}.json"), &patch, false)?;
        self.answers.push(Answer { name, patch });
        Ok(())
    }

    fn secret(
        &mut self,
        report: &Report,
        entry: &CertificateEntry,
        text: &str,
        key: &[u8],
    ) -> Result<(), Failure> {
        let name = name_of(entry);
        let key = Zeroizing::new(Base64::encode_string(key));
        let secret = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/tls",
            "metadata": metadata(report, &name),
            "data": { "tls.crt": Base64::encode_string(text.as_bytes()), "tls.key": key.as_str() },
        });
        self.put(&format!("secrets/{name}.json"), &secret, true)?;
        self.secrets += 1;
        Ok(())
    }

    /// One entry per root: who trusts one need not trust the others.
    fn trust(&mut self, report: &Report) -> Result<(), Failure> {
        let mut data = serde_json::Map::new();
        for (entry, certificate) in &report.authorities {
            if entry.issuer == entry.name {
                data.insert(format!("{}.crt", entry.name), Value::String(certificate.pem()?));
            }
        }
        let map = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata(report, TRUST),
            "data": data,
        });
        self.put(&format!("{TRUST}.json"), &map, false).map(drop)
    }

    fn script(&mut self) -> Result<(), Failure> {
        if self.answers.is_empty() {
            return Ok(());
        }
        let commands: String = self.commands().map(|command| format!("{command}\n")).collect();
        let text = format!("#!/bin/sh\nset -eu\ncd \"$(dirname \"$0\")\"\n{commands}");
        let path = RelativePath::new("status.sh").map_err(|e| Failure::refused(e.to_string()))?;
        self.files.push(ObjectFile { path, octets: Zeroizing::new(text.into_bytes()), secret: false });
        Ok(())
    }

    /// Returns the files in the order in which they are written.
    pub fn files(&self) -> &[ObjectFile] {
        &self.files
    }

    /// Returns the number of Secrets.
    pub fn secrets(&self) -> usize {
        self.secrets
    }

    /// Returns the commands that add the certificates to the objects, for use in the output folder.
    pub fn commands(&self) -> impl Iterator<Item = String> {
        self.answers.iter().map(|answer| {
            format!(
                "kubectl patch certificatesigningrequest --subresource=status --type=merge --patch-file={} -- {}",
                answer.patch,
                quoted(&answer.name)
            )
        })
    }
}

fn metadata(report: &Report, name: &str) -> Value {
    let mut annotations = serde_json::Map::new();
    annotations.insert("keyrite/manifest-sha256".into(), report.manifest_sha256.to_string().into());
    annotations.insert("keyrite/release".into(), report.head.sequence.to_string().into());
    if report.head.kind == ManifestKind::Rehearsal {
        annotations.insert("keyrite/rehearsal".into(), "true".into());
    }
    json!({ "name": name, "annotations": annotations })
}

/// Returns a DNS label (RFC 1123) for a Secret, derived from the certificate's path.
fn name_of(entry: &CertificateEntry) -> String {
    let stem = entry.path.as_str().trim_start_matches("certificates/").trim_end_matches(".crt");
    let label = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let name: String = stem.chars().map(label).collect();
    name.trim_matches('-').to_owned()
}
