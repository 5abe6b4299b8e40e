//! `keyrite request cluster`.

use crate::failure::Failure;
use std::path::PathBuf;

use clap::Args;

use super::{Dated, Dating};
use crate::cli::output::say;
use crate::cli::system;
use crate::kubernetes::{Cluster, MakeOptions, make};
use crate::media::{Whole, read_file};

/// Maximum size of a cluster description, in octets.
const MAX_DESCRIPTION: usize = 8 << 20;

#[derive(Debug, Args)]
pub struct Arguments {
    /// The cluster's description
    cluster: PathBuf,
    /// Where everything goes: a new or an empty folder
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Make only what belongs on this node, so that no key ever travels
    #[arg(long, value_name = "NAME")]
    node: Option<String>,
    /// Take the keys of this folder again, which an earlier run made
    #[arg(long, value_name = "DIR")]
    keys: Option<PathBuf>,
    #[command(flatten)]
    dating: Dating,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let named = arguments.cluster.display();
    let octets = read_file(&arguments.cluster, MAX_DESCRIPTION).map_err(|e| Failure::usage(e.to_string()))?;
    let text = String::from_utf8(octets).map_err(|_| Failure::usage(format!("{named}: not valid UTF-8")))?;
    let cluster = Cluster::parse(&text).map_err(|e| Failure::usage(format!("{named}: {e}")))?;
    if arguments.keys.is_some() && !cluster.reuse_keys {
        return Err(Failure::usage(format!(
            "{named}: --keys takes old keys again, and the roster lets none pass; set reuse_keys = true"
        )));
    }
    Whole::check_free(&arguments.out).map_err(|e| Failure::usage(e.to_string()))?;
    let Dated { sequence, now, expires } = arguments.dating.now()?;
    let options = MakeOptions {
        cluster: &cluster,
        node: arguments.node.as_deref(),
        keys: arguments.keys.as_deref(),
        sequence,
        now,
        expires,
        processors: system::processors(),
    };
    let made = make(&options, &arguments.out)?;
    let out = arguments.out.display();
    say(&format!(
        "{out}/bundle        travels: the requests and their index
{out}/nodes         stays: keys and kubeconfigs, each node's in a folder of its own
{out}/script        for review: roots.toml makes the authorities, sign.toml signs these requests
{out}/roster.toml   the roster lines alone"
    ));
    if let (false, Some(first)) = (made.service_account, cluster.first_control_plane()) {
        say(&format!(
            "the keys of service accounts are made on {}; every control-plane node needs a copy of sa.key and sa.pub from there",
            first.name
        ));
    }
    say(&format!("next step\n  keyrite request check {out}/bundle --script {out}/script/sign.toml"));
    say(&format!(
        "{} requests of cluster {}, sequence {}",
        made.requests,
        cluster.name.as_str(),
        sequence.number()
    ));
    Ok(())
}
