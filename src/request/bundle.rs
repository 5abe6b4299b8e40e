//! A bundle: the files that came in, each as a request or with what stands against it.

use std::collections::BTreeMap;
use std::path::Path;

use super::{CertificationRequest, Control, Rejection, Violation, pem};
use crate::digest::Digest;
use crate::media::{self, Limits, RelativePath, read_tree};

/// What a bundle may hold: 64 KiB a request, 256 MiB and 100,000 requests in all.
pub const ENTRY_LIMITS: Limits = Limits { file: 64 << 10, total: 256 << 20, files: 100_000 };

/// The requests of one ceremony at their relative paths.
#[derive(Debug, Default)]
pub struct Bundle {
    files: BTreeMap<RelativePath, Vec<u8>>,
    doubled: Vec<RelativePath>,
}

impl Bundle {
    /// Reads folders of requests, side by side into one tree.
    ///
    /// # Errors
    /// [`media::Error::Refused`] when nothing is there, when a medium holds what it should not, or
    /// when a private key came along: then nothing of the bundle is used.
    pub fn read(folders: &[impl AsRef<Path>]) -> Result<Self, media::Error> {
        let mut bundle = Self::default();
        for folder in folders {
            let folder = folder.as_ref();
            let files = read_tree(folder, ENTRY_LIMITS)?;
            if files.is_empty() {
                return Err(media::Error::Refused(format!(
                    "{}: bundle holds no file; collect the *.csr files below it [BUNDLE-EMPTY]",
                    folder.display()
                )));
            }
            for (path, octets) in files {
                if pem::holds_private_key(&octets) {
                    return Err(media::Error::Refused(format!(
                        "{}: {path}: holds a PRIVATE KEY; nothing of this bundle is used. Treat that key as exposed: make a new one, and let only *.csr files travel [BUNDLE-PRIVATE-KEY]",
                        folder.display()
                    )));
                }
                bundle.add(path, octets);
            }
        }
        Ok(bundle)
    }

    /// The same bundle from files that were read before.
    pub fn from_files(files: Vec<(RelativePath, Vec<u8>)>) -> Self {
        let mut bundle = Self::default();
        files.into_iter().for_each(|(path, octets)| bundle.add(path, octets));
        bundle
    }

    fn add(&mut self, path: RelativePath, octets: Vec<u8>) {
        let key = path.clone();
        if self.files.insert(path, octets).is_some() {
            self.doubled.push(key);
        }
    }

    /// The files in the order of their paths.
    pub fn files(&self) -> impl Iterator<Item = (&RelativePath, &[u8])> {
        self.files.iter().map(|(path, octets)| (path, octets.as_slice()))
    }

    /// How many files there are.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there is no file.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The bundle digest: that of the listing of all files, in the order of their paths' octets.
    pub fn digest(&self) -> Digest {
        Digest::of_listing(self.files.iter().map(|(path, octets)| (path.as_str(), Digest::of(octets))))
    }

    /// Parses every file.
    pub fn requests(&self) -> Vec<(RelativePath, Result<CertificationRequest, Rejection>)> {
        let collisions = self.collisions();
        self.files
            .iter()
            .map(|(path, octets)| {
                let parsed = match collisions.get(path) {
                    Some(violation) => Err(violation.clone().into()),
                    None => CertificationRequest::from_file(octets),
                };
                (path.clone(), parsed)
            })
            .collect()
    }

    fn collisions(&self) -> BTreeMap<RelativePath, Violation> {
        let mut outputs: BTreeMap<String, Vec<&RelativePath>> = BTreeMap::new();
        for path in self.files.keys() {
            let output = path.certificate_path().map_or_else(|_| path.to_string(), String::from);
            outputs.entry(output.to_ascii_lowercase()).or_default().push(path);
        }
        let clash = |output: &str| {
            Violation::new(Control::Collision, format!("more than one request would become {output}"))
        };
        let mut found: BTreeMap<RelativePath, Violation> = outputs
            .iter()
            .filter(|(_, paths)| paths.len() > 1)
            .flat_map(|(output, paths)| paths.iter().map(move |path| ((*path).clone(), clash(output))))
            .collect();
        for path in &self.doubled {
            found.insert(
                path.clone(),
                Violation::new(Control::Collision, "two bundles hold a file of this path"),
            );
        }
        found
    }
}
