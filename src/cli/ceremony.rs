//! `keyrite ceremony`: runs, resumes and abandons ceremonies.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::output::say;
use super::pin::PinSource;
use super::room::room;
use super::secrets::ShareSource;
use super::{check, paper, stop, token};
use crate::ceremony::{self, Conductor, Interrupted, Outcome, Room, Start, abandon};
use crate::cli::environment::environment;
use crate::failure::{Failure, Kind};
use crate::ledger::{Error as LedgerError, Ledger, abandon_command, resume_command};
use crate::plan::Plan;
use crate::record::count;
use crate::token::Selector;

/// Subcommands of `ceremony`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Find everything that would fail in a run, and print the plan digest
    Check(check::Check),
    /// Print the paper script
    Print(paper::Print),
    /// Write the report of a ceremony: its script with the events of each step
    Report(paper::ReportOn),
    /// Perform a script
    Run(Run),
    /// Finish a ceremony that was interrupted
    Resume(Resume),
    /// Abandon an unfinished ceremony in which nothing was created
    Abandon(Abandon),
}

/// Arguments of `ceremony run`.
#[derive(Debug, Args)]
pub struct Run {
    /// Script
    script: PathBuf,
    /// HSM profile
    #[arg(long, value_name = "HSM-PROFILE")]
    hsm: PathBuf,
    /// Folder of the ledger; created if absent
    #[arg(long, value_name = "DIR")]
    ledger: PathBuf,
    /// Bundle of requests: a folder or a tar file; may be repeated
    #[arg(long = "in", value_name = "BUNDLE")]
    bundles: Vec<PathBuf>,
    /// Output release: a new or empty folder, or a new file with the extension .tar
    #[arg(long, value_name = "RELEASE")]
    out: Option<PathBuf>,
    /// Serial number of the token
    #[arg(long, value_name = "SERIAL")]
    token_serial: Option<String>,
    /// Label of the token
    #[arg(long, value_name = "LABEL")]
    token_label: Option<String>,
    /// Mark all output permanently as a rehearsal
    #[arg(long)]
    rehearsal: bool,
    #[command(flatten)]
    common: Common,
}

/// Arguments of `ceremony resume`.
#[derive(Debug, Args)]
pub struct Resume {
    /// Folder of the ledger
    #[arg(long, value_name = "DIR")]
    ledger: PathBuf,
    #[command(flatten)]
    common: Common,
}

/// Arguments of `ceremony abandon`.
#[derive(Debug, Args)]
pub struct Abandon {
    /// Folder of the ledger
    #[arg(long, value_name = "DIR")]
    ledger: PathBuf,
    /// Person who abandons it
    #[arg(long, value_name = "NAME")]
    by: String,
    /// Reason for abandoning it
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

#[derive(Debug, Args)]
struct Common {
    /// Read confirmations from this file; marks transcript and manifest as unattended
    #[arg(long, value_name = "FILE")]
    answers: Option<PathBuf>,
    #[command(flatten)]
    pin: PinSource,
    #[command(flatten)]
    shares: ShareSource,
    /// Try the PIN even if one more wrong PIN would lock the token
    #[arg(long)]
    accept_final_try: bool,
}

impl Common {
    fn room(&self) -> Result<Box<dyn Room>, Failure> {
        room(self.answers.as_deref(), self.pin.clone(), self.shares.clone())
    }
}

pub fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Check(arguments) => check::run(&arguments),
        Command::Print(arguments) => paper::print(&arguments),
        Command::Report(arguments) => paper::report(&arguments),
        Command::Run(arguments) => perform(arguments),
        Command::Resume(arguments) => resume(arguments),
        Command::Abandon(arguments) => give_up(&arguments),
    }
}

fn perform(arguments: Run) -> Result<(), Failure> {
    let environment = environment();
    let plan = Plan::read(&arguments.script)?;
    let hsm = token::profile_text(&arguments.hsm)?;
    let mut room = arguments.common.room()?;
    let out = arguments
        .out
        .map(std::path::absolute)
        .transpose()
        .map_err(|e| Failure::usage(format!("--out: {e}")))?;
    let start = Start {
        plan,
        hsm: Some((arguments.hsm, hsm)),
        token: Selector { serial: arguments.token_serial, label: arguments.token_label },
        ledger: Some(arguments.ledger.clone()),
        bundles: arguments.bundles,
        out,
        rehearsal: arguments.rehearsal,
        final_try: arguments.common.accept_final_try,
    };
    stop::listen();
    let conductor = start.prepare(&environment, &mut *room)?;
    finish(conductor, &arguments.ledger)
}

fn resume(arguments: Resume) -> Result<(), Failure> {
    let environment = environment();
    let ledger = match Ledger::open(&arguments.ledger) {
        Ok(ledger) => ledger,
        Err(fault @ LedgerError::Fault(_)) => return Err(after_signing(fault.into(), &arguments.ledger)),
        Err(refused @ LedgerError::Refused(_)) => return Err(refused.into()),
    };
    // Without an answer, something may have been signed.
    let signed = ledger.may_have_signed().unwrap_or(true);
    let failed = |error: Failure| if signed { after_signing(error, &arguments.ledger) } else { error };
    let mut room = arguments.common.room().map_err(failed)?;
    stop::listen();
    let conductor = ceremony::resume(ledger, arguments.common.accept_final_try, &environment, &mut *room)
        .map_err(failed)?;
    finish(conductor, &arguments.ledger)
}

fn give_up(arguments: &Abandon) -> Result<(), Failure> {
    let mut ledger = Ledger::open(&arguments.ledger)?;
    let number = abandon(&mut ledger, &arguments.by, &arguments.reason, &environment())?;
    say(&format!("ceremony {number} is abandoned; nothing was signed in it"));
    Ok(())
}

fn finish(conductor: Conductor<'_>, ledger: &Path) -> Result<(), Failure> {
    let Interrupted { failure, signed, made, open, head } = match conductor.run() {
        Ok(outcome) => {
            report(&outcome);
            return Ok(());
        }
        Err(interrupted) => interrupted,
    };
    if let Some(head) = head.filter(|_| open) {
        say(&format!("\nhead of the transcript, to be written down; resume shows it again\n  {head}"));
    }
    Err(match (signed, open) {
        (true, _) => after_signing(failure, ledger),
        (false, true) if made => failure.map(|text| text + &resumes(ledger)),
        (false, true) => failure.map(|text| text + &resumes(ledger) + &abandons(ledger)),
        (false, false) => failure
            .map(|text| text + "\nThe ceremony is closed; nothing was signed. Run it again to start over."),
    })
}

fn after_signing(failure: Failure, ledger: &Path) -> Failure {
    let text =
        format!("{failure}\nSomething may have been signed; all of it is in the ledger.{}", resumes(ledger));
    Failure::new(Kind::AfterSigning, text)
}

/// Explains how to resume an open ceremony.
fn resumes(ledger: &Path) -> String {
    format!("\nOnce the cause is fixed, continue with\n  {}", resume_command(ledger))
}

/// Explains how to abandon a ceremony that has created nothing.
fn abandons(ledger: &Path) -> String {
    format!("\nor abandon it with\n  {}", abandon_command(ledger))
}

fn report(outcome: &Outcome) {
    say("");
    for (name, digest) in &outcome.roots {
        say(&format!("root {name}: SHA-256 of its certificate\n  {digest}"));
    }
    if let Some(digest) = outcome.manifest {
        say(&format!("manifest SHA-256\n  {digest}"));
    }
    say(&format!("head of the transcript\n  {}", outcome.head));
    let counted = |number: usize, thing| count(number as u64, thing);
    say(&format!(
        "ceremony {} is done: {} created, {} issued, {} refused",
        outcome.ceremony,
        counted(outcome.made, "key"),
        counted(outcome.issued, "certificate"),
        counted(outcome.refused, "request")
    ));
}
