//! `keyrite request cluster`.

use std::path::PathBuf;

use clap::Args;

use super::{Dated, Dating};
use crate::cli::output::say;
use crate::cli::system;
use crate::failure::Failure;
use crate::kubernetes::{Cluster, MakeOptions, Role, make};
use crate::media::{Whole, quoted, read_text};
use crate::record::count;

/// Maximum size of a cluster description, in octets.
const MAX_DESCRIPTION: usize = 8 << 20;

#[derive(Debug, Args)]
pub struct Arguments {
    /// Cluster description
    cluster: PathBuf,
    /// Output folder, new or empty
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Create keys and requests for this node only, so that no key leaves its node
    #[arg(long, value_name = "NAME")]
    node: Option<String>,
    /// Reuse the keys in this folder, the output of an earlier run
    #[arg(long, value_name = "DIR")]
    keys: Option<PathBuf>,
    #[command(flatten)]
    dating: Dating,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let named = arguments.cluster.display();
    let text = read_text(&arguments.cluster, MAX_DESCRIPTION).map_err(|e| Failure::usage(e.to_string()))?;
    let cluster = Cluster::parse(&text).map_err(|e| Failure::usage(format!("{named}: {e}")))?;
    if arguments.keys.is_some() && !cluster.reuse_keys {
        return Err(Failure::usage(format!(
            "{named}: --keys reuses old keys, which the roster does not allow; set reuse_keys = true"
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
        "{out}/bundle        to be sent: the requests and their index
{out}/nodes         to be kept: keys and kubeconfigs, one folder per node
{out}/script        for review: roots.toml creates the authorities, sign.toml signs these requests
{out}/roster.toml   only the roster lines"
    ));
    let only = arguments.node.as_deref();
    let concerned = only
        .is_none_or(|name| cluster.node.iter().any(|node| node.name == name && node.is(Role::ControlPlane)));
    if let (false, true, Some(first)) = (made.service_account, concerned, cluster.first_control_plane()) {
        say(&format!(
            "the service account keys are created on {}; every other control-plane node needs a copy of its sa.key and sa.pub",
            first.name
        ));
    }
    say(&format!(
        "next step\n  keyrite request check {} --script {}",
        quoted(arguments.out.join("bundle")),
        quoted(arguments.out.join("script/sign.toml"))
    ));
    say(&format!(
        "{} for cluster {}, sequence {}",
        count(made.requests as u64, "request"),
        cluster.name.as_str(),
        sequence.number()
    ));
    Ok(())
}
