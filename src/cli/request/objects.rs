//! `keyrite request objects`.

use std::path::PathBuf;

use clap::Args;

use super::collect::failure;
use super::{Dated, Dating};
use crate::cli::output::say;
use crate::failure::Failure;
use crate::kubernetes::{BUILT_IN_SIGNERS, Picked, pick};
use crate::media::{Whole, read_file, shown};
use crate::record::count as counted;
use crate::request::{Index, IndexName, write_bundle};

/// Maximum size of a list of objects, in octets.
const MAX_LIST: usize = 256 << 20;

#[derive(Debug, Args)]
pub struct Arguments {
    /// Output of `kubectl get csr -o json`
    file: PathBuf,
    /// Output bundle: a new or empty folder, or a new file with the extension .tar
    #[arg(long, value_name = "BUNDLE")]
    out: PathBuf,
    /// Collect objects for this signer; may be repeated. By default the signers are
    /// kube-apiserver-client, kube-apiserver-client-kubelet and kubelet-serving (kubernetes.io/...)
    #[arg(long = "signer", value_name = "NAME")]
    signers: Vec<String>,
    /// Cluster of the objects
    #[arg(long, value_name = "NAME", value_parser = super::collect::name)]
    cluster: Option<IndexName>,
    #[command(flatten)]
    dating: Dating,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    Whole::check_free(&arguments.out).map_err(|e| Failure::usage(e.to_string()))?;
    let octets = read_file(&arguments.file, MAX_LIST).map_err(|e| Failure::usage(e.to_string()))?;
    let signers = match arguments.signers.is_empty() {
        true => BUILT_IN_SIGNERS.map(str::to_owned).to_vec(),
        false => arguments.signers.clone(),
    };
    let named = arguments.file.display();
    let Picked { requests, left, refused } =
        pick(&octets, &signers).map_err(|e| Failure::usage(format!("{named}: {e}")))?;
    for (name, why) in &left {
        say(&format!("  left out {}: {why}", shown(name)));
    }
    if !refused.is_empty() {
        let line = |name: &str, why: &String| format!("\n  {}: {}", shown(name), shown(why));
        let lines: String =
            refused.iter().flat_map(|(name, all)| all.iter().map(|why| line(name, why))).collect();
        return Err(Failure::refused(format!(
            "approved objects that violate their signer's rules: {}; nothing was written; deny or delete them:{lines}",
            refused.len()
        )));
    }
    if requests.is_empty() {
        return Err(Failure::refused(format!(
            "{named}: no object is approved, unsigned and for a selected signer ({} left out); nothing was written",
            left.len()
        )));
    }
    let Dated { sequence, now, expires } = arguments.dating.now()?;
    let mut index = Index::new(sequence, now, Vec::new());
    index.cluster.clone_from(&arguments.cluster);
    // Objects have their own part, so that their sequence numbers are independent of the nodes'.
    index.part = arguments.cluster.as_ref().and_then(|_| IndexName::try_from("objects".to_owned()).ok());
    index.expires = expires.map(crate::request::Time);
    let count = requests.len();
    for (entry, _) in &requests {
        say(&format!("  {}", entry.path));
    }
    write_bundle(&arguments.out, index, requests).map_err(failure)?;
    say(&format!(
        "{} in {}, sequence {}; {} left out",
        counted(count as u64, "request"),
        arguments.out.display(),
        sequence.number(),
        counted(left.len() as u64, "object")
    ));
    Ok(())
}
