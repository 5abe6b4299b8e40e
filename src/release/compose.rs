//! Which files a release consists of, and their entries in the manifest.

use super::{AuthorityEntry, CertificateEntry, Error};
use crate::digest::Digest;
use crate::issuance::Certificate;
use crate::media::RelativePath;
use crate::policy::Approval;

/// A certificate that was issued on a request.
#[derive(Debug)]
pub struct LeafEntry<'a> {
    /// What was approved.
    pub approval: &'a Approval,
    /// What was issued.
    pub certificate: Certificate,
}

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

/// The files of a release besides manifest and transcript, and their manifest entries.
#[derive(Debug, Default)]
pub struct Contents {
    /// Path and octets.
    pub files: Vec<(RelativePath, Vec<u8>)>,
    /// Authorities.
    pub authorities: Vec<AuthorityEntry>,
    /// Certificates.
    pub certificates: Vec<CertificateEntry>,
}

/// Lays out a release.
///
/// # Errors
/// [`Error`] when a path grows too long or an issuer is not among the authorities.
pub fn compose(authorities: &[KeyEntry], leaves: &[LeafEntry<'_>]) -> Result<Contents, Error> {
    let mut contents = Contents::default();
    for key in authorities {
        contents.authority(key, authorities)?;
    }
    for leaf in leaves {
        contents.leaf(leaf)?;
    }
    Ok(contents)
}

impl Contents {
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
        self.authorities.push(AuthorityEntry {
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

    fn leaf(&mut self, leaf: &LeafEntry<'_>) -> Result<(), Error> {
        let approval = leaf.approval;
        let path = approval.path.certificate_path()?.below("certificates")?;
        let file_sha256 = self.put(path.clone(), leaf.certificate.pem()?);
        let facts = leaf.certificate.facts();
        self.certificates.push(CertificateEntry {
            path,
            file_sha256,
            request_path: approval.path.clone(),
            request_sha256: approval.request,
            sha256: facts.sha256,
            serial: facts.serial,
            profile: approval.profile_name.clone(),
            authority: approval.authority.clone(),
            subject: facts.subject,
            dns: approval.dns.clone(),
            ip: approval.ip.iter().map(ToString::to_string).collect(),
            not_before: facts.not_before.to_string(),
            not_after: facts.not_after.to_string(),
            spki_sha256: facts.spki_sha256,
            notes: approval.notes.clone(),
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
