//! Verification of a release's authorities, including the trusted root, and of the manifest's signer.

use std::collections::BTreeMap;

use super::checks::{same_facts, signed_by, time};
use super::{ManifestKey, Root, file};
use crate::digest::Digest;
use crate::issuance::{Authority, Certificate, IssuedFacts, MANIFEST_SIGNING, Scope};
use crate::media::{RelativePath, Tree};
use crate::release::manifest::{AuthorityEntry, FORMAT, Head};
use crate::release::{Error, SIGNATURE};

/// Authorities by name.
#[derive(Debug)]
pub struct Authorities(BTreeMap<String, Listed>);

/// An authority, and what it allows below it.
#[derive(Debug)]
struct Listed {
    entry: AuthorityEntry,
    authority: Authority,
    scope: Scope,
}

impl Authorities {
    /// Reads and verifies every authority of a release.
    pub fn read(tree: &Tree, head: &Head) -> Result<Self, Error> {
        let mut found = Self(BTreeMap::new());
        let mut chains = Vec::new();
        for entry in &head.authorities {
            let certificate = Certificate::from_pem(&file(tree, &entry.path, &entry.file_sha256)?)
                .map_err(|e| Error(format!("{}: {e}", entry.path)))?;
            chains.push((entry, file(tree, &entry.chain_path, &entry.chain_file_sha256)?));
            let recorded = IssuedFacts {
                serial: entry.serial.clone(),
                subject: entry.subject.clone(),
                not_before: time(&entry.not_before)?,
                not_after: time(&entry.not_after)?,
                sha256: entry.sha256,
                spki_sha256: entry.spki_sha256,
            };
            same_facts(&entry.path, &recorded, &certificate)?;
            let authority = Authority::new(&entry.name, certificate)?;
            // Replaced below, once the path to the root is known; for a root it is final.
            let scope = Scope::of_anchor(&authority)?;
            let listed = Listed { entry: entry.clone(), authority, scope };
            if found.0.insert(entry.name.clone(), listed).is_some() {
                return Err(Error(format!("authority {}: duplicate name", entry.name)));
            }
        }
        for Listed { entry, authority, .. } in found.0.values() {
            signed_by(&entry.path, authority.certificate(), found.issuer(&entry.issuer, &entry.name)?)?;
        }
        let scopes = found.0.keys().map(|name| found.scope_of(name)).collect::<Result<Vec<_>, _>>()?;
        found.0.values_mut().zip(scopes).for_each(|(listed, scope)| listed.scope = scope);
        chains.iter().try_for_each(|(entry, octets)| found.check_chain(entry, octets))?;
        Ok(found)
    }

    /// Returns every authority with its certificate, in order of name.
    pub fn into_list(self) -> Vec<(AuthorityEntry, Certificate)> {
        let authorities = self.0.into_values();
        authorities.map(|listed| (listed.entry, listed.authority.certificate().clone())).collect()
    }

    /// Checks that a chain file has exactly the certificates from the authority up to its root.
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

    fn entry(&self, issuer: &str, of: &str) -> Result<&Listed, Error> {
        self.0
            .get(issuer)
            .ok_or_else(|| Error(format!("{of}: its authority {issuer} is not in the manifest")))
    }

    /// Returns the authority with this name; `of` names what refers to it.
    pub fn issuer(&self, issuer: &str, of: &str) -> Result<&Authority, Error> {
        self.entry(issuer, of).map(|listed| &listed.authority)
    }

    /// Returns the scope below the authority with this name.
    pub fn scope(&self, issuer: &str, of: &str) -> Result<&Scope, Error> {
        self.entry(issuer, of).map(|listed| &listed.scope)
    }

    /// Computes the scope below an authority, from its root down (RFC 5280 6.1).
    fn scope_of(&self, name: &str) -> Result<Scope, Error> {
        let path = self.path_to_root(name)?;
        let mut above = path.iter().rev().map(|name| self.entry(name, name));
        let root = above.next().transpose()?;
        let root = root.ok_or_else(|| Error(format!("authority {name}: has no root")))?;
        above.try_fold(Scope::of_anchor(&root.authority)?, |scope, listed| {
            let listed = listed?;
            scope.below(&listed.authority).map_err(|e| Error(format!("{}: {e}", listed.entry.path)))
        })
    }

    /// Returns the names from an authority up to its root, both inclusive.
    fn path_to_root(&self, from: &str) -> Result<Vec<String>, Error> {
        let mut path = vec![from.to_owned()];
        let mut current = from.to_owned();
        while path.len() <= self.0.len() {
            let Listed { entry, .. } = self.entry(&current, from)?;
            if entry.issuer == current {
                return Ok(path);
            }
            current = entry.issuer.clone();
            path.push(current.clone());
        }
        Err(Error(format!("authority {from}: its issuers form a loop")))
    }

    /// Returns the name of the root above the manifest's signer, which must be the trusted one.
    pub fn trusted_root(&self, head: &Head, root: &Root) -> Result<String, Error> {
        let wanted = match root {
            Root::Certificate(certificate) => certificate.digest(),
            Root::Sha256(digest) => *digest,
        };
        let path = self.path_to_root(&head.signer.authority)?;
        let top = path.last().cloned().unwrap_or_default();
        let Listed { entry, .. } = self.entry(&top, "manifest signer")?;
        if entry.sha256 == wanted {
            return Ok(top);
        }
        Err(Error(format!(
            "the manifest's signer chains to the root {top} with SHA-256 {}, but the root you trust has {wanted}",
            entry.sha256
        )))
    }

    /// Checks that the signer's certificate is the one that the manifest names and may sign manifests.
    pub fn check_signer(
        &self,
        head: &Head,
        signer: &Certificate,
        root: &str,
        known: Option<Digest>,
    ) -> Result<ManifestKey, Error> {
        let wrong = |what: String| Error(format!("manifest signer: {what}"));
        let certificate_sha256 = signer.digest();
        if certificate_sha256 != head.signer.certificate_sha256 {
            return Err(wrong("the manifest names a different certificate".into()));
        }
        if let Some(known) = known.filter(|known| *known != certificate_sha256) {
            return Err(wrong(format!(
                "its certificate has SHA-256 {certificate_sha256}, but the manifest key that you trust has {known}"
            )));
        }
        let name = &head.signer.authority;
        let issuer = self.entry(name, "manifest signer")?;
        signed_by(&RelativePath::new(SIGNATURE)?, signer, &issuer.authority)?;
        let bound = issuer.scope.admits_manifest_key(signer).map_err(|e| wrong(e.to_string()))?;
        let created = time(&head.created)?;
        let validity = signer.validity();
        if created < validity.not_before || created > validity.not_after {
            return Err(wrong(format!(
                "its certificate under {root} was not valid when the manifest was created ({created})"
            )));
        }
        let listed = head.manifest_keys.iter().any(|key| key.certificate_sha256 == certificate_sha256);
        if head.format == FORMAT && !listed {
            return Err(wrong(
                "its certificate is not among the manifest keys that the manifest lists".into(),
            ));
        }
        if !bound && name != root && known.is_none() {
            return Err(wrong(format!(
                "it was issued under {name}, and its certificate or one above it lacks the certificate policy of manifest keys ({MANIFEST_SIGNING}): any key below {root} could have signed it; if the release is older than that policy, give --manifest-key the SHA-256 of the manifest key's certificate from the paper of the ceremony that created it (this one has {certificate_sha256})"
            )));
        }
        Ok(ManifestKey { certificate_sha256, issuer: name.clone(), validity, bound })
    }
}
