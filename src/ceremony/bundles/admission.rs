//! Admission of a bundle as a whole, decided by its index before any request is read: cluster, time,
//! sequence, approvals.

use std::collections::HashMap;

use der::DateTime;

use crate::failure::Failure;
use crate::ledger::KeptIndex;
use crate::media::Error as MediaError;
use crate::plan::Script;
use crate::record::BundleFacts;
use crate::request::{Approvals, Gate, INDEX, Index, IndexName, Opened, Time};

/// Maximum seconds by which a bundle may be dated ahead of the clock: clocks of two machines differ.
const AHEAD: u64 = 300;

/// Last sequence number of each cluster and part.
pub type Sequences = HashMap<(String, String), u64>;

/// Admits or refuses bundles as a whole.
pub struct BundleAdmission<'s> {
    script: &'s Script,
    now: DateTime,
    sequences: Sequences,
    /// Required approvals, unless they are ignored.
    approvals: Option<&'s Approvals>,
    /// Facts and index of each admitted bundle that has an index.
    pub accepted: Vec<(BundleFacts, KeptIndex)>,
}

impl<'s> BundleAdmission<'s> {
    pub fn new(script: &'s Script, approved: bool, now: DateTime, sequences: Sequences) -> Self {
        let approvals = script.approvals.as_ref().filter(|_| approved);
        Self { script, now, sequences, approvals, accepted: Vec::new() }
    }

    fn facts(&self, opened: &Opened) -> Result<BundleFacts, String> {
        let index = &opened.index;
        let cluster = self.script.cluster.as_ref();
        let facts = BundleFacts::new(opened.bundle, (index, &opened.octets), cluster, Vec::new());
        self.check_cluster(index)?;
        self.script.check_part(index)?;
        self.check_time(index)?;
        if let Some(cluster) = &facts.cluster {
            self.check_sequence(index, cluster)?;
        }
        Ok(facts)
    }

    fn check_cluster(&self, index: &Index) -> Result<(), String> {
        match (&index.cluster, &self.script.cluster) {
            (Some(named), Some(wanted)) if named != wanted => Err(format!(
                "cluster is {}, but the script signs for {}; name the matching script or bundle [BUNDLE-CLUSTER]",
                named.as_str(),
                wanted.as_str()
            )),
            _ => Ok(()),
        }
    }

    fn check_time(&self, index: &Index) -> Result<(), String> {
        let (now, created) = (self.now, index.created.0);
        if created.unix_duration().as_secs() > now.unix_duration().as_secs() + AHEAD {
            return Err(format!(
                "was created at {created}, but the clock says {now}; set the clock correctly (UTC) here or where the bundle was made [BUNDLE-TIME]"
            ));
        }
        match index.expires.filter(|expires| expires.0 < now) {
            None => Ok(()),
            Some(Time(expires)) => Err(format!(
                "expired at {expires}, but the clock says {now}; make a new bundle [BUNDLE-TIME]"
            )),
        }
    }

    fn check_sequence(&self, index: &Index, cluster: &IndexName) -> Result<(), String> {
        let part = index.part.as_ref().map(IndexName::as_str).unwrap_or_default();
        let key = (cluster.as_str().to_owned(), part.to_owned());
        let number = index.sequence.number();
        let of = if part.is_empty() { String::new() } else { format!(", part {part}") };
        match self.sequences.get(&key).filter(|last| number <= **last) {
            None => Ok(()),
            Some(last) => Err(format!(
                "sequence is {number}, but the ledger already has {last} for cluster {}{of}; make a new bundle with a higher one [BUNDLE-SEQUENCE]",
                cluster.as_str()
            )),
        }
    }
}

impl Gate for BundleAdmission<'_> {
    type Error = Failure;

    fn open(&mut self, opened: &Opened) -> Result<(), Failure> {
        let facts = self
            .facts(opened)
            .map_err(|why| MediaError::Refused(format!("{}: {INDEX}: {why}", opened.medium)));
        let mut facts = facts?;
        if let Some(approvals) = self.approvals {
            let approvers = approvals.verify(&opened.octets, &opened.signatures);
            let refused = |why| MediaError::Refused(format!("{}: {why}", opened.medium));
            facts.approvers = approvers.map_err(refused)?;
        }
        // Signatures that nobody requires would not be in the transcript either.
        let signatures = self.approvals.map(|_| opened.signatures.clone()).unwrap_or_default();
        let kept = KeptIndex::new(&facts, opened.octets.clone(), signatures);
        self.accepted.push((facts, kept));
        Ok(())
    }

    fn open_without_index(&mut self, medium: &str) -> Result<(), Failure> {
        if self.approvals.is_some() {
            let why = format!(
                "{medium}: has no {INDEX}, but the script requires approvals; make the bundle with `keyrite request` and have its index signed [BUNDLE-APPROVAL]"
            );
            return Err(MediaError::Refused(why).into());
        }
        Ok(())
    }
}
