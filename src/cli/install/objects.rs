//! `keyrite install objects`: writes API objects from a release, for `kubectl`.

use std::path::{Path, PathBuf};

use clap::Args;

use super::failure;
use crate::cli::output::say;
use crate::cli::{system, verify};
use crate::failure::Failure;
use crate::kubernetes::install::{KeyFolder, ObjectFile, Objects};
use crate::media::{self, Whole, quoted, shown};
use crate::release::CertificateEntry;

/// Maximum number of commands displayed.
const SHOWN: usize = 10;

#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    release: verify::Arguments,
    /// Output folder, which must not exist yet
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Folder of private keys to write as Secrets with their certificates; without it, no Secrets
    /// are written
    #[arg(long, value_name = "DIR")]
    key_dir: Option<PathBuf>,
    /// Accept a rehearsal's release; the objects are marked as such
    #[arg(long)]
    rehearsal: bool,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let keys = arguments.key_dir.as_deref().map(KeyFolder::open).transpose().map_err(failure)?;
    let keep = |entry: &CertificateEntry| Objects::wants(keys.as_ref(), entry);
    let report = arguments.release.verified(&keep)?;
    verify::print(&report);
    let wanted = (arguments.rehearsal, arguments.release.manifest_key());
    let objects = Objects::new(&report, keys.as_ref(), wanted, system::now()).map_err(failure)?;
    write(&arguments.out, objects.files())?;
    print_commands(&arguments.out, &objects);
    Ok(())
}

/// Writes all files into a new folder, or leaves none.
fn write(out: &Path, files: &[ObjectFile]) -> Result<(), Failure> {
    let wrong = |what: &str| Err(Failure::usage(format!("{}: {what}", out.display())));
    if out.symlink_metadata().is_ok() {
        return wrong("exists; name a new folder");
    }
    if out.extension().is_some_and(|ending| ending == "tar") {
        return wrong("must be a folder; choose a name that does not end in .tar");
    }
    let written = || -> Result<(), media::Error> {
        let mut whole = Whole::begin_private(out)?;
        for file in files {
            whole.put(&file.path, &file.octets, if file.secret { 0o600 } else { 0o644 })?;
        }
        whole.finish()
    };
    written().map_err(|e| match e {
        media::Error::Refused(message) => Failure::usage(message),
        fault @ media::Error::Fault { .. } => Failure::fault(fault.to_string()),
    })
}

fn print_commands(out: &Path, objects: &Objects) {
    let inside = |name: &str| quoted(out.join(name));
    let commands: Vec<String> = objects.commands().collect();
    if !commands.is_empty() {
        say(&format!("\nCertificates for {} requests (kubectl 1.24 or later):", commands.len()));
        say(&format!("  sh {}\nor, one by one in {}:", inside("status.sh"), out.display()));
        commands.iter().take(SHOWN).for_each(|command| say(&format!("  {}", shown(command))));
        if commands.len() > SHOWN {
            say(&format!("  and {} more", commands.len() - SHOWN));
        }
    }
    match objects.secrets() {
        0 => say(
            "\nNo Secrets: private keys are read only from --key-dir. Manually:\n  kubectl create secret tls NAME --cert=CERTIFICATE --key=KEY",
        ),
        count => say(&format!(
            "\nSecrets ({count}), each with a PRIVATE KEY; apply them, then delete the files:\n  kubectl apply --namespace=NAMESPACE -f {}",
            inside("secrets")
        )),
    }
    say(&format!(
        "\nTrusted roots, one entry each:\n  kubectl apply --namespace=NAMESPACE -f {}",
        inside("trust-bundle.json")
    ));
}
