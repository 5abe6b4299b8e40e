//! The plan of an installation, computed before anything is changed.

mod authorities;
mod kubelet;
mod leaves;
mod places;

use std::collections::BTreeSet;

use der::DateTime;
use zeroize::Zeroizing;

use super::ca_file::{CaFile, Rotation};
use super::folder::Owner;
use super::kubeconfig;
use super::kubeconfig::Client;
use super::record::{self, RECORD, Record};
use super::restart::restarts;
use super::target::Target;
use super::transaction::{self, New, Step};
use super::trust::Trust;
use crate::digest::Digest;
use crate::failure::Failure;
use crate::release::Report;
pub use leaves::Leaf;

/// Choices of the operator.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Names of authorities and their CA files, in addition to kubeadm's.
    pub authorities: Vec<(String, String)>,
    /// Whether the target is for rehearsals.
    pub rehearsal: bool,
    /// Whether CA files may receive another CA.
    pub rotate_ca: bool,
    /// Whether CAs that this release does not use here are removed from CA files.
    pub drop_old_ca: bool,
    /// SHA-256 of the certificate of a manifest key to be trusted, whether the target knows it or
    /// not.
    pub manifest_key: Option<Digest>,
}

/// A change, for display.
#[derive(Clone, Debug)]
pub struct Action {
    /// Full path of the file.
    pub file: String,
    /// Description of the new contents.
    pub what: String,
    /// Whether a file exists there.
    pub replaces: bool,
}

/// All changes of an installation.
#[derive(Debug)]
pub struct Plan<'a> {
    target: &'a Target,
    steps: Vec<Step>,
    made: Vec<String>,
    /// Changes in the order of execution, for display.
    pub actions: Vec<Action>,
    /// Full paths of files that need no change.
    pub unchanged: Vec<String>,
    /// Notes for the operator.
    pub notes: Vec<String>,
}

impl<'a> Plan<'a> {
    /// Computes what a verified release changes on a node.
    ///
    /// # Errors
    /// [`Failure::refused`] names the rule that forbids it; [`Failure::fault`] when reading fails.
    pub fn new(
        target: &'a Target,
        report: &Report,
        options: &Options,
        now: DateTime,
    ) -> Result<Self, Failure> {
        record::admit(target.record.as_ref(), report, options.rehearsal, options.manifest_key, now)?;
        let mut leaves = leaves::assign(target, report);
        leaves.extend(kubelet::successor(target, report));
        if leaves.is_empty() && options.authorities.is_empty() {
            return Err(Failure::refused(format!(
                "{}: {} private keys were found here and in kubeconfigs, but none of the {} certificates in this release is for any of them",
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
        let rotation = Rotation { add: options.rotate_ca, drop: options.drop_old_ca };
        let files = plan.ca_files(&trust, &leaves, &issuers, rotation)?;
        plan.check_places(&leaves, &trust, &files)?;
        plan.put_ca_files(&files, now)?;
        plan.put_certificates(&leaves, &trust)?;
        plan.put_kubeconfigs(&leaves, &trust, &files)?;
        plan.put_kubelet(&leaves, &trust, now)?;
        plan.check_dropped(&leaves, &files)?;
        plan.note_unplaced(&leaves);
        plan.put_record(report, now)?;
        Ok(plan)
    }

    fn put_certificates(&mut self, leaves: &[Leaf<'_>], trust: &Trust<'_>) -> Result<(), Failure> {
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
            if let Some(new) = &key.new {
                let old = pki.read(&key.path)?.map(|found| (found.digest(), found.owner));
                self.make_parent(&key.path);
                self.put_octets(0, &key.path, new.clone(), (old, 0o600), "the new private key".to_owned());
            }
            match before {
                Some((digest, _)) if digest == Digest::of(text.as_bytes()) => self.keep(0, &key.certificate),
                before => self.put(0, &key.certificate, text.into_bytes(), before, leaf.description()),
            }
        }
        Ok(())
    }

    fn put_kubeconfigs(
        &mut self,
        leaves: &[Leaf<'_>],
        trust: &Trust<'_>,
        files: &[CaFile],
    ) -> Result<(), Failure> {
        for (number, file) in self.target.kubeconfigs.iter().enumerate() {
            let name = self.target.folders.at(file.folder).name(&file.path);
            let wrong = |why: String| Failure::refused(format!("{name}: {why}"));
            let leaf = leaves.iter().find(|leaf| leaf.kubeconfig == Some(number));
            let Some(ca) = leaves::ca_of(file, leaf, trust, files)? else {
                leaves::complete_as_it_is(file).map_err(wrong)?;
                self.notes.push(format!("{name}: this release has nothing for it"));
                continue;
            };
            if let Some(leaf) = leaf {
                leaf.check_newer(&name, &file.config.client)?;
            }
            let text = leaf.map(|leaf| leaf.text(trust)).transpose()?;
            let client = match (&file.pem, &text) {
                (Some(path), Some(_)) => Client::File(path),
                (_, Some(text)) => Client::Embedded(text),
                (_, None) => Client::Same,
            };
            let done = kubeconfig::complete(&file.octets, &ca.text()?, client).map_err(wrong)?;
            let here = file.before.map(|(digest, _)| digest);
            let same = match file.renewed {
                true => here == Some(Digest::of(&done)),
                false => kubeconfig::same(&file.octets, &done).map_err(wrong)?,
            };
            if same {
                self.keep(file.folder, &file.path);
                continue;
            }
            let description = leaf.map_or_else(|| format!("the CA of {}", ca.path), Leaf::description);
            self.put_octets(file.folder, &file.path, done, (file.before, 0o600), description);
        }
        Ok(())
    }

    fn note_unplaced(&mut self, leaves: &[Leaf<'_>]) {
        let pki = self.target.folders.pki();
        for key in &self.target.keys {
            if key.path == "ca.key" || key.path.ends_with("/ca.key") {
                self.notes.push(format!(
                    "{}: is the private key of a CA; while it is here, kubeadm is not in external CA mode",
                    pki.name(&key.path)
                ));
            } else if key.path != "sa.key"
                && !leaves.iter().any(|leaf| leaf.key.is_some_and(|placed| placed.path == key.path))
            {
                self.notes.push(format!("{}: this release has no certificate for it", pki.name(&key.path)));
            }
        }
    }

    fn put_record(&mut self, report: &Report, now: DateTime) -> Result<(), Failure> {
        let known = self.target.record.as_ref().is_some_and(|record| record.is_of(report));
        if self.steps.is_empty() && known {
            return Ok(());
        }
        let before = self.target.folders.pki().digest(RECORD)?;
        let octets =
            Zeroizing::new(Record::with(self.target.record.as_ref(), report, now).text()?.into_bytes());
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
        self.put_octets(folder, path, Zeroizing::new(octets), (before, 0o644), what);
    }

    fn put_octets(
        &mut self,
        folder: usize,
        path: &str,
        octets: Zeroizing<Vec<u8>>,
        (before, mode): (Option<(Digest, Owner)>, u32),
        what: String,
    ) {
        let owner = before.map_or(Owner { mode, ids: None }, |(_, owner)| owner);
        let file = self.target.folders.at(folder).name(path);
        self.actions.push(Action { file, what, replaces: before.is_some() });
        let before = before.map(|(digest, _)| digest);
        self.steps.push(Step { folder, path: path.to_owned(), before, new: New::Octets(octets, owner) });
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Returns how to restart, and the components to restart that way, after the changes.
    pub fn restarts(&self) -> Vec<(&'static str, String)> {
        let keys = self.target.keys.iter().map(|key| key.certificate.as_str());
        let kubeconfigs = self.target.kubeconfigs.iter().map(|file| file.path.as_str());
        restarts(self.steps.iter().map(|step| step.path.as_str()), keys.chain(kubeconfigs))
    }

    /// Applies all changes, or none.
    ///
    /// # Errors
    /// The cause of the failure; the target is unchanged unless the message says otherwise.
    pub fn apply(self) -> Result<(), Failure> {
        match self.steps.is_empty() {
            true => Ok(()),
            false => transaction::run(&self.target.folders, &self.steps, self.made),
        }
    }
}
