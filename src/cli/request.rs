//! `keyrite request`: creates, collects and checks requests, without token and ledger.

#[cfg(feature = "token")]
mod check;
mod cluster;
mod collect;
mod objects;

#[cfg(feature = "token")]
pub use check::Json as CheckJson;

use clap::{Args, Subcommand};
use der::DateTime;

use super::system;
use crate::failure::Failure;
use crate::request::Sequence;

/// Subcommands of `request`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create keys, requests, kubeconfigs and scripts for a Kubernetes cluster
    Cluster(cluster::Arguments),
    #[cfg(feature = "token")]
    /// Judge bundles as the signing machine will, with the same code and messages
    Check(check::Arguments),
    /// Collect the approved CertificateSigningRequest objects of a cluster
    Objects(objects::Arguments),
    /// Collect the *.csr files below a folder
    Collect(collect::Arguments),
}

/// Arguments for the index of a new bundle.
#[derive(Debug, Args)]
struct Dating {
    /// Sequence number of the bundle [default: seconds since 1970]
    #[arg(long, value_name = "N")]
    sequence: Option<u64>,
    /// Number of days until the bundle expires
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=3650))]
    expires_in: Option<u32>,
}

struct Dated {
    sequence: Sequence,
    now: DateTime,
    expires: Option<DateTime>,
}

impl Dating {
    fn now(&self) -> Result<Dated, Failure> {
        let now = system::now();
        let seconds = now.unix_duration();
        let sequence =
            Sequence::try_from(self.sequence.unwrap_or(seconds.as_secs())).map_err(Failure::usage)?;
        let day = std::time::Duration::from_secs(86_400);
        let expires = self.expires_in.map(|days| DateTime::from_unix_duration(seconds + day * days));
        let expires = expires.transpose().map_err(|e| Failure::usage(format!("--expires-in: {e}")))?;
        Ok(Dated { sequence, now, expires })
    }
}

pub fn run(command: Command) -> Result<(), Failure> {
    match command {
        #[cfg(feature = "token")]
        Command::Check(arguments) => check::run(&arguments),
        Command::Cluster(arguments) => cluster::run(&arguments),
        Command::Objects(arguments) => objects::run(&arguments),
        Command::Collect(arguments) => collect::run(&arguments),
    }
}
