//! Bundles: request files on one or more media, with or without an index.

use std::collections::HashMap;
use std::path::Path;

use super::index::{self, Entry, INDEX, Index, MAX_INDEX};
use super::private_key::form_of_private_key;
use crate::digest::Digest;
use crate::media::{Error, Leading, Limits, RelativePath, read_each};

/// Limits of one medium: 64 KiB per request, 4 GiB and 2,000,000 requests in total.
pub const ENTRY_LIMITS: Limits = Limits { file: 64 << 10, total: 4 << 30, files: 2_000_000 };
/// Maximum number of signatures over one index.
const MAX_SIGNATURES: usize = 32;

/// A request file as received.
#[derive(Clone, Debug)]
pub struct BundleFile {
    /// Path in the bundle.
    pub path: RelativePath,
    /// Contents of the file.
    pub octets: Vec<u8>,
    /// Index entry; `None` in a bundle without an index.
    pub entry: Option<Box<Entry>>,
    /// Number of the medium, from 0.
    pub bundle: usize,
}

impl BundleFile {
    /// Checks the digest of the file against the index.
    ///
    /// # Errors
    /// [`Error::Refused`] when they differ.
    pub fn check(&self, digest: Digest) -> Result<(), Error> {
        match self.entry.as_ref().filter(|entry| entry.sha256 != digest) {
            None => Ok(()),
            Some(entry) => Err(Error::Refused(format!(
                "{}: SHA-256 is {digest}, but {INDEX} lists {}; the file was changed after the bundle was made; make the bundle again [BUNDLE-DIGEST]",
                self.path, entry.sha256
            ))),
        }
    }
}

/// An index and the signatures over it, read before any request of the bundle is used.
#[derive(Clone, Debug)]
pub struct Opened {
    /// Number of the medium, from 0.
    pub bundle: usize,
    /// The medium as named by the operator.
    pub medium: String,
    /// The parsed index.
    pub index: Index,
    /// The exact octets that approvers sign.
    pub octets: Vec<u8>,
    /// Signatures over `octets`, with their paths.
    pub signatures: Vec<(RelativePath, Vec<u8>)>,
}

/// Decides whether a bundle may be used.
pub trait Gate {
    /// Reason for rejecting a bundle.
    type Error: From<Error>;

    /// Called at the start of a bundle with an index.
    ///
    /// # Errors
    /// The reason for rejecting the bundle.
    fn open(&mut self, opened: &Opened) -> Result<(), Self::Error>;

    /// Called at the start of a bundle without an index.
    ///
    /// # Errors
    /// The reason for rejecting the bundle.
    fn open_without_index(&mut self, medium: &str) -> Result<(), Self::Error>;
}

/// Reads media of requests, each a folder or a tar, into one tree.
///
/// # Errors
/// [`Error::Refused`] when a medium is empty or invalid, differs from its index, or contains a
/// private key: then nothing of the bundle is used. Errors of `gate` and `each` are passed through.
pub fn read_bundles<G: Gate>(
    bundles: &[impl AsRef<Path>],
    gate: &mut G,
    each: &mut dyn FnMut(BundleFile) -> Result<(), G::Error>,
) -> Result<(), G::Error> {
    for (bundle, medium) in bundles.iter().enumerate() {
        let named = medium.as_ref().display().to_string();
        let mut reader = Reader { bundle, named, state: State::Start, requests: 0, gate };
        let leading = Leading { is: index::is_leading, file: MAX_INDEX };
        read_each(medium.as_ref(), ENTRY_LIMITS, leading, &mut |path, octets| {
            reader.take(path, octets)?.map_or(Ok(()), &mut *each)
        })?;
        reader.finish()?;
    }
    Ok(())
}

struct Reader<'g, G> {
    bundle: usize,
    named: String,
    state: State,
    requests: usize,
    gate: &'g mut G,
}

enum State {
    /// Nothing read yet.
    Start,
    /// Index read; signatures over it may follow.
    Opening(Box<Opened>),
    /// Requests that the index lists and that were not read yet.
    Listed(HashMap<RelativePath, Entry>),
    /// No index.
    Plain,
}

impl<G: Gate> Reader<'_, G> {
    fn take(&mut self, path: RelativePath, octets: Vec<u8>) -> Result<Option<BundleFile>, G::Error> {
        if let Some(form) = form_of_private_key(&octets) {
            return Err(Error::Refused(format!(
                "{}: {path}: contains a PRIVATE KEY ({form}); nothing of this bundle is used; treat the key as compromised: generate a new one, and send only *.csr files [BUNDLE-PRIVATE-KEY]",
                self.named
            )).into());
        }
        if index::is_leading(path.as_str()) {
            return Ok(self.take_leading(path, octets).map(|()| None)?);
        }
        self.begin()?;
        self.requests += 1;
        let entry = match &mut self.state {
            State::Listed(entries) => Some(Box::new(entries.remove(&path).ok_or_else(|| {
                self.refused(&format!(
                    "{path}: not listed in {INDEX}; remove it, or make the bundle again [BUNDLE-INDEX]"
                ))
            })?)),
            _ => None,
        };
        Ok(Some(BundleFile { path, octets, entry, bundle: self.bundle }))
    }

    fn take_leading(&mut self, path: RelativePath, octets: Vec<u8>) -> Result<(), Error> {
        match &mut self.state {
            State::Start if path.as_str() == INDEX => {
                let index = Index::parse(&octets).map_err(|e| self.refused(&e.to_string()))?;
                let (bundle, medium) = (self.bundle, self.named.clone());
                let opened = Opened { bundle, medium, index, octets, signatures: Vec::new() };
                self.state = State::Opening(Box::new(opened));
                Ok(())
            }
            State::Opening(opened) if path.as_str() != INDEX && opened.signatures.len() < MAX_SIGNATURES => {
                if octets.len() as u64 > ENTRY_LIMITS.file {
                    let limit = ENTRY_LIMITS.file;
                    return Err(self.refused(&format!("{path}: larger than {limit} octets [MEDIA-SIZE]")));
                }
                opened.signatures.push((path, octets));
                Ok(())
            }
            State::Opening(_) => Err(self.refused(&format!(
                "{path}: more than {MAX_SIGNATURES} signatures over {INDEX} [BUNDLE-INDEX]"
            ))),
            _ => Err(self.refused(&format!(
                "{path}: out of order; {INDEX} must be the first file of the tar, followed by its signatures, because a tar is read once: tar -cf BUNDLE.tar {INDEX} {INDEX}.*.sig OTHERS [BUNDLE-INDEX]"
            ))),
        }
    }

    /// Called before the first request or at the end: index and signatures are complete.
    fn begin(&mut self) -> Result<(), G::Error> {
        match std::mem::replace(&mut self.state, State::Plain) {
            State::Start => self.gate.open_without_index(&self.named),
            State::Opening(opened) => {
                self.gate.open(&opened)?;
                self.state = State::Listed(opened.index.into_entries());
                Ok(())
            }
            other => {
                self.state = other;
                Ok(())
            }
        }
    }

    fn finish(mut self) -> Result<(), G::Error> {
        if self.requests == 0 && matches!(self.state, State::Start) {
            let why = "bundle is empty; it must contain *.csr files [BUNDLE-EMPTY]";
            return Err(self.refused(why).into());
        }
        self.begin()?;
        if let State::Listed(entries) = &self.state
            && let Some(first) = entries.keys().min()
        {
            return Err(self
                .refused(&format!(
                    "{first}: listed in {INDEX} but missing ({} of {} requests missing); make the bundle again [BUNDLE-INDEX]",
                    entries.len(),
                    entries.len() + self.requests
                ))
                .into());
        }
        if self.requests == 0 {
            return Err(self.refused("bundle contains no requests [BUNDLE-EMPTY]").into());
        }
        Ok(())
    }

    fn refused(&self, why: &str) -> Error {
        Error::Refused(format!("{}: {why}", self.named))
    }
}
