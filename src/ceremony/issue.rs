//! Issuing: reserve a group, sign it, verify it, record it; then the next.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Error;
use super::conductor::Conductor;
use crate::issuance::{Authority, Certificate, ToBeSigned};
use crate::ledger::{Reservation, StoredKey};
use crate::policy::Approval;

/// So many certificates share one synchronisation of the ledger before and one after.
const GROUP: usize = 64;

/// Authorities by name, with their keys in the token.
type Authorities = BTreeMap<String, (Authority, StoredKey)>;

impl Conductor<'_> {
    pub(super) fn issue(&mut self) -> Result<(), Error> {
        let authorities = self.authorities_in_use()?;
        let mut done = self.finish_reserved(&authorities)?;
        let approvals = self.judged.approvals.clone();
        let mut open: Vec<&Approval> = Vec::new();
        for approval in &approvals {
            if !self.ledger.is_reserved(self.id, approval.path().as_str())? {
                open.push(approval);
            }
        }
        for group in open.chunks(GROUP) {
            let reserved = self.reserve_group(group, &authorities)?;
            self.sign_group(reserved, &authorities)?;
            done += group.len();
            self.people.progress(done, approvals.len());
        }
        self.people.show(&format!("  {} certificates issued, each signature verified", approvals.len()));
        self.record("issued", json!({ "certificates": approvals.len() }))
    }

    fn authorities_in_use(&self) -> Result<Authorities, Error> {
        let mut found = Authorities::new();
        for approval in &self.judged.approvals {
            if !found.contains_key(approval.authority()) {
                let name = approval.authority();
                found.insert(name.to_owned(), (self.authority(name)?, self.stored_key(name)?));
            }
        }
        Ok(found)
    }

    /// Signs what an interrupted run reserved: the same octets, the same serial numbers.
    fn finish_reserved(&mut self, authorities: &Authorities) -> Result<usize, Error> {
        let mut reserved = Vec::new();
        for pending in self.ledger.pending(self.id)? {
            let (authority, _) = find(authorities, &pending.authority)?;
            let reservation = self.resumed(&pending, Some(authority), authority.name(), authority.key())?;
            reserved.push((pending.path, reservation));
        }
        let mut before = 0;
        for approval in &self.judged.approvals {
            before += usize::from(self.ledger.is_reserved(self.id, approval.path().as_str())?);
        }
        if !reserved.is_empty() {
            self.sign_group(reserved, authorities)?;
        }
        Ok(before)
    }

    fn reserve_group(
        &mut self,
        group: &[&Approval],
        authorities: &Authorities,
    ) -> Result<Vec<(String, Reservation)>, Error> {
        let now = self.now()?;
        let mut built = Vec::with_capacity(group.len());
        for approval in group {
            let (authority, _) = find(authorities, approval.authority())?;
            built.push((*approval, ToBeSigned::leaf(approval, authority, self.serial()?, now)?));
        }
        let paths = group.iter().map(|approval| approval.path().to_string());
        Ok(paths.zip(self.ledger.reserve(self.id, built)?).collect())
    }

    fn sign_group(
        &mut self,
        reserved: Vec<(String, Reservation)>,
        authorities: &Authorities,
    ) -> Result<(), Error> {
        let session = self.session()?;
        let mut keys = BTreeMap::new();
        let mut signed: Vec<(Reservation, Certificate)> = Vec::with_capacity(reserved.len());
        let mut written: Vec<Value> = Vec::with_capacity(reserved.len());
        for (path, reservation) in reserved {
            let name = reservation.tbs().issuer().to_owned();
            if !keys.contains_key(&name) {
                let (authority, stored) = find(authorities, &name)?;
                keys.insert(name.clone(), session.authority_key(stored, authority.key())?.0);
            }
            let key = keys.get(&name).ok_or_else(|| Error::Fault(format!("{name}: no key")))?;
            let certificate = Certificate::assemble(reservation.tbs(), &key.sign(&reservation)?)?;
            written.push(json!({ "path": path, "serial": reservation.tbs().serial().hex(), "sha256": certificate.digest() }));
            signed.push((reservation, certificate));
        }
        self.ledger.record(&signed)?;
        self.record("signed", json!({ "certificates": written }))
    }
}

fn find<'a>(authorities: &'a Authorities, name: &str) -> Result<&'a (Authority, StoredKey), Error> {
    authorities.get(name).ok_or_else(|| Error::Fault(format!("{name}: is no authority of this run")))
}
