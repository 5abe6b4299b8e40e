//! Verification of a release against a root that the verifier knows: nothing is taken on trust
//! but that root, and nothing may be missing or added.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::IpAddr;

use const_oid::AssociatedOid;
use const_oid::db::rfc5280::ID_KP_EMAIL_PROTECTION;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, SubjectAltName};

use super::manifest::{AuthorityEntry, CertificateEntry, FORMAT, Manifest};
use super::{Error, MANIFEST, SIGNATURE, TRANSCRIPT, check_chain, cms};
use crate::digest::Digest;
use crate::issuance::{Authority, Certificate, IssuedFacts};
use crate::media::RelativePath;

/// The root that the verifier trusts.
#[derive(Clone, Debug)]
pub enum Root {
    /// Its certificate.
    Certificate(Box<Certificate>),
    /// SHA-256 over the DER of its certificate.
    Sha256(Digest),
}

/// What was verified.
#[derive(Debug)]
pub struct Report {
    /// The manifest.
    pub manifest: Manifest,
    /// SHA-256 of the manifest's octets.
    pub manifest_sha256: Digest,
    /// Name of the trusted root in the release.
    pub root: String,
}

/// Verifies all files of a release.
///
/// # Errors
/// [`Error`] says the first thing that does not hold.
pub fn verify(files: Vec<(RelativePath, Vec<u8>)>, root: &Root) -> Result<Report, Error> {
    let mut release = Release {
        files: files.into_iter().map(|(path, octets)| (path.to_string(), octets)).collect(),
        seen: BTreeSet::new(),
    };
    let octets = release.take(MANIFEST)?.to_vec();
    let signature = release.take(SIGNATURE)?.to_vec();
    let signer = cms::verify_manifest(&octets, &signature)?;
    let manifest: Manifest =
        serde_json::from_slice(&octets).map_err(|e| Error(format!("{MANIFEST}: {e}")))?;
    if manifest.format != FORMAT {
        return Err(Error(format!(
            "{MANIFEST}: format is {:?}, this version reads {FORMAT:?}",
            manifest.format
        )));
    }
    let authorities = release.authorities(&manifest)?;
    let root = trusted_root(&manifest, &authorities, root)?;
    check_signer(&manifest, &signer, &authorities, &root)?;
    release.certificates(&manifest, &authorities)?;
    release.transcript(&manifest)?;
    release.nothing_added()?;
    Ok(Report { manifest, manifest_sha256: Digest::of(&octets), root })
}

struct Release {
    files: BTreeMap<String, Vec<u8>>,
    seen: BTreeSet<String>,
}

type Authorities = BTreeMap<String, (AuthorityEntry, Authority)>;

impl Release {
    fn take(&mut self, path: &str) -> Result<&[u8], Error> {
        if !self.seen.insert(path.to_owned()) {
            return Err(Error(format!("{path}: listed twice")));
        }
        self.files.get(path).map(Vec::as_slice).ok_or_else(|| Error(format!("{path}: missing")))
    }

    fn file(&mut self, path: &RelativePath, digest: Digest) -> Result<&[u8], Error> {
        let octets = self.take(path.as_str())?;
        let found = Digest::of(octets);
        if found != digest {
            return Err(Error(format!("{path}: SHA-256 is {found}, the manifest says {digest}")));
        }
        Ok(octets)
    }

    fn authorities(&mut self, manifest: &Manifest) -> Result<Authorities, Error> {
        let mut found = Authorities::new();
        for entry in &manifest.authorities {
            let certificate = Certificate::from_pem(self.file(&entry.path, entry.file_sha256)?)
                .map_err(|e| Error(format!("{}: {e}", entry.path)))?;
            self.file(&entry.chain_path, entry.chain_file_sha256)?;
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
            if found.insert(entry.name.clone(), (entry.clone(), authority)).is_some() {
                return Err(Error(format!("authority {}: listed twice", entry.name)));
            }
        }
        for (entry, authority) in found.values() {
            let (_, issuer) = issuer_of(&found, &entry.issuer, &entry.name)?;
            signed_by(&entry.path, authority.certificate(), issuer)?;
        }
        self.chains(&found)?;
        Ok(found)
    }

    /// Each chain file is the certificates from the authority up to its root, and nothing else.
    fn chains(&self, authorities: &Authorities) -> Result<(), Error> {
        for (entry, _) in authorities.values() {
            let mut text = String::new();
            for name in path_to_root(authorities, &entry.name)? {
                let (_, authority) = issuer_of(authorities, &name, &entry.name)?;
                text.push_str(&authority.certificate().pem()?);
            }
            if self.files.get(entry.chain_path.as_str()).map(Vec::as_slice) != Some(text.as_bytes()) {
                return Err(Error(format!("{}: is not the chain of {}", entry.chain_path, entry.name)));
            }
        }
        Ok(())
    }

    fn certificates(&mut self, manifest: &Manifest, authorities: &Authorities) -> Result<(), Error> {
        let mut serials = HashSet::new();
        for entry in &manifest.certificates {
            let certificate = Certificate::from_pem(self.file(&entry.path, entry.file_sha256)?)
                .map_err(|e| Error(format!("{}: {e}", entry.path)))?;
            let told = IssuedFacts {
                serial: entry.serial.clone(),
                subject: entry.subject.clone(),
                not_before: time(&entry.not_before)?,
                not_after: time(&entry.not_after)?,
                sha256: entry.sha256,
                spki_sha256: entry.spki_sha256,
            };
            same_facts(&entry.path, &told, &certificate)?;
            same_names(entry, &certificate)?;
            let (_, issuer) = issuer_of(authorities, &entry.authority, entry.path.as_str())?;
            signed_by(&entry.path, &certificate, issuer)?;
            let constraints: Option<BasicConstraints> = certificate.extension(BasicConstraints::OID)?;
            if constraints.is_some_and(|constraints| constraints.ca) {
                return Err(Error(format!("{}: is a certificate of an authority", entry.path)));
            }
            if !serials.insert((&entry.authority, &entry.serial)) {
                return Err(Error(format!("{}: serial {} stands there twice", entry.path, entry.serial)));
            }
        }
        Ok(())
    }

    fn transcript(&mut self, manifest: &Manifest) -> Result<(), Error> {
        if manifest.transcript.path.as_str() != TRANSCRIPT {
            return Err(Error(format!("{}: transcript is not at {TRANSCRIPT}", manifest.transcript.path)));
        }
        let octets = self.file(&manifest.transcript.path, manifest.transcript.sha256)?;
        let text = std::str::from_utf8(octets).map_err(|e| Error(format!("{TRANSCRIPT}: {e}")))?;
        let head = check_chain(text)?;
        if head != manifest.transcript.head.to_string() {
            return Err(Error(format!(
                "{TRANSCRIPT}: head is {head}, the manifest says {}",
                manifest.transcript.head
            )));
        }
        Ok(())
    }

    fn nothing_added(&self) -> Result<(), Error> {
        match self.files.keys().find(|path| !self.seen.contains(*path)) {
            None => Ok(()),
            Some(path) => Err(Error(format!("{path}: is not in the manifest"))),
        }
    }
}

fn time(text: &str) -> Result<der::DateTime, Error> {
    text.parse().map_err(|_| Error(format!("{MANIFEST}: {text:?} is no time")))
}

fn issuer_of<'a>(
    all: &'a Authorities,
    issuer: &str,
    of: &str,
) -> Result<&'a (AuthorityEntry, Authority), Error> {
    all.get(issuer).ok_or_else(|| Error(format!("{of}: its authority {issuer} is not in the manifest")))
}

fn same_facts(path: &RelativePath, told: &IssuedFacts, certificate: &Certificate) -> Result<(), Error> {
    if *told == certificate.facts() {
        return Ok(());
    }
    Err(Error(format!("{path}: the manifest describes another certificate")))
}

fn same_names(entry: &CertificateEntry, certificate: &Certificate) -> Result<(), Error> {
    let names: Option<SubjectAltName> = certificate.extension(SubjectAltName::OID)?;
    let mut dns = Vec::new();
    let mut ip = Vec::new();
    for name in names.map(|names| names.0).unwrap_or_default() {
        match name {
            GeneralName::DnsName(name) => dns.push(name.to_string()),
            GeneralName::IpAddress(octets) => ip.push(address(octets.as_bytes())?.to_string()),
            _ => {
                return Err(Error(format!(
                    "{}: holds a name that is neither DNS name nor IP address",
                    entry.path
                )));
            }
        }
    }
    if dns == entry.dns && ip == entry.ip {
        return Ok(());
    }
    Err(Error(format!("{}: the manifest tells other names than the certificate", entry.path)))
}

fn address(octets: &[u8]) -> Result<IpAddr, Error> {
    let four = <[u8; 4]>::try_from(octets).map(IpAddr::from);
    four.or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from))
        .map_err(|_| Error("IP address has neither 4 nor 16 octets".into()))
}

fn signed_by(path: &RelativePath, certificate: &Certificate, issuer: &Authority) -> Result<(), Error> {
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

/// The names from an authority up to its root, both included.
fn path_to_root(all: &Authorities, from: &str) -> Result<Vec<String>, Error> {
    let mut path = vec![from.to_owned()];
    let mut current = from.to_owned();
    while path.len() <= all.len() {
        let (entry, _) = issuer_of(all, &current, from)?;
        if entry.issuer == current {
            return Ok(path);
        }
        current = entry.issuer.clone();
        path.push(current.clone());
    }
    Err(Error(format!("authority {from}: its issuers run in a circle")))
}

fn trusted_root(manifest: &Manifest, all: &Authorities, root: &Root) -> Result<String, Error> {
    let wanted = match root {
        Root::Certificate(certificate) => certificate.digest(),
        Root::Sha256(digest) => *digest,
    };
    let path = path_to_root(all, &manifest.signer.authority)?;
    let top = path.last().cloned().unwrap_or_default();
    let (entry, _) = issuer_of(all, &top, "manifest signer")?;
    if entry.sha256 != wanted {
        return Err(Error(format!(
            "the manifest's signer is under the root {top} with SHA-256 {}, the root you trust has {wanted}",
            entry.sha256
        )));
    }
    Ok(top)
}

fn check_signer(
    manifest: &Manifest,
    signer: &Certificate,
    all: &Authorities,
    root: &str,
) -> Result<(), Error> {
    let wrong = |what: String| Error(format!("manifest signer: {what}"));
    if signer.digest() != manifest.signer.certificate_sha256 {
        return Err(wrong("the manifest names another certificate".into()));
    }
    let (_, issuer) = issuer_of(all, &manifest.signer.authority, "manifest signer")?;
    signed_by(&RelativePath::new(SIGNATURE)?, signer, issuer)?;
    let purposes: Option<ExtendedKeyUsage> = signer.extension(ExtendedKeyUsage::OID)?;
    if purposes.map(|purposes| purposes.0) != Some(vec![ID_KP_EMAIL_PROTECTION]) {
        return Err(wrong("its certificate is not for signing manifests".into()));
    }
    let created = time(&manifest.created)?;
    let validity = signer.validity();
    if created < validity.not_before || created > validity.not_after {
        return Err(wrong(format!(
            "its certificate was not valid when the manifest was made, {created}, under {root}"
        )));
    }
    Ok(())
}
