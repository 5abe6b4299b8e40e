//! `keyrite install`: installs a release for the components of a node.

mod objects;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Mutex;

use clap::{ArgMatches, Args, FromArgMatches, Subcommand};

use super::output::say;
use super::{system, verify};
use crate::failure::{Failure, Kind};
use crate::kubernetes::install::{self, Options, Paths, Plan, Target};
use crate::media::{RelativePath, shown};
use crate::release::{CertificateEntry, ManifestKind};

/// Maximum number of certificates of other nodes that are listed.
const NAMED: usize = 10;

/// Arguments of `install`: a release, or a subcommand.
#[derive(Debug)]
pub enum Arguments {
    Release(Box<Install>),
    Command(Command),
}

impl FromArgMatches for Arguments {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        match matches.subcommand_name() {
            Some(_) => Command::from_arg_matches(matches).map(Self::Command),
            None => Install::from_arg_matches(matches).map(|install| Self::Release(Box::new(install))),
        }
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        Self::from_arg_matches(matches).map(|arguments| *self = arguments)
    }
}

impl Args for Arguments {
    fn augment_args(command: clap::Command) -> clap::Command {
        Command::augment_subcommands(Install::augment_args(command))
            .subcommand_required(false)
            .arg_required_else_help(false)
            .args_conflicts_with_subcommands(true)
            .subcommand_negates_reqs(true)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

/// Subcommands of `install`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write API objects for kubectl: certificates for CertificateSigningRequest objects, Secrets, a
    /// ConfigMap of trusted roots
    Objects(objects::Arguments),
    /// Undo the last installation
    Undo {
        #[command(flatten)]
        places: Places,
    },
}

#[derive(Debug, Args)]
pub struct Install {
    #[command(flatten)]
    release: verify::Arguments,
    #[command(flatten)]
    places: Places,
    /// CA file of an authority, for example root-ca=ca.crt; may be repeated. kubeadm's are built in:
    /// kubernetes-ca=ca.crt, etcd-ca=etcd/ca.crt, front-proxy-ca=front-proxy-ca.crt. An authority
    /// outside the token is named by the path of its certificate in the release
    #[arg(long = "ca", value_name = "NAME=FILE", value_parser = ca_file)]
    authorities: Vec<(String, String)>,
    /// Folder of new private keys and kubeconfigs, as written by request cluster: they replace the
    /// installed ones together with their certificates
    #[arg(long, value_name = "DIR")]
    renewal: Option<PathBuf>,
    /// Allow CA files to receive another CA; the one in use comes first, the old one follows it
    #[arg(long)]
    rotate_ca: bool,
    /// Finish a rotation: CA files keep only the authorities that this release uses here
    #[arg(long)]
    drop_old_ca: bool,
    /// Install a rehearsal's release, into a target that is for rehearsals only
    #[arg(long)]
    rehearsal: bool,
    /// Show the changes without making them
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Args)]
pub struct Places {
    /// Folder of private keys and certificates, for example /etc/kubernetes/pki
    #[arg(long, value_name = "DIR")]
    pki: PathBuf,
    /// Folder of admin.conf, kubelet.conf and other kubeconfigs [default: the parent of --pki]
    #[arg(long, value_name = "DIR")]
    kubeconfig_dir: Option<PathBuf>,
    /// A kubeconfig with another name; may be repeated
    #[arg(long = "kubeconfig", value_name = "FILE")]
    kubeconfigs: Vec<PathBuf>,
    /// Folder of the kubelet (its --root-dir), where pki/kubelet-client-current.pem is the
    /// certificate in use [default: /var/lib/kubelet if it exists and --pki is /etc/kubernetes/pki
    /// or /etc/kubernetes, otherwise none]
    #[arg(long, value_name = "DIR")]
    kubelet_dir: Option<PathBuf>,
}

impl Places {
    fn paths(self) -> Paths {
        Paths {
            pki: self.pki,
            kubeconfig_dir: self.kubeconfig_dir,
            kubelet_dir: self.kubelet_dir,
            kubeconfigs: self.kubeconfigs,
            renewal: None,
        }
    }
}

fn ca_file(text: &str) -> Result<(String, String), String> {
    let (name, path) = text.split_once('=').ok_or("is not NAME=FILE")?;
    let path = RelativePath::new(path).map_err(|e| e.to_string())?;
    Ok((name.to_owned(), path.as_str().to_owned()))
}

pub fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments {
        Arguments::Command(Command::Undo { places }) => undo(places),
        Arguments::Command(Command::Objects(arguments)) => objects::run(&arguments),
        Arguments::Release(install) => perform(*install),
    }
}

fn perform(arguments: Install) -> Result<(), Failure> {
    let places = Paths { renewal: arguments.renewal, ..arguments.places.paths() };
    let target = Target::open(&places, arguments.dry_run).map_err(failure)?;
    if target.restored() {
        say("restored   an interrupted installation was rolled back");
    }
    for line in target.kubelet() {
        say(&format!("kubelet    {}", shown(line)));
    }
    let keys = target.public_keys();
    let elsewhere = Mutex::new(BTreeSet::new());
    let keep = |entry: &CertificateEntry| {
        let here = keys.contains(&entry.spki_sha256)
            || arguments.authorities.iter().any(|(name, _)| entry.delegated && entry.path.as_str() == name);
        if let (false, Ok(mut elsewhere)) = (here, elsewhere.lock()) {
            elsewhere.insert(entry.path.clone());
            if elsewhere.len() > NAMED {
                elsewhere.pop_last();
            }
        }
        here
    };
    let report = arguments.release.verified(&keep)?;
    verify::print(&report);
    let options = Options {
        manifest_key: arguments.release.manifest_key(),
        authorities: arguments.authorities,
        rehearsal: arguments.rehearsal,
        rotate_ca: arguments.rotate_ca,
        drop_old_ca: arguments.drop_old_ca,
    };
    let plan = Plan::new(&target, &report, &options, system::now()).map_err(failure)?;
    let elsewhere = elsewhere.into_inner().unwrap_or_default();
    print_elsewhere(&elsewhere, report.certificates - report.kept.len());
    print_plan(&plan);
    let kind = match report.head.kind {
        ManifestKind::Production if report.head.unattended => {
            ", but UNATTENDED: the answers came from a file"
        }
        ManifestKind::Production => "",
        ManifestKind::Rehearsal => ", but a REHEARSAL: this target is for rehearsals only",
    };
    if plan.is_empty() {
        say(&format!("NOTHING TO DO: this release is already installed{kind}"));
        return Ok(());
    }
    if arguments.dry_run {
        say(&format!("DRY RUN: nothing was changed; the release would be installed{kind}"));
        return Ok(());
    }
    let restarts = plan.restarts();
    plan.apply().map_err(failure)?;
    print_restarts(&restarts);
    say(&format!("INSTALLED{kind}"));
    Ok(())
}

fn print_elsewhere(named: &BTreeSet<RelativePath>, count: usize) {
    for path in named {
        say(&format!("left out   {path}: its private key is not here"));
    }
    if count > named.len() {
        say(&format!("left out   and {} more", count - named.len()));
    }
}

fn print_plan(plan: &Plan<'_>) {
    for file in &plan.unchanged {
        say(&format!("unchanged  {file}"));
    }
    for action in &plan.actions {
        let verb = if action.replaces { "replace" } else { "write  " };
        say(&format!("{verb}    {}: {}", action.file, shown(&action.what)));
    }
    for note in &plan.notes {
        say(&format!("note       {}", shown(note)));
    }
}

fn print_restarts(restarts: &[(&str, String)]) {
    for (how, components) in restarts {
        say(&format!("restart    {components}: {how}"));
    }
}

fn undo(places: Places) -> Result<(), Failure> {
    for line in install::undo(&places.paths()).map_err(failure)? {
        say(&line);
    }
    say("UNDONE: the last installation was reverted; restart the components that read these files");
    Ok(())
}

fn failure(failure: Failure) -> Failure {
    match failure.kind {
        Kind::Refused => failure.map(|text| format!("{text}\nNothing was changed.")),
        _ => failure,
    }
}
