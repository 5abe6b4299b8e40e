//! Command line: arguments, output and exit codes.

mod audit;
mod install;
mod output;
mod request;
mod schema;
mod system;
mod verify;
mod wrap;

#[cfg(feature = "token")]
mod answers_file;
#[cfg(feature = "token")]
mod ceremony;
#[cfg(feature = "token")]
mod check;
#[cfg(feature = "token")]
mod environment;
#[cfg(feature = "token")]
mod json_list;
#[cfg(feature = "token")]
mod ledger;
#[cfg(feature = "token")]
mod pages;
#[cfg(feature = "token")]
mod paper;
#[cfg(feature = "token")]
mod pin;
#[cfg(feature = "token")]
mod progress;
#[cfg(feature = "token")]
mod prompt;
#[cfg(feature = "token")]
mod rehearse;
#[cfg(feature = "token")]
mod release;
#[cfg(feature = "token")]
mod room;
#[cfg(feature = "token")]
mod screen;
#[cfg(feature = "token")]
mod secrets;
#[cfg(feature = "token")]
mod stop;
#[cfg(feature = "token")]
mod terminal;
#[cfg(feature = "token")]
mod token;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use system::harden;

/// Runs offline CA key ceremonies. The CA's key is generated in a PKCS#11 token and never leaves
/// it; a reviewed script decides what it signs.
///
/// Exit codes: 0 success; 1 refused or stopped, nothing signed; 2 invalid script, arguments or
/// profile; 3 fault, nothing signed; 4 stopped after something was signed (see the ledger).
#[derive(Debug, Parser)]
#[command(name = "keyrite", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[cfg(feature = "token")]
    /// Check, print, run, resume, report on or abandon a ceremony
    #[command(subcommand)]
    Ceremony(ceremony::Command),
    #[cfg(feature = "token")]
    /// List, initialise or inspect tokens
    #[command(subcommand)]
    Token(token::Command),
    #[cfg(feature = "token")]
    /// Rehearse ceremonies on a throwaway SoftHSM token
    Rehearse(rehearse::Arguments),
    #[cfg(feature = "token")]
    /// Write a release again from the ledger
    #[command(subcommand)]
    Release(release::Command),
    #[cfg(feature = "token")]
    /// List expiring certificates, or upgrade a ledger
    #[command(subcommand)]
    Ledger(ledger::Command),
    /// Check ledgers, transcripts and releases against each other
    Audit(audit::Arguments),
    /// Create, collect or check requests, without a token
    #[command(subcommand)]
    Request(request::Command),
    /// Verify a release against a root certificate that you trust
    Verify(verify::Arguments),
    /// Install a release on a node of a cluster
    Install(install::Arguments),
    /// Print a JSON Schema
    Schema(schema::Arguments),
}

/// Whether text cannot move the cursor, break a line or reverse it.
fn is_plain(text: &str) -> bool {
    let reverses =
        |c| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !text.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') || reverses(c))
}

/// Parses the command line and runs the command.
pub fn run() -> ExitCode {
    // They are shown in messages, on the screens of ceremonies and in what an audit prints.
    let words: Vec<_> = std::env::args_os().collect();
    if let Some(word) = words.iter().find(|word| !is_plain(&word.to_string_lossy())) {
        output::complain(&format!(
            "the argument \"{}\" has control or bidirectional characters, which could forge what is shown",
            crate::media::shown(&word.to_string_lossy())
        ));
        return ExitCode::from(2);
    }
    let arguments = match Arguments::try_parse_from(words) {
        Ok(arguments) => arguments,
        Err(error) => {
            let code = if error.use_stderr() { 2 } else { 0 };
            // A terminal that is gone shows nothing.
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let result = match arguments.command {
        #[cfg(feature = "token")]
        Command::Ceremony(command) => ceremony::run(command),
        #[cfg(feature = "token")]
        Command::Token(command) => token::run(command),
        #[cfg(feature = "token")]
        Command::Rehearse(arguments) => rehearse::run(arguments),
        #[cfg(feature = "token")]
        Command::Release(command) => release::run(command),
        #[cfg(feature = "token")]
        Command::Ledger(command) => ledger::run(command),
        Command::Audit(arguments) => audit::run(arguments),
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Install(arguments) => install::run(arguments),
        Command::Schema(arguments) => schema::run(&arguments),
        Command::Request(command) => request::run(command),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::complain(&failure.text);
            ExitCode::from(failure.kind.code())
        }
    }
}
