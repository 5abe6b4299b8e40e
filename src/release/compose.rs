//! The files of a release and their entries in the manifest.

use super::{AuthorityEntry, CertificateEntry, Error, stream};
use crate::digest::Digest;
use crate::issuance::{Certificate, IssuedFacts};
use crate::media::RelativePath;
use crate::policy::Approval;

/// An authority of the ledger, to be released.
#[derive(Clone, Debug)]
pub struct KeyEntry {
    /// Name of the authority.
    pub name: String,
    /// Name of the issuing authority; its own name for a root.
    pub issuer: String,
    /// Name of the certificate profile.
    pub profile: String,
    /// The certificate.
    pub certificate: Certificate,
}

/// The files of the authorities and their manifest entries.
#[derive(Debug, Default)]
pub struct Authorities {
    /// Paths and contents.
    pub files: Vec<(RelativePath, Vec<u8>)>,
    /// Entries in the manifest.
    pub entries: Vec<AuthorityEntry>,
}

/// The file of an issued certificate and its manifest entry.
#[derive(Debug)]
pub struct Leaf {
    /// Path in the release.
    pub path: RelativePath,
    /// Contents of the file.
    pub pem: String,
    /// Entry in the manifest, as JSON.
    pub entry: String,
}

/// Composes the files and entries of authorities.
///
/// # Errors
/// [`Error`] if a path is too long or an issuer is missing.
pub fn compose_authorities(authorities: &[KeyEntry]) -> Result<Authorities, Error> {
    let mut contents = Authorities::default();
    for key in authorities {
        contents.authority(key, authorities)?;
    }
    Ok(contents)
}

/// Composes the file and entry of a certificate issued on a request, given as TBSCertificate and signature.
///
/// # Errors
/// [`Error`] if the path is too long.
pub fn compose_leaf(approval: &Approval, tbs: &[u8], signature: &[u8]) -> Result<Leaf, Error> {
    let (der, facts) = IssuedFacts::of_parts(tbs, signature)?;
    let path = approval.path().released()?;
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

/// Returns the certificates of an authority and of its issuers, as PEM.
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
