//! The authorities of a release, the trusted root among them, and the signer of the manifest.

use std::collections::BTreeMap;

use const_oid::AssociatedOid;
use const_oid::db::rfc5280::ID_KP_EMAIL_PROTECTION;
use x509_cert::ext::pkix::ExtendedKeyUsage;

use super::certificates::{same_facts, time};
use super::{Root, file};
use crate::issuance::{Authority, Certificate, IssuedFacts};
use crate::media::{RelativePath, Tree};
use crate::release::manifest::{AuthorityEntry, Head};
use crate::release::{Error, SIGNATURE};

/// Authorities by their names.
#[derive(Debug)]
pub struct Authorities(BTreeMap<String, (AuthorityEntry, Authority)>);

impl Authorities {
    /// Reads and checks every authority of a release.
    pub fn read(tree: &Tree, head: &Head) -> Result<Self, Error> {
        let mut found = Self(BTreeMap::new());
        let mut chains = Vec::new();
        for entry in &head.authorities {
            let certificate = Certificate::from_pem(&file(tree, &entry.path, &entry.file_sha256)?)
                .map_err(|e| Error(format!("{}: {e}", entry.path)))?;
            chains.push((entry, file(tree, &entry.chain_path, &entry.chain_file_sha256)?));
            let told = IssuedFacts {
                serial: entry.serial.clone(),
                subject: entry.subject.clone(),
                not_before: time(&entry.not_before)?,
                not_after: time(&entry.not_after)?,
                sha256: entry.sha256,
                spki_sha256: entry.spki_sha256,
            };
            same_facts(&entry.path, &told, &certificate)?;
            let authority = Authority::new(&entry.name, certificate)?;
            if found.0.insert(entry.name.clone(), (entry.clone(), authority)).is_some() {
                return Err(Error(format!("authority {}: listed twice", entry.name)));
            }
        }
        for (entry, authority) in found.0.values() {
            signed_by(&entry.path, authority.certificate(), found.issuer(&entry.issuer, &entry.name)?)?;
        }
        chains.iter().try_for_each(|(entry, octets)| found.check_chain(entry, octets))?;
        Ok(found)
    }

    /// Every authority with its certificate, in the order of their names.
    pub fn into_list(self) -> Vec<(AuthorityEntry, Certificate)> {
        let authorities = self.0.into_values();
        authorities.map(|(entry, authority)| (entry, authority.certificate().clone())).collect()
    }

    /// A chain file is the certificates from the authority up to its root, and nothing else.
    fn check_chain(&self, entry: &AuthorityEntry, octets: &[u8]) -> Result<(), Error> {
        let mut text = String::new();
        for name in self.path_to_root(&entry.name)? {
            text.push_str(&self.issuer(&name, &entry.name)?.certificate().pem()?);
        }
        match octets == text.as_bytes() {
            true => Ok(()),
            false => Err(Error(format!("{}: is not the chain of {}", entry.chain_path, entry.name))),
        }
    }

    fn entry(&self, issuer: &str, of: &str) -> Result<&(AuthorityEntry, Authority), Error> {
        self.0
            .get(issuer)
            .ok_or_else(|| Error(format!("{of}: its authority {issuer} is not in the manifest")))
    }

    /// The authority of this name.
    pub fn issuer(&self, issuer: &str, of: &str) -> Result<&Authority, Error> {
        self.entry(issuer, of).map(|(_, authority)| authority)
    }

    /// The names from an authority up to its root, both included.
    fn path_to_root(&self, from: &str) -> Result<Vec<String>, Error> {
        let mut path = vec![from.to_owned()];
        let mut current = from.to_owned();
        while path.len() <= self.0.len() {
            let (entry, _) = self.entry(&current, from)?;
            if entry.issuer == current {
                return Ok(path);
            }
            current = entry.issuer.clone();
            path.push(current.clone());
        }
        Err(Error(format!("authority {from}: its issuers run in a circle")))
    }

    /// The name of the root above the manifest's signer, which must be the trusted one.
    pub fn trusted_root(&self, head: &Head, root: &Root) -> Result<String, Error> {
        let wanted = match root {
            Root::Certificate(certificate) => certificate.digest(),
            Root::Sha256(digest) => *digest,
        };
        let path = self.path_to_root(&head.signer.authority)?;
        let top = path.last().cloned().unwrap_or_default();
        let (entry, _) = self.entry(&top, "manifest signer")?;
        if entry.sha256 == wanted {
            return Ok(top);
        }
        Err(Error(format!(
            "the manifest's signer is under the root {top} with SHA-256 {}, the root you trust has {wanted}",
            entry.sha256
        )))
    }

    /// The signer's certificate is the one that the manifest names, and may sign manifests.
    pub fn check_signer(&self, head: &Head, signer: &Certificate, root: &str) -> Result<(), Error> {
        let wrong = |what: String| Error(format!("manifest signer: {what}"));
        if signer.digest() != head.signer.certificate_sha256 {
            return Err(wrong("the manifest names another certificate".into()));
        }
        let issuer = self.issuer(&head.signer.authority, "manifest signer")?;
        signed_by(&RelativePath::new(SIGNATURE)?, signer, issuer)?;
        let purposes: Option<ExtendedKeyUsage> = signer.extension(ExtendedKeyUsage::OID)?;
        if purposes.map(|purposes| purposes.0) != Some(vec![ID_KP_EMAIL_PROTECTION]) {
            return Err(wrong("its certificate is not for signing manifests".into()));
        }
        let created = time(&head.created)?;
        let validity = signer.validity();
        if created < validity.not_before || created > validity.not_after {
            return Err(wrong(format!(
                "its certificate was not valid when the manifest was made, {created}, under {root}"
            )));
        }
        Ok(())
    }
}

/// Issuer, signature and validity of a certificate fit the authority.
pub fn signed_by(path: &RelativePath, certificate: &Certificate, issuer: &Authority) -> Result<(), Error> {
    if certificate.parsed().tbs_certificate().issuer() != issuer.subject() {
        return Err(Error(format!("{path}: its issuer is not the subject of {}", issuer.name())));
    }
    certificate
        .verify_by(issuer.key())
        .map_err(|e| Error(format!("{path}: under {}: {e}", issuer.name())))?;
    let (inner, outer) = (certificate.validity(), issuer.certificate().validity());
    if inner.not_before < outer.not_before || inner.not_after > outer.not_after {
        return Err(Error(format!("{path}: is valid outside the validity of {}", issuer.name())));
    }
    Ok(())
}
