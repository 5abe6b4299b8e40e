//! Verification of a release. The only trust anchor is the root that the verifier knows, and no file
//! may be missing or added.

mod authorities;
mod certificates;
mod checks;

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io::Read;
use std::sync::OnceLock;

use authorities::Authorities;
use serde::de::DeserializeOwned;

use super::manifest::{AuthorityEntry, CertificateEntry, FORMATS, Head, RefusalEntry};
use super::{Error, MANIFEST, SIGNATURE, TRANSCRIPT, TextReader, cms, decode, read_texts};
use crate::digest::{Digest, Hasher};
use crate::issuance::{Certificate, Validity};
use crate::media::{Member, RelativePath, Tree};
use crate::parallel;
use crate::record::{Chain, lines};

/// Maximum size of a file other than manifest and transcript, in octets.
const FILE_LIMIT: u64 = 1 << 20;
/// Certificates per work item of a thread.
const GROUP: usize = 64;
/// Maximum refusals in the report.
const MAX_REFUSALS: usize = 40;

/// The root that the verifier trusts.
#[derive(Clone, Debug)]
pub enum Root {
    /// Its certificate.
    Certificate(Box<Certificate>),
    /// SHA-256 of its certificate's DER octets.
    Sha256(Digest),
}

/// What the verifier trusts.
#[derive(Clone, Debug)]
pub struct Trust {
    /// The root above the manifest key.
    pub root: Root,
    /// SHA-256 of the DER octets of the manifest key's certificate, if the verifier knows it; no other key
    /// is then accepted.
    pub manifest_key: Option<Digest>,
}

/// The key that signed a manifest.
#[derive(Clone, Debug)]
pub struct ManifestKey {
    /// SHA-256 of its certificate's DER octets.
    pub certificate_sha256: Digest,
    /// Name of the authority that issued its certificate.
    pub issuer: String,
    /// Validity of its certificate.
    pub validity: Validity,
    /// Whether its certificate and every authority between it and the root assert the policy
    /// [`crate::issuance::MANIFEST_SIGNING`]. Older keys do not: only the extended key usage distinguishes
    /// them from other keys below the root, so they are accepted only directly under the root, or if the
    /// verifier names them.
    pub bound: bool,
}

/// The result of a successful verification.
#[derive(Debug)]
pub struct Report {
    /// The manifest without its lists.
    pub head: Head,
    /// Number of certificates.
    pub certificates: usize,
    /// Number of refusals.
    pub refusals: usize,
    /// The first refusals, at most 40.
    pub first_refusals: Vec<RefusalEntry>,
    /// SHA-256 of the manifest file.
    pub manifest_sha256: Digest,
    /// Name of the trusted root in the release.
    pub root: String,
    /// The key that signed the manifest.
    pub manifest_key: ManifestKey,
    /// The authorities, in the order of their names.
    pub authorities: Vec<(AuthorityEntry, Certificate)>,
    /// The certificates that `keep` selected, in the order of the manifest.
    pub kept: Vec<(CertificateEntry, Certificate)>,
}

/// A work item: JSON texts of manifest entries.
enum Piece {
    Certificates(Vec<String>),
    Refusals(Vec<String>),
}

/// A checked work item.
enum Checked {
    /// Hashes of authority and serial number; the selected certificates.
    Certificates(Vec<u64>, Vec<(CertificateEntry, Certificate)>),
    Refusals(Vec<RefusalEntry>),
}

/// Verifies all files of a release in up to `threads` threads; the report includes the certificates
/// that `keep` selects.
///
/// # Errors
/// [`Error`] describes the first problem, in the order of the manifest.
pub fn verify(
    tree: &Tree,
    trust: &Trust,
    threads: usize,
    keep: &(dyn Fn(&CertificateEntry) -> bool + Sync),
) -> Result<Report, Error> {
    let (mut manifest, _) = tree.member(&RelativePath::new(MANIFEST)?)?;
    let digest = hash(manifest.clone())?;
    let signature = tree.read(&RelativePath::new(SIGNATURE)?, FILE_LIMIT)?;
    let signer = cms::verify_manifest(&digest, &signature)?;
    let trusted = OnceLock::new();
    let mut report = Lists::default();
    let source = |each: &mut dyn FnMut(Piece) -> Result<(), Error>| {
        let mut hashed = Hashed { member: &mut manifest, hasher: Hasher::default() };
        let mut feed = Feed {
            tree,
            trust,
            signer: &signer,
            trusted: &trusted,
            each,
            certificates: Vec::new(),
            refusals: Vec::new(),
        };
        read_texts(&mut hashed, &mut feed)?;
        feed.flush()?;
        // The signature was verified over the first read of the manifest; this is the second.
        match hashed.rest()? == digest {
            true => Ok(()),
            false => Err(Error(format!("{MANIFEST}: changed while it was read"))),
        }
    };
    let hasher = RandomState::new();
    let check = |piece: Piece| -> Result<Checked, Error> {
        match piece {
            Piece::Refusals(list) => Ok(Checked::Refusals(decoded(&list)?)),
            Piece::Certificates(list) => {
                let Trusted { authorities, .. } =
                    trusted.get().ok_or_else(|| Error("manifest has no head".into()))?;
                let mut serials = Vec::with_capacity(list.len());
                let mut kept = Vec::new();
                for entry in decoded::<CertificateEntry>(&list)? {
                    let certificate = certificates::check(tree, authorities, &entry)?;
                    serials.push(hasher.hash_one((&entry.authority, &entry.serial)));
                    if keep(&entry) {
                        kept.push((entry, certificate));
                    }
                }
                Ok(Checked::Certificates(serials, kept))
            }
        }
    };
    parallel::ordered(threads, source, check, |checked| report.take(checked?))?;
    let Trusted { head, root, authorities, manifest_key } =
        trusted.into_inner().ok_or_else(|| Error("manifest has no head".into()))?;
    check_transcript(tree, &head)?;
    if let Some(path) = tree.unread()? {
        return Err(Error(format!("{path}: is not in the manifest")));
    }
    let Lists { certificates, refusals, first_refusals, kept, .. } = report;
    Ok(Report {
        head,
        certificates,
        refusals,
        first_refusals,
        manifest_sha256: digest,
        root,
        manifest_key,
        authorities: authorities.into_list(),
        kept,
    })
}

fn decoded<T: DeserializeOwned>(texts: &[String]) -> Result<Vec<T>, Error> {
    texts.iter().map(|text| decode(text)).collect()
}

/// The manifest's head, after authorities and signer were verified.
struct Trusted {
    head: Head,
    authorities: Authorities,
    root: String,
    manifest_key: ManifestKey,
}

/// Groups manifest entries into work items.
struct Feed<'a> {
    tree: &'a Tree,
    trust: &'a Trust,
    signer: &'a Certificate,
    trusted: &'a OnceLock<Trusted>,
    each: &'a mut dyn FnMut(Piece) -> Result<(), Error>,
    certificates: Vec<String>,
    refusals: Vec<String>,
}

impl Feed<'_> {
    fn flush(&mut self) -> Result<(), Error> {
        (self.each)(Piece::Certificates(std::mem::take(&mut self.certificates)))?;
        (self.each)(Piece::Refusals(std::mem::take(&mut self.refusals)))
    }
}

impl TextReader for Feed<'_> {
    fn head(&mut self, head: Head) -> Result<(), Error> {
        if !FORMATS.contains(&head.format.as_str()) {
            return Err(Error(format!(
                "{MANIFEST}: format is {:?}, this version reads {}",
                head.format,
                FORMATS.join(" and ")
            )));
        }
        let authorities = Authorities::read(self.tree, &head)?;
        let root = authorities.trusted_root(&head, &self.trust.root)?;
        let manifest_key = authorities.check_signer(&head, self.signer, &root, self.trust.manifest_key)?;
        // A manifest has one head, so this is set once.
        let _ = self.trusted.set(Trusted { head, authorities, root, manifest_key });
        Ok(())
    }

    fn certificate(&mut self, text: &str) -> Result<(), Error> {
        self.certificates.push(text.to_owned());
        if self.certificates.len() < GROUP {
            return Ok(());
        }
        (self.each)(Piece::Certificates(std::mem::take(&mut self.certificates)))
    }

    fn refusal(&mut self, text: &str) -> Result<(), Error> {
        self.refusals.push(text.to_owned());
        if self.refusals.len() < GROUP { Ok(()) } else { self.flush() }
    }
}

/// The accumulated results of the lists.
#[derive(Default)]
struct Lists {
    certificates: usize,
    refusals: usize,
    first_refusals: Vec<RefusalEntry>,
    serials: HashSet<u64>,
    kept: Vec<(CertificateEntry, Certificate)>,
}

impl Lists {
    fn take(&mut self, checked: Checked) -> Result<(), Error> {
        match checked {
            Checked::Certificates(serials, kept) => {
                self.certificates += serials.len();
                self.kept.extend(kept);
                // Two of a million distinct serial numbers collide in one of ten million runs.
                match serials.into_iter().all(|serial| self.serials.insert(serial)) {
                    true => Ok(()),
                    false => Err(Error("duplicate serial number under one authority".into())),
                }
            }
            Checked::Refusals(list) => {
                self.refusals += list.len();
                let room = MAX_REFUSALS.saturating_sub(self.first_refusals.len());
                self.first_refusals.extend(list.into_iter().take(room));
                Ok(())
            }
        }
    }
}

/// A reader that hashes what it reads.
struct Hashed<'a> {
    member: &'a mut Member,
    hasher: Hasher,
}

impl Read for Hashed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.member.read(buffer)?;
        self.hasher.update(buffer.split_at(read).0);
        Ok(read)
    }
}

impl Hashed<'_> {
    /// Reads to the end and returns the digest of the whole file.
    fn rest(mut self) -> Result<Digest, Error> {
        std::io::copy(&mut self, &mut std::io::sink()).map_err(unreadable)?;
        Ok(self.hasher.finish())
    }
}

fn hash(mut member: Member) -> Result<Digest, Error> {
    let mut hasher = Hasher::default();
    let mut buffer = vec![0; 1 << 17];
    loop {
        let read = member.read(&mut buffer).map_err(unreadable)?;
        let (found, _) = buffer.split_at(read);
        if found.is_empty() {
            return Ok(hasher.finish());
        }
        hasher.update(found);
    }
}

fn unreadable(error: std::io::Error) -> Error {
    Error(format!("release: {error}"))
}

/// Reads a file and compares it with its digest in the manifest.
fn file(tree: &Tree, path: &RelativePath, digest: &Digest) -> Result<Vec<u8>, Error> {
    let octets = tree.read(path, FILE_LIMIT)?;
    let found = Digest::of(&octets);
    if found == *digest {
        return Ok(octets);
    }
    Err(Error(format!("{path}: SHA-256 is {found}, but the manifest says {digest}")))
}

fn check_transcript(tree: &Tree, head: &Head) -> Result<(), Error> {
    let entry = &head.transcript;
    if entry.path.as_str() != TRANSCRIPT {
        return Err(Error(format!("{}: transcript is not at {TRANSCRIPT}", entry.path)));
    }
    let (mut member, _) = tree.member(&entry.path)?;
    // The digest is compared before parsing: unsigned data is not parsed.
    let same = |found: Digest| match found == entry.sha256 {
        true => Ok(()),
        false => {
            Err(Error(format!("{TRANSCRIPT}: SHA-256 is {found}, but the manifest says {}", entry.sha256)))
        }
    };
    same(hash(member.clone())?)?;
    let mut hashed = Hashed { member: &mut member, hasher: Hasher::default() };
    let (mut chain, mut wrong) = (Chain::default(), None);
    lines(&mut hashed, &mut |line, _| {
        if wrong.is_none() {
            wrong = chain.line(line).err();
        }
    })
    .map_err(unreadable)?;
    same(hashed.rest()?)?;
    if let Some(wrong) = wrong {
        return Err(Error(wrong));
    }
    let chain = chain.head().map_err(Error)?;
    if chain != entry.head {
        return Err(Error(format!("{TRANSCRIPT}: head is {chain}, but the manifest says {}", entry.head)));
    }
    Ok(())
}
