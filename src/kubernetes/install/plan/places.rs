//! Checks that each path of a plan has only one use.

use std::collections::HashMap;

use super::Plan;
use super::leaves::Leaf;
use crate::failure::Failure;
use crate::kubernetes::install::ca_file::CaFile;
use crate::kubernetes::install::trust::Trust;

impl Plan<'_> {
    /// No path may have two uses, whether its file changes or not: one use would overwrite the
    /// other, and neither undo nor recovery could distinguish them.
    pub(super) fn check_places(
        &self,
        leaves: &[Leaf<'_>],
        trust: &Trust<'_>,
        files: &[CaFile],
    ) -> Result<(), Failure> {
        let authorities = files.iter().map(|file| {
            (
                0,
                file.path.as_str(),
                format!("the CA file of {}", trust.authorities_of(&file.path).join(" and ")),
            )
        });
        let keys = self.target.keys.iter().map(|key| (0, key.path.as_str(), "a private key".to_owned()));
        let certificates = leaves.iter().filter_map(|leaf| leaf.key).map(|key| {
            let what = format!("the certificate of {}", self.target.folders.pki().name(&key.path));
            (0, key.certificate.as_str(), what)
        });
        let kubeconfigs = self.target.kubeconfigs.iter();
        let kubeconfigs =
            kubeconfigs.map(|file| (file.folder, file.path.as_str(), "a kubeconfig".to_owned()));
        let mut places = HashMap::new();
        for (folder, path, what) in authorities.chain(keys).chain(certificates).chain(kubeconfigs) {
            if let Some(other) = places.insert((folder, path), what.clone()) {
                return Err(Failure::refused(format!(
                    "{}: is both {other} and {what}; name another file with --ca, or rename the key",
                    self.target.folders.at(folder).name(path)
                )));
            }
        }
        Ok(())
    }
}
