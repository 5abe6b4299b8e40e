//! Sources of a PIN: the terminal, a file or a file descriptor.

use std::path::{Path, PathBuf};

use clap::Args;
use secrecy::{ExposeSecret, SecretString};

use super::output::say;
use super::prompt;
use crate::failure::{Failure, Kind};
use crate::record::TokenFacts;

/// Maximum length of a PIN in a file, in octets.
const MAX_PIN: usize = 1024;

/// Source of the PIN: a file or, by default, the terminal.
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
    pub fn is_typed(&self) -> bool {
        self.pin_file.is_none() && self.pin_fd.is_none()
    }

    /// Checks before the ceremony that a file has a PIN. A pipe can be read only once, so it is not
    /// checked.
    pub fn check(&self) -> Result<(), Failure> {
        match self.pin_file.as_deref().filter(|path| path.is_file() || !path.exists()) {
            Some(path) => from_file(path).map(|_| ()),
            None => Ok(()),
        }
    }

    /// Reads the PIN; `what` is the prompt at the terminal.
    pub fn read(&self, what: &str) -> Result<SecretString, Failure> {
        match (&self.pin_file, self.pin_fd) {
            (Some(path), _) => from_file(path),
            (None, Some(number)) => from_file(Path::new(&format!("/dev/fd/{number}"))),
            (None, None) => typed_pin(what),
        }
    }

    pub fn of_token(&self, token: &TokenFacts) -> Result<SecretString, Failure> {
        let pin = self.read(&format!("  User PIN of token {}", token.label));
        if self.is_typed() { pin } else { pin.map_err(|failure| Failure::fault(failure.text)) }
    }
}

/// Asks for a PIN. An empty one is never passed to a token, which would count it as wrong.
fn typed_pin(what: &str) -> Result<SecretString, Failure> {
    loop {
        let pin = prompt::secret(&format!("{what}: "), false).map_err(|failure| match failure.kind {
            Kind::Fault => failure.map(|why| format!("no PIN: {why}; use --pin-file or --pin-fd")),
            _ => failure,
        })?;
        if !pin.expose_secret().trim().is_empty() {
            return Ok(pin);
        }
        say("  Empty input; not sent to the token.");
    }
}

fn from_file(path: &Path) -> Result<SecretString, Failure> {
    let fault = |e: std::io::Error| Failure::fault(format!("PIN from {}: {e}", path.display()));
    let file = std::fs::File::open(path).map_err(fault)?;
    let pin = prompt::secret_line(&file, MAX_PIN).map_err(fault)?;
    pin.filter(|pin| !pin.expose_secret().is_empty())
        .ok_or_else(|| Failure::usage(format!("PIN from {}: the first line is empty", path.display())))
}
