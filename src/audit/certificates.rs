//! Runs of certificates: the transcript states their number and the digest of their list, which is
//! computed again from ledger rows or manifest entries as they are read.

use crate::digest::{Digest, Hasher};
use crate::record::Run;

/// Compares the runs of a transcript with certificates in their order.
#[derive(Debug)]
pub struct Runs<'s> {
    left: std::slice::Iter<'s, Run>,
    open: Option<Open<'s>>,
    count: u64,
    wrong: Option<String>,
}

#[derive(Debug)]
struct Open<'s> {
    run: &'s Run,
    hasher: Hasher,
    taken: u64,
}

impl<'s> Runs<'s> {
    pub fn new(runs: &'s [Run]) -> Self {
        Self { left: runs.iter(), open: None, count: 0, wrong: None }
    }

    /// Returns the number of certificates so far.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Adds the next certificate: serial number and SHA-256 of its DER.
    pub fn take(&mut self, serial: &str, certificate: &Digest) {
        self.count += 1;
        if self.wrong.is_some() {
            return;
        }
        if self.open.is_none() {
            let Some(run) = self.left.next() else {
                self.wrong =
                    Some(format!("the certificate of serial number {serial} is in no run of the transcript"));
                return;
            };
            self.open = Some(Open { run, hasher: Hasher::default(), taken: 0 });
        }
        let Some(open) = &mut self.open else { return };
        open.taken += 1;
        open.hasher.list(serial, certificate);
        if open.taken >= open.run.certificates {
            self.wrong = open.close(serial).err();
            self.open = None;
        }
    }

    /// Checks that the certificates were those of the transcript, and returns their number.
    pub fn finish(mut self) -> Result<u64, String> {
        if let Some(wrong) = self.wrong {
            return Err(wrong);
        }
        if let Some(open) = self.open {
            return Err(format!(
                "the transcript has {} certificates from serial number {}; {} found",
                open.run.certificates, open.run.first_serial, open.taken
            ));
        }
        match self.left.next() {
            None => Ok(self.count),
            Some(run) => Err(format!(
                "the transcript has {} certificates from serial number {} to {} that are missing",
                run.certificates, run.first_serial, run.last_serial
            )),
        }
    }
}

impl Open<'_> {
    fn close(&self, last: &str) -> Result<(), String> {
        let (run, found) = (self.run, self.hasher.clone().finish());
        if found == run.listing_sha256 {
            return Ok(());
        }
        Err(format!(
            "the {} certificates that end with serial number {last} have the list digest {found}; the transcript has {} from serial number {} to {} with the list digest {}",
            self.taken, run.certificates, run.first_serial, run.last_serial, run.listing_sha256
        ))
    }
}
