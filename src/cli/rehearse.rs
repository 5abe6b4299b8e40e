//! `keyrite rehearse`: ceremonies on a throwaway SoftHSM token, run with the commands that people
//! type.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args;

use crate::failure::{Failure, Kind};

mod custody;
mod plan;
mod preview;

use super::output::say;
use crate::kubernetes::request;
use crate::media::{RelativePath, quoted, write_new};
use crate::release::{self, CertificateEntry, Head, RefusalEntry};

/// Shipped files that a rehearsal uses, by their paths in its folder.
const SHIPPED: [(&str, &str); 9] = [
    ("plan/cluster.toml", include_str!("../../ceremony/cluster.toml")),
    ("plan/kubernetes-roots.toml", include_str!("../../ceremony/kubernetes-roots.toml")),
    ("plan/kubernetes-sign.toml", include_str!("../../ceremony/kubernetes-sign.toml")),
    ("plan/answers-accept.toml", include_str!("../../ceremony/answers-accept.toml")),
    ("plan/profiles/authorities.toml", include_str!("../../ceremony/profiles/authorities.toml")),
    ("plan/profiles/manifest.toml", include_str!("../../ceremony/profiles/manifest.toml")),
    ("plan/profiles/kubernetes.toml", include_str!("../../ceremony/profiles/kubernetes.toml")),
    ("plan/profiles/etcd.toml", include_str!("../../ceremony/profiles/etcd.toml")),
    ("plan/softhsm2.toml", include_str!("../../hsm-profiles/softhsm2.toml")),
];

/// User PIN of the throwaway token.
const PIN: &str = "rehearsal-user-pin";

/// Arguments of every unattended ceremony.
const UNATTENDED: &str = "--hsm plan/softhsm2.toml --ledger ledger --rehearsal --answers plan/answers-accept.toml --pin-file token/pin";

/// Arguments of `rehearse`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Script to rehearse, unchanged [default: the shipped scripts for a small cluster]
    script: Option<PathBuf>,
    /// Bundle that the script imports; may be repeated
    #[arg(long = "in", value_name = "BUNDLE", requires = "script")]
    bundles: Vec<PathBuf>,
    /// Script to run first, unattended, for example the one that creates the authorities; may be
    /// repeated. Without it, stand-ins replace the authorities
    #[arg(long, value_name = "SCRIPT", requires = "script")]
    after: Vec<PathBuf>,
    /// Certificate of a real authority, for example root-ca=root-ca.crt from the last release: it
    /// replaces the stand-in in previews; may be repeated
    #[arg(long = "authority", value_name = "NAME=FILE", requires = "script", value_parser = preview::named_file)]
    authorities: Vec<(String, PathBuf)>,
    /// Read confirmations from this file instead of the terminal
    #[arg(long, value_name = "FILE", requires = "script")]
    answers: Option<PathBuf>,
    /// Output folder, which must not exist yet [default: keyrite-rehearsal, keyrite-rehearsal-2, ...]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let workspace = Workspace { folder: new_folder(arguments.out.clone())? };
    match &arguments.script {
        Some(script) => plan::run(script, &arguments, &workspace),
        None => shipped(&workspace),
    }
}

/// Performs the shipped scripts for a small cluster.
fn shipped(workspace: &Workspace) -> Result<(), Failure> {
    workspace.prepare("Rehearsal", "", "1. a throwaway SoftHSM token")?;
    workspace.ceremony(
        "2. three authorities and the manifest key, generated in the token",
        "plan/kubernetes-roots.toml",
        "--out roots",
    )?;
    workspace.keyrite(
        "3. keys and requests of a small cluster (keys stay in cluster/nodes, requests are in cluster/bundle)",
        "request cluster plan/cluster.toml --out cluster",
    )?;
    workspace.unauthorised_request()?;
    say("   and, in a separate bundle, a request that must be refused");
    workspace.ceremony(
        "4. the requests checked, signed and released",
        "plan/kubernetes-sign.toml",
        "--in cluster/bundle --in stranger --out release",
    )?;
    let summary = workspace.summary()?;
    let root = summary
        .root
        .as_ref()
        .ok_or_else(|| Failure::fault("the manifest lists no authority of its signer"))?;
    workspace.keyrite("5. the release verified", &format!("verify release --root-sha256 {root}"))?;
    summary.print(&workspace.folder);
    Ok(())
}

/// Returns a folder that does not exist yet.
fn new_folder(out: Option<PathBuf>) -> Result<PathBuf, Failure> {
    let numbered = (2..1000).map(|number| format!("keyrite-rehearsal-{number}"));
    let mut names = std::iter::once("keyrite-rehearsal".to_owned()).chain(numbered).map(PathBuf::from);
    let folder = out
        .or_else(|| names.find(|folder| !folder.exists()))
        .ok_or_else(|| Failure::usage("too many rehearsals in this folder; remove some or use --out"))?;
    if folder.exists() {
        return Err(Failure::usage(format!("{}: exists; name a new folder", folder.display())));
    }
    absolute(&folder)
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|e| Failure::usage(format!("{}: {e}", path.display())))
}

fn own_program(error: std::io::Error) -> Failure {
    Failure::fault(format!("own executable: {error}"))
}

/// Returns the failure for an exit code of this program.
fn failure(code: Option<i32>, message: String) -> Failure {
    match code {
        Some(1) => Failure::refused(message),
        Some(2) => Failure::usage(message),
        Some(4) => Failure::new(Kind::AfterSigning, message),
        _ => Failure::fault(message),
    }
}

/// Folder of a rehearsal, with its token and ledger.
struct Workspace {
    folder: PathBuf,
}

impl Workspace {
    /// Writes the shipped files and initialises the token.
    fn prepare(&self, subject: &str, plan: &str, token: &str) -> Result<(), Failure> {
        for (path, text) in SHIPPED {
            self.write(path, text, 0o600)?;
        }
        self.write("token/pin", &format!("{PIN}\n"), 0o600)?;
        self.write("token/so-pin", "rehearsal-officer-pin\n", 0o600)?;
        self.make_dir(Path::new("token/objects"))?;
        let objects = self.folder.join("token/objects");
        self.write(
            "token/softhsm2.conf",
            &format!("directories.tokendir = {}\nlog.level = ERROR\n", objects.display()),
            0o600,
        )?;
        say(&format!(
            "{subject} in {}: everything created here is marked as such.\n{plan}\n{}\n",
            self.folder.display(),
            self.instructions()
        ));
        self.keyrite(token, "token init --hsm plan/softhsm2.toml --label rehearsal --so-pin-file token/so-pin --pin-file token/pin")
    }

    /// Explains how to type commands in this rehearsal.
    fn instructions(&self) -> String {
        let program = std::env::current_exe().ok();
        let path = program
            .as_deref()
            .and_then(Path::parent)
            .map_or_else(String::new, |folder| format!("\n  export PATH={}:$PATH", quoted(folder)));
        format!(
            "To run commands in this rehearsal, enter its folder, select its token and put this program on the PATH:\n  cd {}\n  export SOFTHSM2_CONF=$PWD/token/softhsm2.conf{path}",
            quoted(&self.folder)
        )
    }

    fn make_dir(&self, folder: &Path) -> Result<(), Failure> {
        let folder = self.folder.join(folder);
        std::fs::create_dir_all(&folder).map_err(|e| Failure::fault(format!("{}: {e}", folder.display())))
    }

    fn write(&self, path: &str, text: &str, mode: u32) -> Result<(), Failure> {
        self.write_octets(path, text.as_bytes(), mode)
    }

    fn write_octets(&self, path: &str, octets: &[u8], mode: u32) -> Result<(), Failure> {
        let relative = RelativePath::new(path).map_err(|e| Failure::fault(e.to_string()))?;
        if let Some(parent) = Path::new(relative.as_str()).parent() {
            self.make_dir(parent)?;
        }
        write_new(&self.folder.join(relative.as_str()), octets, mode)
            .map_err(|e| Failure::fault(e.to_string()))
    }

    /// Writes the request of a compromised node: it asks for the group to which Kubernetes grants
    /// every access.
    fn unauthorised_request(&self) -> Result<(), Failure> {
        let subject = ["O=system:masters".to_owned(), "CN=system:node:worker-3".to_owned()];
        self.write("stranger/nodes/worker-3/kubelet.conf.csr", &request(&subject, &[], &[])?.request, 0o644)
    }

    /// Returns a command that runs this program in the rehearsal's folder and with its token.
    fn command(&self) -> Result<Command, Failure> {
        let mut command = Command::new(std::env::current_exe().map_err(own_program)?);
        command.current_dir(&self.folder).env("SOFTHSM2_CONF", self.folder.join("token/softhsm2.conf"));
        Ok(command)
    }

    /// Runs a ceremony unattended and prints its last line.
    fn ceremony(&self, title: &str, script: &str, more: &str) -> Result<(), Failure> {
        self.keyrite(title, &format!("ceremony run {script} {UNATTENDED} {more}"))
    }

    /// Runs this program and prints the last line of its output.
    fn keyrite(&self, title: &str, arguments: &str) -> Result<(), Failure> {
        let arguments = arguments.trim_end();
        say(&format!("{title}\n   keyrite {arguments}"));
        let mut command = self.command()?;
        command.args(arguments.split(' ')).stdin(Stdio::null());
        let output = command.output().map_err(own_program)?;
        let text = String::from_utf8_lossy(&output.stdout);
        if output.status.success() {
            let last = text.lines().last().unwrap_or_default();
            say(&format!("   -> {last}"));
            return Ok(());
        }
        let why = String::from_utf8_lossy(&output.stderr);
        let message = format!(
            "{}\n(in the rehearsal's folder {})",
            why.trim().trim_start_matches("keyrite: "),
            self.folder.display()
        );
        Err(failure(output.status.code(), message))
    }

    fn summary(&self) -> Result<Summary, Failure> {
        let path = self.folder.join("release/manifest.json");
        let fault = |e: String| Failure::fault(format!("{}: {e}", path.display()));
        let file = std::fs::File::open(&path).map_err(|e| fault(e.to_string()))?;
        let mut summary = Summary::default();
        release::read(file, &mut summary).map_err(|e| fault(e.0))?;
        Ok(summary)
    }
}

/// Summary of the manifest.
#[derive(Default)]
struct Summary {
    root: Option<String>,
    certificates: usize,
    refusals: Vec<RefusalEntry>,
}

impl release::Reader for Summary {
    fn head(&mut self, head: Head) -> Result<(), release::Error> {
        let signer = head.authorities.iter().find(|authority| authority.name == head.signer.authority);
        self.root = signer.map(|authority| authority.sha256.to_string());
        Ok(())
    }

    fn certificate(&mut self, _: CertificateEntry) -> Result<(), release::Error> {
        self.certificates += 1;
        Ok(())
    }

    fn refusal(&mut self, entry: RefusalEntry) -> Result<(), release::Error> {
        self.refusals.push(entry);
        Ok(())
    }
}

impl Summary {
    fn print(&self, folder: &Path) {
        say(&format!("\n{} certificates, {} refused:", self.certificates, self.refusals.len()));
        for refusal in &self.refusals {
            if let Some(reason) = refusal.reasons.first() {
                say(&format!("   {}: {} [{}]", refusal.request_path, reason.message, reason.control));
            }
        }
        say(&format!(
        "\nCheck it without keyrite:
   cd {}/release
   openssl cms -verify -binary -inform DER -in manifest.json.p7s -content manifest.json \\
     -CAfile authorities/kubernetes-ca.crt -out /dev/null
   openssl verify -x509_strict -purpose sslserver -CAfile authorities/kubernetes-ca.crt certificates/nodes/cp-1/pki/apiserver.crt
   openssl verify -x509_strict -purpose sslclient -CAfile authorities/etcd-ca.crt certificates/nodes/cp-1/pki/apiserver-etcd-client.crt
   sha256sum certificates/nodes/cp-1/pki/apiserver.crt; grep -o '\"certificates/nodes/cp-1/pki/apiserver.crt\",\"file_sha256\":\"[0-9a-f]*' manifest.json",
        folder.display()
    ));
    }
}
