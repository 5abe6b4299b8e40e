//! `keyrite ceremony print`: the paper script.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::ceremony::before_signing;
use super::terminal::say;
use super::{Failure, system};
use crate::ceremony::Plan;
use crate::media::write_new;
use crate::paper::{Document, Printer, html, markdown, script};

/// How paper is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One page that loads nothing, to be printed
    #[default]
    Html,
    /// CommonMark with tables
    Markdown,
}

/// Where paper goes.
#[derive(Debug, Args)]
pub struct Target {
    /// How it is written
    #[arg(long, value_enum, default_value_t = Format::Html)]
    format: Format,
    /// Write to this new file instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Arguments of `ceremony print`.
#[derive(Debug, Args)]
pub struct Print {
    /// The script
    script: PathBuf,
    #[command(flatten)]
    target: Target,
}

/// Prints the paper script.
pub fn print(arguments: &Print) -> Result<(), Failure> {
    let plan = Plan::read(&arguments.script).map_err(before_signing)?;
    arguments.target.write(&script(&plan, &printer()?))
}

/// The program that prints.
pub fn printer() -> Result<Printer, Failure> {
    let surroundings = system::surroundings();
    let sha256 = surroundings.tool_digest().map_err(before_signing)?;
    Ok(Printer { version: surroundings.tool_version, sha256 })
}

impl Target {
    /// Writes a document.
    pub fn write(&self, document: &Document) -> Result<(), Failure> {
        let text = match self.format {
            Format::Html => html(document),
            Format::Markdown => markdown(document),
        };
        match &self.out {
            None => say(text.trim_end()),
            Some(path) => self.file(path, &text)?,
        }
        Ok(())
    }

    fn file(&self, path: &Path, text: &str) -> Result<(), Failure> {
        if path.exists() {
            return Err(Failure::wrong(format!("{}: exists; name a new file", path.display())));
        }
        write_new(path, text.as_bytes(), 0o644).map_err(|e| Failure::fault(e.to_string()))?;
        say(&format!("written to {}", path.display()));
        Ok(())
    }
}
