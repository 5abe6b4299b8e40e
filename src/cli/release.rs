//! `keyrite release`: writes a release again from the ledger.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::output::say;
use super::progress::Bar;
use super::system;
use crate::failure::Failure;
use crate::ledger::Ledger;
use crate::signing::{Which, reissue};

/// Subcommands of `release`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a release again, byte for byte, from the ledger; needs no token
    Again(Again),
}

/// Arguments of `release again`.
#[derive(Debug, Args)]
pub struct Again {
    /// Folder of the ledger, which is not modified
    #[arg(long, value_name = "DIR")]
    ledger: PathBuf,
    /// Output release: a new or empty folder, or a new file with the extension .tar
    #[arg(long, value_name = "RELEASE")]
    out: PathBuf,
    /// Number of its ceremony [default: that of the last release]
    #[arg(long, value_name = "N", conflicts_with = "sequence")]
    ceremony: Option<i64>,
    /// Sequence number of the release [default: the last one]
    #[arg(long, value_name = "N")]
    sequence: Option<u64>,
}

pub fn run(command: Command) -> Result<(), Failure> {
    let Command::Again(Again { ledger, out, ceremony, sequence }) = command;
    let which = match (ceremony, sequence) {
        (Some(number), _) => Which::Ceremony(number),
        (None, Some(number)) => Which::Sequence(number),
        (None, None) => Which::Last,
    };
    let mut opened = Ledger::read(&ledger, &system::temporary())?;
    let mut bar = Bar::default();
    let again = reissue(&mut opened, which, &out, system::processors(), &mut |progress| {
        bar.show(progress);
    });
    bar.end();
    let release = again?;
    say(&format!(
        "release {} of ceremony {} in {}, byte for byte the original\nmanifest SHA-256\n  {}",
        release.sequence,
        release.ceremony,
        out.display(),
        release.manifest
    ));
    Ok(())
}
