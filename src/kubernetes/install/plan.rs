//! What is to change on a node, decided before anything is touched.

mod leaves;

use std::collections::{BTreeMap, BTreeSet};

use der::DateTime;
use zeroize::Zeroizing;

use super::ca_file::{CaFile, Rotation};
use super::folder::Owner;
use super::pem::Present;
use super::record::{self, RECORD, Record};
use super::restart::restarts;
use super::target::Target;
use super::transaction::{self, New, Step};
use super::trust::{FRONT_PROXY, Trust};
use super::{Error, kubeconfig};
use crate::digest::Digest;
use crate::issuance::Certificate;
use crate::release::Report;
pub use leaves::Leaf;

/// What the operator decides.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Authorities and the CA files that they are for, beside kubeadm's.
    pub authorities: Vec<(String, String)>,
    /// The target is a rehearsal's.
    pub rehearsal: bool,
    /// CA files may take in another CA.
    pub rotate_ca: bool,
    /// CA files lose every CA that this release does not use here.
    pub drop_old_ca: bool,
}

/// One change, in words.
#[derive(Clone, Debug)]
pub struct Action {
    /// The file, with its folder.
    pub file: String,
    /// What comes to stand there.
    pub what: String,
    /// Whether something stands there now.
    pub replaces: bool,
}

/// Everything that is to change.
#[derive(Debug)]
pub struct Plan<'a> {
    target: &'a Target,
    steps: Vec<Step>,
    made: Vec<String>,
    /// The changes, in words and in their order.
    pub actions: Vec<Action>,
    /// What is right already: the files, with their folders.
    pub unchanged: Vec<String>,
    /// What people should know.
    pub notes: Vec<String>,
}

impl<'a> Plan<'a> {
    /// Decides what a verified release changes on a node.
    ///
    /// # Errors
    /// [`Error::Refused`] says which rule forbids it; [`Error::Fault`] when something cannot be read.
    pub fn new(target: &'a Target, report: &Report, options: &Options, now: DateTime) -> Result<Self, Error> {
        record::admit(target.record.as_ref(), report, options.rehearsal)?;
        let leaves = leaves::assign(target, report);
        if leaves.is_empty() && options.authorities.is_empty() {
            return Err(Error::refused(format!(
                "{}: {} private keys are here and in kubeconfigs, and none of the {} certificates of this release is for one of them",
                target.folders.pki().name(""),
                target.public_keys().len(),
                report.certificates
            )));
        }
        leaves.iter().try_for_each(|leaf| leaf.check_time(now))?;
        let issuers: BTreeSet<&str> = leaves.iter().map(|leaf| leaf.entry.authority.as_str()).collect();
        let trust = Trust::new(report, &options.authorities, &issuers)?;
        let mut plan = Self {
            target,
            steps: Vec::new(),
            made: Vec::new(),
            actions: Vec::new(),
            unchanged: Vec::new(),
            notes: Vec::new(),
        };
        let rotation = Rotation { add: options.rotate_ca || options.drop_old_ca, drop: options.drop_old_ca };
        let files = plan.ca_files(&trust, &leaves, &issuers, rotation)?;
        plan.put_ca_files(&files, now)?;
        plan.put_certificates(&leaves, &trust)?;
        plan.put_kubeconfigs(&leaves, &trust, &files)?;
        plan.check_dropped(&leaves, &files)?;
        plan.tell_what_is_left(&leaves);
        plan.put_record(report, now)?;
        Ok(plan)
    }

    /// The CA files: those of the authorities in use here, and those that were named.
    fn ca_files(
        &self,
        trust: &Trust<'_>,
        leaves: &[Leaf<'_>],
        issuers: &BTreeSet<&str>,
        rotation: Rotation,
    ) -> Result<Vec<CaFile>, Error> {
        let mut wanted: BTreeMap<&str, (Vec<&Certificate>, Vec<&Certificate>)> = BTreeMap::new();
        let mut anchors: Vec<&str> = Vec::new();
        for issuer in issuers {
            let anchor = trust.chain(issuer)?.anchor;
            if !anchors.contains(&anchor) {
                anchors.push(anchor);
            }
        }
        // Of two in use for one file, the younger comes first.
        let mut leading: Vec<(&str, &Certificate)> = Vec::new();
        for anchor in anchors {
            leading.push((anchor, trust.certificate(anchor)?));
        }
        leading.sort_by_key(|(_, certificate)| std::cmp::Reverse(certificate.validity().not_before));
        for (anchor, certificate) in leading {
            trust.files_of(anchor).for_each(|path| wanted.entry(path).or_default().0.push(certificate));
        }
        for (name, path) in trust.explicit() {
            wanted.entry(path).or_default().1.push(trust.certificate(name)?);
        }
        // Whoever verifies what a delegated authority signs has to know it: its leaves come alone.
        for leaf in leaves.iter().filter(|leaf| leaf.entry.delegated) {
            for path in trust.files_of(trust.chain(&leaf.entry.authority)?.anchor) {
                wanted.entry(path).or_default().1.push(leaf.certificate);
            }
        }
        let pki = self.target.folders.pki();
        wanted
            .into_iter()
            .map(|(path, (leading, further))| CaFile::new(pki, path, &leading, &further, rotation))
            .collect()
    }

    fn put_ca_files(&mut self, files: &[CaFile], now: DateTime) -> Result<(), Error> {
        for file in files {
            self.check_front_proxy(file, files)?;
            for der in &file.after {
                let certificate = Present::from_der(der).map_err(Error::Refused)?;
                let end = certificate.parsed.tbs_certificate().validity().not_after.to_date_time();
                if end < now {
                    self.notes.push(format!(
                        "{}: a CA in it ended at {end}; when nothing here is under it, say --drop-old-ca",
                        self.target.folders.pki().name(&file.path)
                    ));
                }
            }
            let before = file.found.as_ref().map(|found| (found.digest(), found.owner));
            match file.changes() {
                true => {
                    self.make_parent(&file.path);
                    self.put(0, &file.path, file.text()?.into_bytes(), before, file.story());
                }
                false => self.keep(0, &file.path),
            }
        }
        Ok(())
    }

    /// With one CA for both, every client of the cluster could act as any user.
    fn check_front_proxy(&self, file: &CaFile, files: &[CaFile]) -> Result<(), Error> {
        let same = |other: &CaFile| {
            other.path != FRONT_PROXY && other.after.iter().any(|der| file.after.contains(der))
        };
        if file.path != FRONT_PROXY || !files.iter().any(same) {
            return Ok(());
        }
        Err(Error::refused(format!(
            "{}: would trust an authority that is trusted elsewhere too: its clients could act as any user; use an authority of its own for the front proxy",
            self.target.folders.pki().name(FRONT_PROXY)
        )))
    }

    fn make_parent(&mut self, path: &str) {
        let Some((parent, _)) = path.rsplit_once('/') else { return };
        let mut made = String::new();
        for part in parent.split('/') {
            made = if made.is_empty() { part.to_owned() } else { format!("{made}/{part}") };
            if !self.target.folders.pki().has_folder(&made) && !self.made.contains(&made) {
                self.made.push(made.clone());
            }
        }
    }

    fn put_certificates(&mut self, leaves: &[Leaf<'_>], trust: &Trust<'_>) -> Result<(), Error> {
        for (key, leaf) in leaves.iter().filter_map(|leaf| Some((leaf.key?, leaf))) {
            let text = leaf.text(trust)?;
            let pki = self.target.folders.pki();
            let found = pki.read(&key.certificate)?;
            let before = found.as_ref().map(|found| (found.digest(), found.owner));
            let there = found.as_ref().map(|found| super::pem::certificates(&found.octets));
            match there {
                Some(Ok(there)) => leaf.check_newer(&pki.name(&key.certificate), &there)?,
                Some(Err(why)) => {
                    self.notes.push(format!("{}: {why}; it is kept in .keyrite", pki.name(&key.certificate)))
                }
                None => {}
            }
            match before {
                Some((digest, _)) if digest == Digest::of(text.as_bytes()) => self.keep(0, &key.certificate),
                before => self.put(0, &key.certificate, text.into_bytes(), before, leaf.story()),
            }
        }
        Ok(())
    }

    fn put_kubeconfigs(
        &mut self,
        leaves: &[Leaf<'_>],
        trust: &Trust<'_>,
        files: &[CaFile],
    ) -> Result<(), Error> {
        for (number, file) in self.target.kubeconfigs.iter().enumerate() {
            let name = self.target.folders.at(file.folder).name(&file.path);
            let wrong = |why: String| Error::Refused(format!("{name}: {why}"));
            let leaf = leaves.iter().find(|leaf| leaf.kubeconfig == Some(number));
            let Some(ca) = leaves::ca_of(file, leaf, trust, files)? else {
                leaves::complete_as_it_is(file).map_err(wrong)?;
                self.notes.push(format!("{name}: nothing of this release is for it"));
                continue;
            };
            if let Some(leaf) = leaf {
                leaf.check_newer(&name, &file.config.client)?;
            }
            let client = leaf.map(|leaf| leaf.text(trust)).transpose()?;
            let done =
                kubeconfig::complete(&file.found.octets, &ca.text()?, client.as_deref()).map_err(wrong)?;
            if kubeconfig::same(&file.found.octets, &done).map_err(wrong)? {
                self.keep(file.folder, &file.path);
                continue;
            }
            let story = leaf.map_or_else(|| format!("the CA of {}", ca.path), Leaf::story);
            let before = Some((file.found.digest(), file.found.owner));
            self.put_octets(file.folder, &file.path, done, before, story);
        }
        Ok(())
    }

    /// Nothing that stays may be under a CA that goes.
    fn check_dropped(&self, leaves: &[Leaf<'_>], files: &[CaFile]) -> Result<(), Error> {
        for (file, dropped) in files.iter().flat_map(|file| file.dropped().map(move |old| (file, old))) {
            for (name, present) in leaves::staying(self.target, leaves)? {
                if leaves::is_under(&present, dropped) {
                    return Err(Error::refused(format!(
                        "{name}: is still under the CA that would leave {}; renew it first",
                        self.target.folders.pki().name(&file.path)
                    )));
                }
            }
        }
        Ok(())
    }

    fn tell_what_is_left(&mut self, leaves: &[Leaf<'_>]) {
        let pki = self.target.folders.pki();
        for key in &self.target.keys {
            if key.path == "ca.key" || key.path.ends_with("/ca.key") {
                self.notes.push(format!(
                    "{}: a CA's private key lies here; with it kubeadm is not in external CA mode",
                    pki.name(&key.path)
                ));
            } else if !leaves.iter().any(|leaf| leaf.key.is_some_and(|placed| placed.path == key.path)) {
                self.notes.push(format!("{}: no certificate of this release is for it", pki.name(&key.path)));
            }
        }
    }

    fn put_record(&mut self, report: &Report, now: DateTime) -> Result<(), Error> {
        let known = self.target.record.as_ref().is_some_and(|record| record.is_of(report));
        if self.steps.is_empty() && known {
            return Ok(());
        }
        let before = self.target.folders.pki().digest(RECORD)?;
        let octets = Zeroizing::new(Record::new(report, now).text()?.into_bytes());
        let owner = Owner { mode: 0o644, ids: None };
        self.steps.push(Step { folder: 0, path: RECORD.to_owned(), before, new: New::Octets(octets, owner) });
        Ok(())
    }

    fn keep(&mut self, folder: usize, path: &str) {
        self.unchanged.push(self.target.folders.at(folder).name(path));
    }

    fn put(
        &mut self,
        folder: usize,
        path: &str,
        octets: Vec<u8>,
        before: Option<(Digest, Owner)>,
        what: String,
    ) {
        self.put_octets(folder, path, Zeroizing::new(octets), before, what);
    }

    fn put_octets(
        &mut self,
        folder: usize,
        path: &str,
        octets: Zeroizing<Vec<u8>>,
        before: Option<(Digest, Owner)>,
        what: String,
    ) {
        let owner = before.map_or(Owner { mode: 0o644, ids: None }, |(_, owner)| owner);
        let file = self.target.folders.at(folder).name(path);
        self.actions.push(Action { file, what, replaces: before.is_some() });
        let before = before.map(|(digest, _)| digest);
        self.steps.push(Step { folder, path: path.to_owned(), before, new: New::Octets(octets, owner) });
    }

    /// Whether there is anything to do.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// What is to be done with the components that read what changes: how, and with which.
    pub fn restarts(&self) -> Vec<(&'static str, String)> {
        restarts(self.steps.iter().map(|step| step.path.as_str()))
    }

    /// Makes all changes, or none.
    ///
    /// # Errors
    /// [`Error`] says what failed; the target is as it was, unless the message says otherwise.
    pub fn apply(self) -> Result<(), Error> {
        match self.steps.is_empty() {
            true => Ok(()),
            false => transaction::run(&self.target.folders, &self.steps, self.made),
        }
    }
}
