//! A CA file: the certificates in it, and their order while one CA follows another.
//!
//! kubeadm verifies leaves with the first certificate of `ca.crt` alone, so the authority of the
//! leaves that are installed stands first and what was trusted before stays behind it.

use super::folder::{Folder, Found};
use super::pem::{self, Present};
use crate::failure::Failure;
use crate::issuance::Certificate;
use crate::policy::subject_text;

/// How CA certificates may change.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rotation {
    /// A CA that is not trusted yet may be added.
    pub add: bool,
    /// What is not named any more is taken out.
    pub drop: bool,
}

/// A CA file, as it is and as it is to be.
#[derive(Debug)]
pub struct CaFile {
    pub path: String,
    pub found: Option<Found>,
    /// What is in it now.
    pub before: Vec<Present>,
    /// DER of what is to be in it.
    pub after: Vec<Vec<u8>>,
}

impl CaFile {
    /// Puts together what the file is to hold: `leading` issued what is installed now, `further`
    /// are to be trusted beside it.
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

    /// Whether the file is to be another one.
    pub fn changes(&self) -> bool {
        !self.before.iter().map(|old| &old.der).eq(self.after.iter())
    }

    /// What is taken out of it.
    pub fn dropped(&self) -> impl Iterator<Item = &Present> {
        self.before.iter().filter(|old| !self.after.contains(&old.der))
    }

    /// The text that it is to hold.
    pub fn text(&self) -> Result<String, Failure> {
        self.after.iter().map(|der| Ok(Certificate::pem_of(der)?)).collect()
    }

    /// What people are told about it.
    pub fn story(&self) -> String {
        let added = self.after.iter().filter(|der| !self.before.iter().any(|old| old.der == **der)).count();
        let dropped = self.dropped().count();
        match (self.before.len(), added, dropped) {
            (0, _, _) => format!("CA, {} certificate(s)", self.after.len()),
            (_, 0, 0) => "CA, the one in use comes first".to_owned(),
            _ => format!("CA, {added} added, {dropped} dropped, {} in it now", self.after.len()),
        }
    }
}

fn differs(path: &str, before: &[Present], new: &Certificate) -> Failure {
    let installed: Vec<String> =
        before.iter().map(|old| subject_text(old.parsed.tbs_certificate().subject())).collect();
    let digest =
        before.first().map(|old| crate::digest::Digest::of(&old.der).to_string()).unwrap_or_default();
    Failure::refused(format!(
        "{path}: holds another CA, {} with SHA-256 {digest}; the release has {} with SHA-256 {}; if the CA is to be exchanged, say --rotate-ca",
        installed.join(" and "),
        new.facts().subject,
        new.digest()
    ))
}
