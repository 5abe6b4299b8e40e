//! Where a PIN comes from: the terminal, a file or a file descriptor.

use std::path::{Path, PathBuf};

use clap::Args;
use secrecy::{ExposeSecret, SecretString};

use super::output::say;
use super::prompt;
use crate::failure::{Failure, Kind};
use crate::record::TokenFacts;

/// The longest PIN that is read from a file, in octets.
const LONGEST_PIN: usize = 1024;

/// Where the PIN comes from.
#[derive(Clone, Debug, Default, Args)]
pub struct PinSource {
    /// Read the PIN from the first line of this file
    #[arg(long, value_name = "FILE")]
    pub pin_file: Option<PathBuf>,
    /// Read the PIN from the first line of this file descriptor
    #[arg(long, value_name = "N", conflicts_with = "pin_file")]
    pub pin_fd: Option<u32>,
}

impl PinSource {
    /// Whether it is typed.
    pub fn is_typed(&self) -> bool {
        self.pin_file.is_none() && self.pin_fd.is_none()
    }

    /// Whether a file has a PIN, before anything is begun; a pipe can be read only once.
    pub fn check(&self) -> Result<(), Failure> {
        match self.pin_file.as_deref().filter(|path| path.is_file() || !path.exists()) {
            Some(path) => from_file(path).map(|_| ()),
            None => Ok(()),
        }
    }

    /// Reads the PIN, from the terminal when nothing else is named.
    pub fn read(&self, what: &str) -> Result<SecretString, Failure> {
        match (&self.pin_file, self.pin_fd) {
            (Some(path), _) => from_file(path),
            (None, Some(number)) => from_file(Path::new(&format!("/dev/fd/{number}"))),
            (None, None) => Ok(typed_pin(what)?),
        }
    }

    /// Reads the user PIN of this token.
    pub fn of_token(&self, token: &TokenFacts) -> Result<SecretString, Failure> {
        let pin = self.read(&format!("  User PIN of token {}", token.label));
        if self.is_typed() { pin } else { pin.map_err(|failure| Failure::fault(failure.text)) }
    }
}

/// A PIN as somebody types it. None is never given to a token: it would count as a wrong one.
fn typed_pin(what: &str) -> Result<SecretString, Failure> {
    loop {
        let pin = prompt::secret(&format!("{what}: "), false).map_err(|failure| match failure.kind {
            Kind::Fault => failure.map(|why| format!("no PIN: {why}; use --pin-file or --pin-fd")),
            _ => failure,
        })?;
        if !pin.expose_secret().trim().is_empty() {
            return Ok(pin);
        }
        say("  Nothing was typed, and the token was not asked.");
    }
}

fn from_file(path: &Path) -> Result<SecretString, Failure> {
    let fault = |e: std::io::Error| Failure::fault(format!("PIN from {}: {e}", path.display()));
    let file = std::fs::File::open(path).map_err(fault)?;
    let pin = prompt::secret_line(&file, LONGEST_PIN).map_err(fault)?;
    pin.filter(|pin| !pin.expose_secret().is_empty())
        .ok_or_else(|| Failure::usage(format!("PIN from {}: the first line is empty", path.display())))
}
