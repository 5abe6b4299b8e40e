//! Secrets at the terminal and shares in files.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use clap::Args;
use secrecy::ExposeSecret;

use super::{prompt, screen};
use crate::ceremony::SecretReply;
use crate::failure::Failure;

/// Maximum length of a share in a file, in octets.
const MAX_SHARE: usize = 1024;

/// Input and output of shares that are not typed.
#[derive(Clone, Debug, Default, Args)]
pub struct ShareSource {
    /// Read custodians' shares from this file, one per line
    #[arg(long, value_name = "FILE")]
    share_file: Option<PathBuf>,
    /// Read custodians' shares from this file descriptor, one per line
    #[arg(long, value_name = "N", conflicts_with = "share_file")]
    share_fd: Option<u32>,
    /// Rehearsals only: write the shares that an unattended run hands out to this new file
    #[arg(long, value_name = "FILE")]
    new_share_file: Option<PathBuf>,
}

impl ShareSource {
    /// Checks that the output does not exist yet.
    pub fn check_new(&self) -> Result<(), Failure> {
        match &self.new_share_file {
            Some(path) if path.symlink_metadata().is_ok() => {
                Err(Failure::usage(format!("{}: exists; name a new file for the shares", path.display())))
            }
            _ => Ok(()),
        }
    }
}

/// Shares that are read and written.
#[derive(Debug)]
pub struct Shares {
    source: ShareSource,
    file: Option<File>,
    /// The file of new shares, once there is one.
    new: Option<File>,
}

impl Shares {
    pub fn new(source: ShareSource) -> Self {
        Self { source, file: None, new: None }
    }

    pub fn are_read_from_file(&self) -> bool {
        self.source.share_file.is_some() || self.source.share_fd.is_some()
    }

    pub fn are_written_to_file(&self) -> bool {
        self.source.new_share_file.is_some()
    }

    /// Reads the next share; [`SecretReply::None`] after the last line.
    pub fn next(&mut self) -> Result<SecretReply, Failure> {
        let path = match (&self.source.share_file, self.source.share_fd) {
            (Some(path), _) => path.clone(),
            (None, Some(number)) => PathBuf::from(format!("/dev/fd/{number}")),
            (None, None) => {
                return Err(Failure::stopped("no shares: run keyrite at a terminal, or use --share-file"));
            }
        };
        let fault = |e: std::io::Error| Failure::fault(format!("shares from {}: {e}", path.display()));
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(File::open(&path).map_err(fault)?),
        };
        let line = prompt::secret_line(file, MAX_SHARE).map_err(fault)?;
        Ok(match line.filter(|share| !share.expose_secret().trim().is_empty()) {
            Some(share) => SecretReply::Secret(share),
            None => SecretReply::None,
        })
    }

    /// Appends a share to the new file.
    pub fn write(&mut self, share: &str) -> Result<(), Failure> {
        let Some(path) = &self.source.new_share_file else {
            return Err(Failure::stopped("nobody is present to receive a share"));
        };
        let fault = |e: std::io::Error| Failure::fault(format!("{}: {e}", path.display()));
        let file = match &mut self.new {
            Some(file) => file,
            // Neither an existing file nor a link is followed.
            none => none.insert(
                OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(fault)?,
            ),
        };
        writeln!(file, "{share}").and_then(|()| file.sync_all()).map_err(fault)
    }
}

/// Asks for a secret, which is echoed only after "show" was typed. Typing `none` means that there is
/// no secret.
pub fn ask(what: &str, none: &str) -> Result<SecretReply, Failure> {
    let hidden = prompt::secret(&format!("  {what}: "), false)?;
    if let Some(reply) = word(hidden.expose_secret(), none) {
        return Ok(reply);
    }
    if !hidden.expose_secret().trim().eq_ignore_ascii_case("show") {
        return Ok(SecretReply::Secret(hidden));
    }
    screen::expose();
    let shown = prompt::secret(&format!("  {what}, shown as you type\n  > "), true);
    screen::clear();
    let shown = shown?;
    Ok(word(shown.expose_secret(), none).unwrap_or(SecretReply::Secret(shown)))
}

/// Returns the reply for a word that is not a secret.
fn word(typed: &str, none: &str) -> Option<SecretReply> {
    let is_none = typed.trim().eq_ignore_ascii_case(none);
    SecretReply::of_word(typed).or_else(|| is_none.then_some(SecretReply::None))
}
