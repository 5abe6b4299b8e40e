//! `keyrite rehearse`: the whole job on a throwaway SoftHSM token, by the same commands that
//! people type.

use crate::failure::{Failure, Kind};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args;

mod custody;
mod plan;
mod preview;

use super::output::say;
use crate::kubernetes::request;
use crate::media::{RelativePath, write_new};
use crate::release::{self, CertificateEntry, Head, RefusalEntry};

/// The shipped files that a rehearsal uses, as they are in the repository.
const SHIPPED: [(&str, &str); 11] = [
    ("plan/cluster.toml", include_str!("../../ceremony/cluster.toml")),
    ("plan/kubernetes-roots.toml", include_str!("../../ceremony/kubernetes-roots.toml")),
    ("plan/kubernetes-sign.toml", include_str!("../../ceremony/kubernetes-sign.toml")),
    ("plan/answers-accept.toml", include_str!("../../ceremony/answers-accept.toml")),
    ("plan/profiles/authorities.toml", include_str!("../../ceremony/profiles/authorities.toml")),
    ("plan/profiles/manifest.toml", include_str!("../../ceremony/profiles/manifest.toml")),
    ("plan/profiles/kubernetes.toml", include_str!("../../ceremony/profiles/kubernetes.toml")),
    ("plan/profiles/etcd.toml", include_str!("../../ceremony/profiles/etcd.toml")),
    ("plan/softhsm2.toml", include_str!("../../hsm-profiles/softhsm2.toml")),
    ("token/pin", concat!("rehearsal-user-pin", "\n")),
    ("token/so-pin", "rehearsal-officer-pin\n"),
];

/// The PIN of a throwaway token, as `token/pin` has it.
const PIN: &str = "rehearsal-user-pin";

/// Arguments of `rehearse`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The script to rehearse, as it will run; without it, the shipped scripts for a small cluster
    script: Option<PathBuf>,
    /// The bundles that it will import; may be given several times
    #[arg(long = "in", value_name = "BUNDLE", requires = "script")]
    bundles: Vec<PathBuf>,
    /// A script that runs before it, unattended, as the one that creates the authorities; without
    /// it, stand-ins take their place
    #[arg(long, value_name = "SCRIPT", requires = "script")]
    after: Vec<PathBuf>,
    /// The certificate of a real authority, for example root-ca=root-ca.crt as the last release has
    /// it: previews are then under it instead of a stand-in; may be given several times
    #[arg(long = "authority", value_name = "NAME=FILE", requires = "script", value_parser = preview::named_file)]
    authorities: Vec<(String, PathBuf)>,
    /// Take confirmations from this file instead of people at the terminal
    #[arg(long, value_name = "FILE", requires = "script")]
    answers: Option<PathBuf>,
    /// Where everything goes: a folder that does not exist yet
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Performs the command.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let folder = place(arguments.out.clone())?;
    let stage = Stage { folder: folder.clone() };
    if let Some(script) = &arguments.script {
        return plan::run(script, &arguments, &stage);
    }
    stage.lay_out()?;
    say(&format!(
        "Rehearsal in {}: everything made here is marked as such.\n\n{}\n",
        folder.display(),
        stage.entry()
    ));

    stage.keyrite("1. a throwaway SoftHSM token", "token init --hsm plan/softhsm2.toml --label rehearsal --so-pin-file token/so-pin --pin-file token/pin")?;
    let unattended = "--hsm plan/softhsm2.toml --ledger ledger --rehearsal --answers plan/answers-accept.toml --pin-file token/pin";
    stage.keyrite(
        "2. three authorities and the manifest key, generated in the token",
        &format!("ceremony run plan/kubernetes-roots.toml {unattended} --out roots"),
    )?;
    stage.keyrite(
        "3. keys and requests of a small cluster (keys stay in cluster/nodes, requests are in cluster/bundle)",
        "request cluster plan/cluster.toml --out cluster",
    )?;
    stage.stranger()?;
    say("   and, in a bundle of its own, a request that nobody should sign");
    stage.keyrite(
        "4. the requests checked, signed and released",
        &format!("ceremony run plan/kubernetes-sign.toml {unattended} --in cluster/bundle --in stranger --out release"),
    )?;
    let manifest = stage.manifest()?;
    let root =
        manifest.root.as_ref().ok_or_else(|| Failure::fault("the manifest's signer has no authority"))?;
    stage.keyrite("5. the release verified", &format!("verify release --root-sha256 {root}"))?;
    tell(&folder, &manifest);
    Ok(())
}

fn place(out: Option<PathBuf>) -> Result<PathBuf, Failure> {
    let folder = match out {
        Some(folder) => folder,
        None => (1..1000)
            .map(|number| {
                PathBuf::from(if number == 1 {
                    "keyrite-rehearsal".to_owned()
                } else {
                    format!("keyrite-rehearsal-{number}")
                })
            })
            .find(|folder| !folder.exists())
            .ok_or_else(|| Failure::usage("too many rehearsals lie here; remove some, or use --out"))?,
    };
    if folder.exists() {
        return Err(Failure::usage(format!("{}: exists; name a folder that does not", folder.display())));
    }
    std::path::absolute(&folder).map_err(|e| Failure::usage(format!("{}: {e}", folder.display())))
}

/// This very program.
fn program() -> Result<PathBuf, Failure> {
    std::env::current_exe().map_err(|e| Failure::fault(format!("own program: {e}")))
}

/// A word of a command, as a shell takes it.
fn quoted(word: &str) -> String {
    match word.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-+=,:@%".contains(&b)) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

/// The failure that an exit code of this program means.
fn failure(code: Option<i32>, message: String) -> Failure {
    match code {
        Some(1) => Failure::refused(message),
        Some(2) => Failure::usage(message),
        Some(4) => Failure::new(Kind::AfterSigning, message),
        _ => Failure::fault(message),
    }
}

struct Stage {
    folder: PathBuf,
}

impl Stage {
    fn lay_out(&self) -> Result<(), Failure> {
        for (path, text) in SHIPPED {
            self.write(path, text, 0o600)?;
        }
        self.make_dir(Path::new("token/objects"))?;
        let objects = self.folder.join("token/objects");
        self.write(
            "token/softhsm2.conf",
            &format!("directories.tokendir = {}\nlog.level = ERROR\n", objects.display()),
            0o600,
        )
    }

    /// How to come to where the commands of this rehearsal can be typed.
    fn entry(&self) -> String {
        format!(
            "Its commands are typed in its folder, and its token is found by its variable:\n  cd {}\n  export SOFTHSM2_CONF=$PWD/token/softhsm2.conf",
            quoted(&self.folder.to_string_lossy())
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

    /// A node that was taken over: it asks for the group that no authorizer refuses anything.
    fn stranger(&self) -> Result<(), Failure> {
        let subject = ["O=system:masters".to_owned(), "CN=system:node:worker-3".to_owned()];
        self.write("stranger/nodes/worker-3/kubelet.conf.csr", &request(&subject, &[], &[])?.request, 0o644)
    }

    /// Runs this very program in the rehearsal's folder with its own token configuration.
    fn keyrite(&self, title: &str, arguments: &str) -> Result<(), Failure> {
        say(&format!("{title}\n   keyrite {arguments}"));
        let output = Command::new(program()?)
            .args(arguments.split(' '))
            .current_dir(&self.folder)
            .env("SOFTHSM2_CONF", self.folder.join("token/softhsm2.conf"))
            .stdin(Stdio::null())
            .output()
            .map_err(|e| Failure::fault(format!("own program: {e}")))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
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

    fn manifest(&self) -> Result<Told, Failure> {
        let path = self.folder.join("release/manifest.json");
        let fault = |e: String| Failure::fault(format!("{}: {e}", path.display()));
        let file = std::fs::File::open(&path).map_err(|e| fault(e.to_string()))?;
        let mut told = Told::default();
        release::read(file, &mut told).map_err(|e| fault(e.0))?;
        Ok(told)
    }
}

/// What a rehearsal tells of its manifest.
#[derive(Default)]
struct Told {
    root: Option<String>,
    certificates: usize,
    refusals: Vec<RefusalEntry>,
}

impl release::Reader for Told {
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

fn tell(folder: &Path, manifest: &Told) {
    say(&format!("\n{} certificates, {} refused:", manifest.certificates, manifest.refusals.len()));
    for refusal in &manifest.refusals {
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
