//! A kubelet's own certificates, in the folder `pki` below its `--root-dir`.
//!
//! With `rotateCertificates: true`, which kubeadm always sets, a kubelet reads its first key and
//! certificate from `kubelet.conf`, copies both to a dated file, and from then on reads only
//! `kubelet-client-current.pem`, a symbolic link to the newest such file
//! (k8s.io/client-go/util/certificate/certificate_store.go).

use std::path::Path;

use der::{DateTime, Encode};

use super::folder::{Folder, Found, Owner};
use super::folders::{CLIENT, Folders, NODES, Paths, STANDARD, kubelet_folder};
use super::node_files::KubeconfigFile;
use super::pem::{self, Present};
use super::private_key::public_key;
use crate::digest::Digest;
use crate::failure::Failure;
use crate::media::shown;
use crate::policy::subject_text;

/// The same for the serving certificate if `serverTLSBootstrap: true`.
const SERVER: &str = "kubelet-server-current.pem";
/// Self-signed serving certificate otherwise.
const OWN: &str = "kubelet.crt";
/// Remedies for an unusable link.
const COPY: &str = "correct that, or, if kubelet.conf contains a key, remove the link: at its next start the kubelet copies that key";
const ASK: &str =
    "correct that, or remove the link: at its next start the kubelet requests a new certificate";

/// Certificates of a kubelet; none by default.
#[derive(Debug, Default)]
pub struct Kubelet {
    /// Whether a kubelet folder was inspected.
    pub known: bool,
    /// Number of that folder.
    pub folder: usize,
    /// Client certificate.
    pub client: Option<Pair>,
    /// Serving certificate issued by an authority.
    pub server: Option<Pair>,
    /// Self-signed serving certificate.
    pub own: Option<Vec<Present>>,
    /// Descriptions of the files, for display.
    pub seen: Vec<String>,
    /// Notes for the operator.
    pub notes: Vec<String>,
}

/// A certificate and its key in one file, with the link to it.
#[derive(Debug)]
pub struct Pair {
    /// Name of the link.
    pub link: &'static str,
    /// Target of the link, verbatim.
    pub text: String,
    pub link_owner: Owner,
    /// The file that the link points to.
    pub found: Found,
    /// Certificate and chain; not empty.
    pub certificates: Vec<Present>,
    /// SHA-256 of the SubjectPublicKeyInfo of the key.
    pub public: Digest,
}

impl Kubelet {
    /// Reads the certificates of a kubelet, and determines which kubeconfigs refer to them.
    ///
    /// # Errors
    /// [`Failure::refused`] for a link that is broken or leaves its folder, a file without
    /// certificate and matching key, and a kubeconfig that refers to another folder;
    /// [`Failure::fault`] when reading fails.
    pub fn read(
        folders: &mut Folders,
        places: &Paths,
        kubeconfigs: &mut [KubeconfigFile],
    ) -> Result<Self, Failure> {
        let path = kubelet_folder(folders.pki(), places.kubelet_dir.as_deref())?;
        let Some(path) = path else { return Self::none(places, folders.pki()) };
        let number = folders.add(&path)?;
        let folder = folders.at(number);
        let mut kubelet = Self {
            folder: number,
            client: Pair::read(folder, CLIENT, COPY)?,
            server: Pair::read(folder, SERVER, ASK)?,
            known: true,
            ..Self::default()
        };
        if folder.link_text(OWN)?.is_none() {
            let found = folder.read(OWN)?;
            kubelet.own = found.map(|found| pem::certificates_among(&found.octets).unwrap_or_default());
        }
        kubelet.describe(folder);
        for file in kubeconfigs {
            file.pem = kubelet.refers(folders, file)?.filter(|_| kubelet.client.is_some());
        }
        Ok(kubelet)
    }

    fn none(places: &Paths, pki: &Folder) -> Result<Self, Failure> {
        let mut kubelet = Self::default();
        let standard = Path::new(STANDARD).join("pki").join(CLIENT);
        if let Some(dir) = &places.kubelet_dir {
            kubelet.notes.push(format!(
                "{}: has no folder pki, so its kubelet has no certificate yet",
                shown(&dir.to_string_lossy())
            ));
        } else if std::fs::symlink_metadata(&standard).is_ok() {
            kubelet.notes.push(format!(
                "{STANDARD}: is left alone because --pki is {}, not {}; if its kubelet belongs to this target, use --kubelet-dir {STANDARD}",
                pki.name(""),
                NODES.join(" or ")
            ));
        }
        Ok(kubelet)
    }

    fn describe(&mut self, folder: &Folder) {
        let pairs = [&self.client, &self.server].into_iter().flatten();
        let pairs = pairs.filter_map(|pair| Some((pair.file(), pair.certificates.first()?)));
        let own = self.own.iter().flatten().next().map(|own| (OWN, own));
        self.seen = pairs.chain(own).map(|(file, first)| describe(&folder.name(file), first)).collect();
    }

    /// Returns the path by which a kubeconfig refers to the kubelet's link, if it does.
    fn refers(&self, folders: &Folders, file: &KubeconfigFile) -> Result<Option<String>, Failure> {
        let (folder, Some((certificate, key))) = (folders.at(self.folder), &file.config.files) else {
            return Ok(None);
        };
        let conf = folders.at(file.folder);
        let here = |path: &str| {
            let path = conf.path().join(path);
            let known = path.parent().and_then(|parent| Folder::open(parent).ok());
            known.is_some_and(|known| known.is(folder)) && path.file_name().is_some_and(|name| name == CLIENT)
        };
        let wrong = |what: &str| {
            Err(Failure::refused(format!(
                "{}: client-certificate is {} and client-key is {}; {what}",
                conf.name(&file.path),
                shown(certificate),
                shown(key)
            )))
        };
        match (here(certificate), here(key)) {
            (true, true) => Ok(Some(certificate.clone())),
            (true, false) | (false, true) => wrong("both must be the same file"),
            (false, false) if refers_to_link(file) => wrong(&format!(
                "the kubelet's folder is {}; name the folder above the right pki with --kubelet-dir",
                folder.name("")
            )),
            (false, false) => Ok(None),
        }
    }
}

/// Whether a kubeconfig refers to a kubelet's link in any folder.
pub fn refers_to_link(file: &KubeconfigFile) -> bool {
    file.config.files.as_ref().is_some_and(|(path, _)| path.rsplit('/').next() == Some(CLIENT))
}

fn describe(file: &str, certificate: &Present) -> String {
    let inner = certificate.parsed.tbs_certificate();
    format!(
        "{file}: {}, until {}, issued by {}",
        subject_text(inner.subject()),
        inner.validity().not_after.to_date_time(),
        subject_text(inner.issuer())
    )
}

impl Pair {
    /// Reads the file that a link points to, or returns `None` if there is no link.
    fn read(folder: &Folder, link: &'static str, instead: &str) -> Result<Option<Self>, Failure> {
        let name = folder.name(link);
        let Some((text, link_owner)) = folder.link_text(link)? else {
            return match folder.read(link)? {
                None => Ok(None),
                Some(_) => Err(Failure::refused(format!(
                    "{name}: is a regular file, but the kubelet uses a symbolic link; {instead}"
                ))),
            };
        };
        let wrong =
            |why: String| Failure::refused(format!("{name}: links to {}, {why}; {instead}", shown(&text)));
        let (parent, file) = text.rsplit_once('/').unwrap_or(("", &text));
        let same = |parent: &str| Folder::open(Path::new(parent)).is_ok_and(|other| other.is(folder));
        let inside = !text.contains('/') || (text.starts_with('/') && same(parent));
        if !inside || matches!(file, "" | "." | "..") {
            return Err(wrong(format!("must link to a file in {}", folder.name(""))));
        }
        let Some(found) = folder.read(file)? else { return Err(wrong("which does not exist".to_owned())) };
        let certificates = pem::certificates_among(&found.octets)
            .map_err(|why| wrong(format!("whose contents are invalid: {why}")))?;
        let public =
            public_key(&found.octets).map_err(|why| wrong(format!("whose contents are invalid: {why}")))?;
        let Some(first) = certificates.first() else {
            return Err(wrong("which contains no certificate".to_owned()));
        };
        let certified = first.parsed.tbs_certificate().subject_public_key_info().to_der();
        match certified.map(|der| Digest::of(&der)) {
            Ok(certified) if certified == public => {}
            _ => return Err(wrong("whose certificate does not match its key".to_owned())),
        }
        Ok(Some(Self { link, text, link_owner, found, certificates, public }))
    }

    /// Returns the name of the file that the link points to.
    pub fn file(&self) -> &str {
        self.text.rsplit('/').next().unwrap_or_default()
    }

    /// Returns the target of a link to a file of the folder: an absolute path, like the kubelet's.
    pub fn text_for(&self, folder: &Folder, file: &str) -> String {
        match self.text.rsplit_once('/') {
            Some((parent, _)) => format!("{parent}/{file}"),
            None => folder.path().join(file).to_string_lossy().into_owned(),
        }
    }
}

/// Returns an unused file name, formed like the kubelet's from the time (here UTC): this second or
/// the first free one after it.
pub fn dated(folder: &Folder, now: DateTime) -> Result<String, Failure> {
    let taken = folder.names("")?;
    let mut time = now;
    loop {
        let name = format!(
            "kubelet-client-{:04}-{:02}-{:02}-{:02}-{:02}-{:02}.pem",
            time.year(),
            time.month(),
            time.day(),
            time.hour(),
            time.minutes(),
            time.seconds()
        );
        if !taken.contains(&name) {
            return Ok(name);
        }
        let next = time.unix_duration() + std::time::Duration::from_secs(1);
        time = DateTime::from_unix_duration(next).map_err(|e| Failure::fault(format!("{name}: {e}")))?;
    }
}
