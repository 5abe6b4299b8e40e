//! `keyrite verify`: verifies a release against a trusted root.

use std::path::PathBuf;

use clap::Args;

use super::output::say;
use super::system;
use crate::digest::Digest;
use crate::failure::Failure;
use crate::issuance::{Certificate, MANIFEST_SIGNING};
use crate::media::{self, Tree, read_file, shown};
use crate::plan::MAX_FILE;
use crate::release::{self, CertificateEntry, LIMITS, ManifestKind, Report, Root, Trust};

/// A release and the trusted root.
#[derive(Debug, Args)]
#[group(skip)]
#[command(group(clap::ArgGroup::new("trusted").required(true).args(["root", "root_sha256"])))]
pub struct Arguments {
    /// Release: a folder or a tar file
    release: PathBuf,
    /// Certificate of the trusted root, PEM or DER
    #[arg(long, value_name = "FILE")]
    root: Option<PathBuf>,
    /// SHA-256 fingerprint of the trusted root's certificate (DER)
    #[arg(long, value_name = "HEX")]
    root_sha256: Option<Digest>,
    /// SHA-256 fingerprint of the manifest key's certificate (DER), from the paper of the ceremony that
    /// created it: this key must have signed, and install trusts it even if it is new
    #[arg(long, value_name = "HEX")]
    manifest_key: Option<Digest>,
}

impl Arguments {
    /// Verifies the release. The report includes the certificates selected by `keep`.
    pub fn verified(&self, keep: &(dyn Fn(&CertificateEntry) -> bool + Sync)) -> Result<Report, Failure> {
        let root = match (&self.root, self.root_sha256) {
            (Some(path), _) => Root::Certificate(Box::new(certificate(path)?)),
            (None, Some(digest)) => Root::Sha256(digest),
            (None, None) => return Err(Failure::usage("name the root with --root or --root-sha256")),
        };
        let tree = Tree::open(&self.release, LIMITS).map_err(|e| match e {
            media::Error::Refused(message) => failed(&message),
            fault @ media::Error::Fault { .. } => Failure::fault(fault.to_string()),
        })?;
        let trust = Trust { root, manifest_key: self.manifest_key };
        release::verify(&tree, &trust, system::processors(), keep).map_err(|e| failed(&shown(&e.0)))
    }

    pub fn manifest_key(&self) -> Option<Digest> {
        self.manifest_key
    }
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let report = arguments.verified(&|_| false)?;
    print(&report);
    let mut but = Vec::new();
    if report.head.kind == ManifestKind::Rehearsal {
        but.push("a REHEARSAL: do not install it");
    } else if report.head.unattended {
        but.push("UNATTENDED: the answers came from a file");
    }
    if !report.manifest_key.bound {
        but.push("NOT BOUND: see the warning about its manifest key");
    }
    if but.is_empty() {
        say("VERIFIED");
    } else {
        say(&format!("VERIFIED, but {}", but.join("; ")));
    }
    Ok(())
}

fn failed(message: &str) -> Failure {
    Failure::refused(format!("{message}\nNOT VERIFIED: do not install this release"))
}

/// Reads a certificate in PEM or DER.
pub fn certificate(path: &std::path::Path) -> Result<Certificate, Failure> {
    let octets = read_file(path, MAX_FILE).map_err(|e| Failure::usage(e.to_string()))?;
    let read = if octets.first() == Some(&0x30) {
        Certificate::from_der(&octets)
    } else {
        Certificate::from_pem(&octets)
    };
    read.map_err(|e| Failure::usage(format!("{}: {e}", path.display())))
}

pub fn print(report: &Report) {
    let manifest = &report.head;
    let unattended = if manifest.unattended { ", unattended" } else { "" };
    say(&format!(
        "release    {} of {}{unattended}\nplan       {} ({})\n           {}\nroot       {}\nmanifest   {}\nsigned by  a key under {}; SHA-256 of its certificate\n           {}\ncontents   authorities {}, certificates {}, refusals {}",
        manifest.sequence,
        manifest.created,
        shown(&manifest.plan.title),
        shown(&manifest.plan.script),
        manifest.plan.sha256,
        report.root,
        report.manifest_sha256,
        shown(&report.manifest_key.issuer),
        report.manifest_key.certificate_sha256,
        manifest.authorities.len(),
        report.certificates,
        report.refusals
    ));
    if !report.manifest_key.bound {
        say(&format!(
            "WARNING    the manifest key's certificate lacks the certificate policy of manifest keys, {MANIFEST_SIGNING}; it was created before keyrite used that policy. Only its extended key usage distinguishes it from other certificates of {}, so this release proves less; compare the SHA-256 of the certificate with the paper of the ceremony that created it, and create a new manifest key",
            shown(&report.manifest_key.issuer)
        ));
    }
    for refusal in &report.first_refusals {
        for reason in &refusal.reasons {
            say(&format!(
                "refused    {}: {} [{}]",
                refusal.request_path,
                shown(&reason.message),
                shown(&reason.control)
            ));
        }
    }
    if report.refusals > report.first_refusals.len() {
        let more = report.refusals - report.first_refusals.len();
        say(&format!("refused    and {more} more, at the end of manifest.json"));
    }
}
