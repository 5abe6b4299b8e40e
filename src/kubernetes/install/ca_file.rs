//! CA files and the order of their certificates during a CA rotation.
//!
//! kubeadm verifies leaves only against the first certificate of `ca.crt`, so the authority of the
//! installed leaves comes first and those trusted before follow it.

use super::folder::{Folder, Found};
use super::pem::{self, Present};
use crate::failure::Failure;
use crate::issuance::Certificate;
use crate::policy::subject_text;
use crate::record::count;

/// Permitted changes to CA certificates.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rotation {
    /// Whether a CA that is not trusted yet may be added.
    pub add: bool,
    /// Whether CAs that are no longer in use are removed.
    pub drop: bool,
}

/// Current and new contents of a CA file.
#[derive(Debug)]
pub struct CaFile {
    pub path: String,
    pub found: Option<Found>,
    /// Current certificates.
    pub before: Vec<Present>,
    /// New certificates in DER.
    pub after: Vec<Vec<u8>>,
}

impl CaFile {
    /// Computes the new contents: `leading` issued the installed certificates, `further` are
    /// trusted in addition.
    pub fn new(
        folder: &Folder,
        path: &str,
        leading: &[&Certificate],
        further: &[&Certificate],
        rotation: Rotation,
    ) -> Result<Self, Failure> {
        let found = folder.read(path)?;
        let before = match &found {
            Some(found) => pem::certificates(&found.octets).map_err(|why| {
                Failure::refused(format!("{}: {why}; it is not a CA file, move it away", folder.name(path)))
            })?,
            None => Vec::new(),
        };
        let known = |certificate: &Certificate| before.iter().any(|old| old.der == certificate.der());
        let stranger = leading.iter().chain(further).find(|certificate| !known(certificate));
        if let Some(new) = stranger.filter(|_| !before.is_empty() && !rotation.add) {
            return Err(differs(&folder.name(path), &before, new));
        }
        let mut after: Vec<Vec<u8>> = Vec::new();
        let mut put = |der: &[u8]| {
            if !after.iter().any(|there| there == der) {
                after.push(der.to_vec());
            }
        };
        leading.iter().for_each(|certificate| put(certificate.der()));
        if !rotation.drop {
            before.iter().for_each(|old| put(&old.der));
        }
        further.iter().for_each(|certificate| put(certificate.der()));
        Ok(Self { path: path.to_owned(), found, before, after })
    }

    /// Whether the file changes.
    pub fn changes(&self) -> bool {
        !self.before.iter().map(|old| &old.der).eq(self.after.iter())
    }

    /// Returns the certificates that are removed.
    pub fn dropped(&self) -> impl Iterator<Item = &Present> {
        self.before.iter().filter(|old| !self.after.contains(&old.der))
    }

    /// Returns the new contents in PEM.
    pub fn text(&self) -> Result<String, Failure> {
        self.after.iter().map(|der| Ok(Certificate::pem_of(der)?)).collect()
    }

    /// Describes the change for display.
    pub fn description(&self) -> String {
        let added = self.after.iter().filter(|der| !self.before.iter().any(|old| old.der == **der)).count();
        let dropped = self.dropped().count();
        match (self.before.len(), added, dropped) {
            (0, _, _) => format!("CA, {}", count(self.after.len() as u64, "certificate")),
            (_, 0, 0) => "CA, the one in use moves to the front".to_owned(),
            _ => format!("CA, {added} added, {dropped} removed, {} in total", self.after.len()),
        }
    }
}

fn differs(path: &str, before: &[Present], new: &Certificate) -> Failure {
    let installed: Vec<String> =
        before.iter().map(|old| subject_text(old.parsed.tbs_certificate().subject())).collect();
    let digest =
        before.first().map(|old| crate::digest::Digest::of(&old.der).to_string()).unwrap_or_default();
    Failure::refused(format!(
        "{path}: contains another CA, {} with SHA-256 {digest}; the release has {} with SHA-256 {}; to rotate the CA, use --rotate-ca",
        installed.join(" and "),
        new.facts().subject,
        new.digest()
    ))
}
