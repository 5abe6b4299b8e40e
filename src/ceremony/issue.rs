//! Issuing: reserve a group, sign it, verify it, record it; then the next.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Error;
use super::conductor::Conductor;
use crate::issuance::{Authority, Certificate, ToBeSigned};
use crate::ledger::Reservation;
use crate::policy::Approval;
use crate::token::{AuthorityKey, Session};

/// So many certificates share one synchronisation of the ledger before and one after.
const GROUP: usize = 64;

/// Authorities by name, with their keys in the token, proved before anything is reserved.
type Signers<'s> = BTreeMap<String, (Authority, AuthorityKey<'s>)>;

impl Conductor<'_> {
    pub(super) fn issue(&mut self) -> Result<(), Error> {
        // Keys borrow the session while the ledger is written to, so it is taken out meanwhile.
        let session = self.session.take().ok_or_else(|| Error::Fault("no token is open".into()))?;
        let result = self.issue_at(&session);
        self.session = Some(session);
        result
    }

    fn issue_at(&mut self, session: &Session) -> Result<(), Error> {
        let signers = self.signers(session)?;
        self.finish_reserved(&signers)?;
        let approvals = self.judged.approvals.clone();
        let mut open: Vec<&Approval> = Vec::new();
        for approval in &approvals {
            if !self.ledger.is_reserved(self.id, approval.path().as_str())? {
                open.push(approval);
            }
        }
        let mut done = approvals.len() - open.len();
        for group in open.chunks(GROUP) {
            let reserved = self.reserve_group(group, &signers, session)?;
            self.sign_group(reserved, &signers)?;
            done += group.len();
            self.people.progress(done, approvals.len());
        }
        self.people.show(&format!("  {} certificates issued, each signature verified", approvals.len()));
        self.record("issued", json!({ "certificates": approvals.len() }))
    }

    fn signers<'s>(&self, session: &'s Session) -> Result<Signers<'s>, Error> {
        let mut found = Signers::new();
        for approval in &self.judged.approvals {
            let name = approval.authority();
            if !found.contains_key(name) {
                let authority = self.authority(name)?;
                let (key, _) = session.authority_key(&self.stored_key(name)?, authority.key())?;
                found.insert(name.to_owned(), (authority, key));
            }
        }
        Ok(found)
    }

    /// Signs what an interrupted run reserved: the same octets, the same serial numbers.
    fn finish_reserved(&mut self, signers: &Signers<'_>) -> Result<(), Error> {
        let mut reserved = Vec::new();
        for pending in self.ledger.pending(self.id)? {
            let (authority, _) = find(signers, &pending.authority)?;
            let reservation = self.resumed(&pending, Some(authority), authority.name(), authority.key())?;
            reserved.push((pending.path, reservation));
        }
        if reserved.is_empty() {
            return Ok(());
        }
        self.sign_group(reserved, signers)
    }

    fn reserve_group(
        &mut self,
        group: &[&Approval],
        signers: &Signers<'_>,
        session: &Session,
    ) -> Result<Vec<(String, Reservation)>, Error> {
        let now = self.now()?;
        let mut built = Vec::with_capacity(group.len());
        for approval in group {
            let (authority, _) = find(signers, approval.authority())?;
            built.push((*approval, ToBeSigned::leaf(approval, authority, self.serial(session)?, now)?));
        }
        let paths = group.iter().map(|approval| approval.path().to_string());
        Ok(paths.zip(self.ledger.reserve(self.id, built)?).collect())
    }

    fn sign_group(
        &mut self,
        reserved: Vec<(String, Reservation)>,
        signers: &Signers<'_>,
    ) -> Result<(), Error> {
        let mut signed: Vec<(Reservation, Certificate)> = Vec::with_capacity(reserved.len());
        let mut written: Vec<Value> = Vec::with_capacity(reserved.len());
        for (path, reservation) in reserved {
            let (_, key) = find(signers, reservation.tbs().issuer())?;
            let certificate = Certificate::assemble(reservation.tbs(), &key.sign(&reservation)?)?;
            let serial = reservation.tbs().serial().hex();
            written.push(json!({ "path": path, "serial": serial, "sha256": certificate.digest() }));
            signed.push((reservation, certificate));
        }
        self.ledger.record(&signed)?;
        self.record("signed", json!({ "certificates": written }))
    }
}

fn find<'a, 's>(signers: &'a Signers<'s>, name: &str) -> Result<&'a (Authority, AuthorityKey<'s>), Error> {
    signers.get(name).ok_or_else(|| Error::Fault(format!("{name}: is no authority of this run")))
}
