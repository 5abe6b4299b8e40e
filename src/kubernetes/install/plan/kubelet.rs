//! The kubelet's client certificate in a plan: its successor in the release, and which of the
//! kubelet's certificates are under a removed CA.

use der::DateTime;
use zeroize::Zeroizing;

use super::leaves::{KeyIn, Leaf, find, is_under, start};
use super::{Action, Plan};
use crate::failure::Failure;
use crate::kubernetes::install::folder::{Folder, link_digest};
use crate::kubernetes::install::kubelet::{Pair, dated, refers_to_link};
use crate::kubernetes::install::node_files::KubeconfigFile;
use crate::kubernetes::install::pem::{self, Present};
use crate::kubernetes::install::target::Target;
use crate::kubernetes::install::transaction::{New, Step};
use crate::kubernetes::install::trust::Trust;
use crate::media::shown;
use crate::policy::subject_attributes;
use crate::release::Report;

/// Prefix of a node's common name, required by the Node authorizer.
const NODE: &str = "CN=system:node:";
const NAME_IT: &str = "name the folder above its pki with --kubelet-dir";

/// Returns the successor of the kubelet's certificate: that of a renewal, else one for its current
/// key, else one for the key in its kubeconfig unless the current certificate is newer.
pub fn successor<'a>(target: &'a Target, report: &'a Report) -> Option<Leaf<'a>> {
    let client = target.kubelet.client.as_ref()?;
    let leaf = |key: KeyIn<'a>| {
        let (entry, certificate) = find(report, key.public()?)?;
        Some(Leaf { kubelet: Some(key), ..Leaf::new(entry, certificate) })
    };
    let kubeconfig = |renewed: bool| {
        let files = target.kubeconfigs.iter().filter(move |file| file.renewed == renewed);
        files.filter_map(|file| leaf(KeyIn::Kubeconfig(file))).find(is_of_node)
    };
    let not_older = |leaf: &Leaf<'_>| {
        let first = client.certificates.first();
        first.is_none_or(|first| leaf.certificate.validity().not_before >= start(first))
    };
    kubeconfig(true).or_else(|| leaf(KeyIn::File(client))).or_else(|| kubeconfig(false).filter(not_older))
}

fn is_of_node(leaf: &Leaf<'_>) -> bool {
    common_name(leaf.certificate.der()).starts_with(NODE)
}

/// Returns `CN=...` of a certificate's subject, or an empty string.
fn common_name(der: &[u8]) -> String {
    let names = |present: Present| subject_attributes(present.parsed.tbs_certificate().subject()).ok();
    let mut names = Present::from_der(der).ok().and_then(names).unwrap_or_default().into_iter();
    names.find(|name| name.starts_with("CN=")).unwrap_or_default()
}

impl Plan<'_> {
    /// Adds a new dated file with certificate and key, and updates the link to it.
    pub(super) fn put_kubelet(
        &mut self,
        leaves: &[Leaf<'_>],
        trust: &Trust<'_>,
        now: DateTime,
    ) -> Result<(), Failure> {
        let kubelet = &self.target.kubelet;
        self.notes.extend(kubelet.notes.iter().cloned());
        self.note_uninspected()?;
        let Some(client) = &kubelet.client else { return Ok(()) };
        let folder = self.target.folders.at(kubelet.folder);
        let name = folder.name(client.link);
        check_name(&name, client, leaves)?;
        let leaf = leaves.iter().find_map(|leaf| Some((leaf, leaf.kubelet?)));
        let Some((leaf, key)) = leaf else {
            self.notes.push(format!("{name}: this release has no certificate for it"));
            return Ok(());
        };
        leaf.check_newer(&name, &client.certificates)?;
        let certificates = leaf.text(trust)?;
        if key.public() == Some(client.public) && holds(client, &certificates) {
            self.keep(kubelet.folder, client.link);
            return Ok(());
        }
        let key = key.text().map_err(|why| Failure::refused(format!("{name}: new key: {why}")))?;
        let octets = Zeroizing::new([certificates.as_bytes(), key.as_bytes(), b"\n"].concat());
        let file = dated(folder, now)?;
        self.put_dated(client, folder, file, octets, leaf.description());
        Ok(())
    }

    fn put_dated(
        &mut self,
        client: &Pair,
        folder: &Folder,
        file: String,
        octets: Zeroizing<Vec<u8>>,
        description: String,
    ) {
        let number = self.target.kubelet.folder;
        let text = client.text_for(folder, &file);
        let link = folder.name(client.link);
        self.actions.push(Action { file: folder.name(&file), what: description, replaces: false });
        self.actions.push(Action { file: link, what: format!("links to {}", shown(&text)), replaces: true });
        let new = New::Octets(octets, client.found.owner);
        self.steps.push(Step { folder: number, path: file, before: None, new });
        let (before, new) = (Some(link_digest(&client.text)), New::Link(text, client.link_owner));
        self.steps.push(Step { folder: number, path: client.link.to_owned(), before, new });
    }

    /// No certificate of the kubelet may be under a removed CA.
    pub(super) fn check_kubelet_dropped(
        &self,
        leaves: &[Leaf<'_>],
        ca: &str,
        dropped: &Present,
    ) -> Result<(), Failure> {
        let kubelet = &self.target.kubelet;
        let folder = self.target.folders.at(kubelet.folder);
        let follows = leaves.iter().any(|leaf| leaf.kubelet.is_some());
        let client = kubelet.client.as_ref().filter(|_| !follows);
        let client = client.map(|pair| (pair.link, &pair.certificates, "renew it first: install a release with a certificate for its key, or for a new kubelet.conf with --renewal"));
        let server = kubelet.server.as_ref().map(|pair| (pair.link, &pair.certificates, "renew it first: remove the link, restart the kubelet, and have its new request signed under the new CA"));
        let own = kubelet.own.iter().map(|own| ("kubelet.crt", own, "renew it first"));
        for (name, certificates, remedy) in client.into_iter().chain(server).chain(own) {
            if certificates.iter().any(|present| is_under(present, dropped)) {
                return Err(Failure::refused(format!(
                    "{}: was issued under a CA that would be removed from {ca}; {remedy}",
                    folder.name(name)
                )));
            }
        }
        self.uninspected().map_or(Ok(()), |(file, what)| {
            let after = format!("and may be under a CA that would be removed from {ca}");
            Err(Failure::refused(format!("{file}: {what} {after}; {NAME_IT}")))
        })
    }

    /// Returns a kubeconfig that refers to a kubelet folder not inspected, and the reference.
    fn uninspected(&self) -> Option<(String, String)> {
        let refers = |file: &&KubeconfigFile| !self.target.kubelet.known && refers_to_link(file);
        let file = self.target.kubeconfigs.iter().find(refers)?;
        let (path, _) = file.config.files.as_ref()?;
        let what = format!("refers to {}, which was not inspected", shown(path));
        Some((self.target.folders.at(file.folder).name(&file.path), what))
    }

    /// A renewal would not reach a kubelet folder that was not inspected.
    fn note_uninspected(&mut self) -> Result<(), Failure> {
        let Some((file, what)) = self.uninspected() else { return Ok(()) };
        if self.target.kubeconfigs.iter().any(|file| file.renewed && refers_to_link(file)) {
            return Err(Failure::refused(format!(
                "{file}: {what} and would not be renewed; {NAME_IT}, or, if there is no kubelet, remove client-certificate and client-key from that file"
            )));
        }
        self.notes.push(format!("{file}: {what}; {NAME_IT}"));
        Ok(())
    }
}

/// If the certificate is for another node, either it or the kubelet's does not belong here.
fn check_name(name: &str, client: &Pair, leaves: &[Leaf<'_>]) -> Result<(), Failure> {
    let there = client.certificates.first().map(|first| common_name(&first.der)).unwrap_or_default();
    let of_kubelet =
        |leaf: &&Leaf<'_>| leaf.kubelet.is_some() || (leaf.kubeconfig.is_some() && is_of_node(leaf));
    for leaf in leaves.iter().filter(of_kubelet) {
        let new = common_name(leaf.certificate.der());
        if new != there {
            return Err(Failure::refused(format!(
                "{name}: is for {}, the release's certificate {} is for {}; install it on its own node, or, if this is that node, remove the link: at its next start the kubelet copies the key of kubelet.conf",
                shown(&there),
                leaf.entry.path,
                shown(&new)
            )));
        }
    }
    Ok(())
}

/// Whether the file already contains these certificates.
fn holds(client: &Pair, certificates: &str) -> bool {
    let der = |list: &[Present]| list.iter().map(|present| present.der.clone()).collect::<Vec<_>>();
    pem::certificates(certificates.as_bytes()).is_ok_and(|new| der(&new) == der(&client.certificates))
}
