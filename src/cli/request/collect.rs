//! `keyrite request collect`.

use std::path::PathBuf;

use clap::Args;

use super::{Dated, Dating};
use crate::cli::output::say;
use crate::failure::Failure;
use crate::media::{Error, Whole, shown};
use crate::record::count;
use crate::request::{Index, IndexName, collect, write_bundle};

#[derive(Debug, Args)]
pub struct Arguments {
    /// Folder to search; symbolic links are not followed
    folder: PathBuf,
    /// Output bundle: a new or empty folder, or a new file with the extension .tar
    #[arg(long, value_name = "BUNDLE")]
    out: PathBuf,
    /// Cluster that the requests are for
    #[arg(long, value_name = "NAME", value_parser = name)]
    cluster: Option<IndexName>,
    /// Part of the cluster that they come from, such as a node
    #[arg(long, value_name = "NAME", value_parser = name, requires = "cluster")]
    part: Option<IndexName>,
    #[command(flatten)]
    dating: Dating,
}

/// Parses a name for an index.
pub fn name(text: &str) -> Result<IndexName, String> {
    IndexName::try_from(text.to_owned())
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    Whole::check_free(&arguments.out).map_err(|e| Failure::usage(e.to_string()))?;
    let collected = collect(&arguments.folder).map_err(failure)?;
    let Dated { sequence, now, expires } = arguments.dating.now()?;
    let mut index = Index::new(sequence, now, Vec::new());
    index.cluster.clone_from(&arguments.cluster);
    index.part.clone_from(&arguments.part);
    index.expires = expires.map(crate::request::Time);
    let (requests, left) = (collected.requests.len(), collected.left);
    for (entry, _) in &collected.requests {
        say(&format!("  {}", entry.path));
    }
    for link in &collected.links {
        say(&format!("  not followed: {}", shown(link)));
    }
    write_bundle(&arguments.out, index, collected.requests).map_err(failure)?;
    say(&format!(
        "{} in {}, sequence {}; {} not collected",
        count(requests as u64, "request"),
        arguments.out.display(),
        sequence.number(),
        count(left as u64, "other file")
    ));
    Ok(())
}

/// Maps errors for both commands that write bundles.
pub fn failure(error: Error) -> Failure {
    match error {
        Error::Refused(message) => Failure::refused(message),
        fault @ Error::Fault { .. } => Failure::fault(fault.to_string()),
    }
}
