//! The command line: what people type, what they see, and the exit code.

mod audit;
mod ceremony;
mod check;
mod fold;
mod install;
mod ledger;
mod paper;
mod progress;
mod prompt;
mod rehearse;
mod request;
mod secrets;
mod release;
mod stop;
mod system;
mod terminal;
mod token;
mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use system::harden;

/// Runs offline CA key ceremonies. The CA's key is generated in a PKCS#11 token and never leaves
/// it; a reviewed script decides what it signs.
///
/// Exit codes: 0 done; 1 refused or stopped, nothing signed; 2 script, arguments or profile wrong; 3 fault,
/// nothing signed; 4 stopped after something was signed (the ledger tells what).
#[derive(Debug, Parser)]
#[command(name = "keyrite", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check, print, run, resume, report on or give up a ceremony
    #[command(subcommand)]
    Ceremony(ceremony::Command),
    /// List, initialise or inspect tokens
    #[command(subcommand)]
    Token(token::Command),
    /// Perform the whole job on a throwaway SoftHSM token, for practice
    Rehearse(rehearse::Arguments),
    /// Write a release again from the ledger
    #[command(subcommand)]
    Release(release::Command),
    /// Ask a ledger what ends when
    #[command(subcommand)]
    Ledger(ledger::Command),
    /// Hold ledgers, transcripts and releases against one another, for who was not there
    Audit(audit::Arguments),
    /// Make, collect or check requests, on the cluster's side; needs no token
    #[command(subcommand)]
    Request(request::Command),
    /// Verify a release against a root certificate that you trust
    Verify(verify::Arguments),
    /// Install a release on a node of a cluster
    Install(install::Arguments),
}

/// Why a command failed, with its exit code.
#[derive(Debug)]
pub struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    /// The rules said no; nothing was signed.
    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self { code: 1, message: message.into() }
    }

    /// Script, arguments or profile are wrong.
    pub(crate) fn wrong(message: impl Into<String>) -> Self {
        Self { code: 2, message: message.into() }
    }

    /// Device, medium, file or clock failed; nothing was signed.
    pub(crate) fn fault(message: impl Into<String>) -> Self {
        Self { code: 3, message: message.into() }
    }

    /// Adds that nothing waits in the ledger.
    pub(crate) fn and_closed(mut self) -> Self {
        self.message += "\nThe ceremony is closed, nothing was signed. Run it again to begin anew.";
        self
    }

    /// Adds how to go on with a ceremony that waits in the ledger.
    pub(crate) fn and_resume(mut self, ledger: &std::path::Path) -> Self {
        let ledger = ledger.display();
        self.message +=
            &format!("\nWhen the cause is mended, go on with\n  keyrite ceremony resume --ledger {ledger}");
        self
    }

    /// Adds how to give up a ceremony in which nothing was made.
    pub(crate) fn and_abandon(mut self, ledger: &std::path::Path) -> Self {
        let ledger = ledger.display();
        self.message += &format!(
            "\nor give it up with\n  keyrite ceremony abandon --ledger {ledger} --by NAME --reason TEXT"
        );
        self
    }

    /// Stopped after something was signed.
    pub(crate) fn after_signing(message: impl Into<String>) -> Self {
        Self { code: 4, message: message.into() }
    }
}

/// Parses the command line and performs the command.
pub fn run() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let code = if error.use_stderr() { 2 } else { 0 };
            // Nothing is left to be done when the terminal is gone.
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let result = match arguments.command {
        Command::Ceremony(command) => ceremony::run(command),
        Command::Token(command) => token::run(command),
        Command::Rehearse(arguments) => rehearse::run(arguments),
        Command::Release(command) => release::run(command),
        Command::Ledger(command) => ledger::run(command),
        Command::Audit(arguments) => audit::run(arguments),
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Install(arguments) => install::run(arguments),
        Command::Request(command) => request::run(command),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            terminal::complain(&failure.message);
            ExitCode::from(failure.code)
        }
    }
}
