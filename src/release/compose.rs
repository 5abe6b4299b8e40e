//! Which files a release consists of, and their entries in the manifest.

use super::{AuthorityEntry, CertificateEntry, Error, stream};
use crate::digest::Digest;
use crate::issuance::{Certificate, IssuedFacts};
use crate::media::RelativePath;
use crate::policy::Approval;

/// An authority of the ledger.
#[derive(Clone, Debug)]
pub struct KeyEntry {
    /// Its name.
    pub name: String,
    /// Name of its issuer; its own for a root.
    pub issuer: String,
    /// Its certificate profile.
    pub profile: String,
    /// Its certificate.
    pub certificate: Certificate,
}

/// The files of the authorities, and their manifest entries.
#[derive(Debug, Default)]
pub struct Authorities {
    /// Path and octets.
    pub files: Vec<(RelativePath, Vec<u8>)>,
    /// Their entries.
    pub entries: Vec<AuthorityEntry>,
}

/// The file of a certificate, and its manifest entry.
#[derive(Debug)]
pub struct Leaf {
    /// Where it goes.
    pub path: RelativePath,
    /// What it holds.
    pub pem: String,
    /// JSON.
    pub entry: String,
}

/// Lays out the authorities of a release.
///
/// # Errors
/// [`Error`] when a path grows too long or an issuer is not among them.
pub fn compose_authorities(authorities: &[KeyEntry]) -> Result<Authorities, Error> {
    let mut contents = Authorities::default();
    for key in authorities {
        contents.authority(key, authorities)?;
    }
    Ok(contents)
}

/// Lays out a certificate that was issued on a request: the octets that were signed, and their
/// signature.
///
/// # Errors
/// [`Error`] when its path grows too long.
pub fn compose_leaf(approval: &Approval, tbs: &[u8], signature: &[u8]) -> Result<Leaf, Error> {
    let (der, facts) = IssuedFacts::of_parts(tbs, signature)?;
    let path = approval.path().certificate_path()?.below("certificates")?;
    let pem = Certificate::pem_of(&der)?;
    let entry = stream::entry(&CertificateEntry {
        path: path.clone(),
        file_sha256: Digest::of(pem.as_bytes()),
        request_path: approval.path().clone(),
        request_sha256: approval.request(),
        sha256: facts.sha256,
        serial: facts.serial,
        profile: approval.profile_name().to_owned(),
        authority: approval.authority().to_owned(),
        subject: facts.subject,
        dns: approval.dns().to_vec(),
        ip: approval.ip().iter().map(ToString::to_string).collect(),
        not_before: facts.not_before.to_string(),
        not_after: facts.not_after.to_string(),
        spki_sha256: facts.spki_sha256,
        notes: approval.notes().to_vec(),
        delegated: approval.delegates(),
    })?;
    Ok(Leaf { path, pem, entry })
}

impl Authorities {
    fn put(&mut self, path: RelativePath, text: String) -> Digest {
        let digest = Digest::of(text.as_bytes());
        self.files.push((path, text.into_bytes()));
        digest
    }

    fn authority(&mut self, key: &KeyEntry, all: &[KeyEntry]) -> Result<(), Error> {
        let path = RelativePath::new(&format!("authorities/{}.crt", key.name))?;
        let chain_path = RelativePath::new(&format!("authorities/{}.chain.crt", key.name))?;
        let file_sha256 = self.put(path.clone(), key.certificate.pem()?);
        let chain_file_sha256 = self.put(chain_path.clone(), chain(key, all)?);
        let facts = key.certificate.facts();
        self.entries.push(AuthorityEntry {
            name: key.name.clone(),
            path,
            file_sha256,
            chain_path,
            chain_file_sha256,
            sha256: facts.sha256,
            serial: facts.serial,
            profile: key.profile.clone(),
            subject: facts.subject,
            issuer: key.issuer.clone(),
            not_before: facts.not_before.to_string(),
            not_after: facts.not_after.to_string(),
            spki_sha256: facts.spki_sha256,
        });
        Ok(())
    }
}

/// The PEM of an authority's certificate and of those above it.
fn chain(key: &KeyEntry, all: &[KeyEntry]) -> Result<String, Error> {
    let mut text = key.certificate.pem()?;
    let mut current = key;
    for _ in 0..all.len() {
        if current.issuer == current.name {
            break;
        }
        current = all.iter().find(|candidate| candidate.name == current.issuer).ok_or_else(|| {
            Error(format!("{}: its issuer {} is not in the ledger", current.name, current.issuer))
        })?;
        text.push_str(&current.certificate.pem()?);
    }
    Ok(text)
}
