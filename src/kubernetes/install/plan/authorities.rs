//! The CA files of a plan: their authorities, and which certificates a removed CA would break.

use std::collections::{BTreeMap, BTreeSet};

use der::DateTime;

use super::Plan;
use super::leaves::{self, Leaf};
use crate::failure::Failure;
use crate::issuance::Certificate;
use crate::kubernetes::install::ca_file::{CaFile, Rotation};
use crate::kubernetes::install::pem::Present;
use crate::kubernetes::install::trust::{FRONT_PROXY, Trust};

impl Plan<'_> {
    /// Returns the CA files of the authorities in use, and those named by the operator.
    pub(super) fn ca_files(
        &self,
        trust: &Trust<'_>,
        leaves: &[Leaf<'_>],
        issuers: &BTreeSet<&str>,
        rotation: Rotation,
    ) -> Result<Vec<CaFile>, Failure> {
        let mut wanted: BTreeMap<&str, (Vec<&Certificate>, Vec<&Certificate>)> = BTreeMap::new();
        let mut anchors: Vec<&str> = Vec::new();
        for issuer in issuers {
            let anchor = trust.chain(issuer)?.anchor;
            if !anchors.contains(&anchor) {
                anchors.push(anchor);
            }
        }
        // Where two authorities share a file, the newer one comes first.
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
        // A delegated authority must be in the CA file: its leaves come without its certificate.
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

    pub(super) fn put_ca_files(&mut self, files: &[CaFile], now: DateTime) -> Result<(), Failure> {
        for file in files {
            self.check_front_proxy(file, files)?;
            for der in &file.after {
                let certificate = Present::from_der(der).map_err(Failure::refused)?;
                let end = certificate.parsed.tbs_certificate().validity().not_after.to_date_time();
                if end < now {
                    self.notes.push(format!(
                        "{}: contains a CA that expired at {end}; if nothing here depends on it, use --drop-old-ca",
                        self.target.folders.pki().name(&file.path)
                    ));
                }
            }
            let before = file.found.as_ref().map(|found| (found.digest(), found.owner));
            match file.changes() {
                true => {
                    self.make_parent(&file.path);
                    self.put(0, &file.path, file.text()?.into_bytes(), before, file.description());
                }
                false => self.keep(0, &file.path),
            }
        }
        Ok(())
    }

    /// If both were under one CA, every client of the cluster could act as any user.
    fn check_front_proxy(&self, file: &CaFile, files: &[CaFile]) -> Result<(), Failure> {
        let same = |other: &CaFile| {
            other.path != FRONT_PROXY && other.after.iter().any(|der| file.after.contains(der))
        };
        if file.path != FRONT_PROXY || !files.iter().any(same) {
            return Ok(());
        }
        Err(Failure::refused(format!(
            "{}: would trust an authority that is also trusted elsewhere: its clients could act as any user; use a separate authority for the front proxy",
            self.target.folders.pki().name(FRONT_PROXY)
        )))
    }

    pub(super) fn make_parent(&mut self, path: &str) {
        let Some((parent, _)) = path.rsplit_once('/') else { return };
        let mut made = String::new();
        for part in parent.split('/') {
            made = if made.is_empty() { part.to_owned() } else { format!("{made}/{part}") };
            if !self.target.folders.pki().has_folder(&made) && !self.made.contains(&made) {
                self.made.push(made.clone());
            }
        }
    }

    /// No remaining certificate may be under a removed CA.
    pub(super) fn check_dropped(&self, leaves: &[Leaf<'_>], files: &[CaFile]) -> Result<(), Failure> {
        for (file, dropped) in files.iter().flat_map(|file| file.dropped().map(move |old| (file, old))) {
            let ca = self.target.folders.pki().name(&file.path);
            self.check_kubelet_dropped(leaves, &ca, dropped)?;
            for (name, present) in leaves::staying(self.target, leaves)? {
                if leaves::is_under(&present, dropped) {
                    return Err(Failure::refused(format!(
                        "{name}: was issued under a CA that would be removed from {ca}; renew it first"
                    )));
                }
            }
        }
        Ok(())
    }
}
