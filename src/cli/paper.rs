//! `keyrite ceremony print` and `report`: the paper script and the report of a ceremony.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::output::say;
use super::system;
use crate::audit::{self, Kind};
use crate::cli::environment::environment;
use crate::failure::Failure;
use crate::media::write_new;
use crate::paper::{self, Document, html, markdown, script};
use crate::plan::Plan;

/// Format of a printed document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A self-contained page for printing
    #[default]
    Html,
    /// CommonMark with tables
    Markdown,
}

/// Output of a document.
#[derive(Debug, Args)]
pub struct Target {
    /// Output format [default: by the extension of --out, otherwise html]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Write to this new file instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Arguments of `ceremony print`.
#[derive(Debug, Args)]
pub struct Print {
    /// Script
    script: PathBuf,
    #[command(flatten)]
    target: Target,
}

/// Arguments of `ceremony report`.
#[derive(Debug, Args)]
pub struct ReportOn {
    /// Ledger, release or transcript, which is not modified
    #[arg(value_name = "TRANSCRIPT|LEDGER|RELEASE")]
    source: PathBuf,
    /// Script, if the source is not a ledger; without it, the report omits the sheets of the steps
    #[arg(long, value_name = "SCRIPT")]
    script: Option<PathBuf>,
    /// Number of the ceremony in the ledger [default: the last one]
    #[arg(long, value_name = "N")]
    ceremony: Option<i64>,
    #[command(flatten)]
    target: Target,
}

pub fn report(arguments: &ReportOn) -> Result<(), Failure> {
    let source = &arguments.source;
    let plan = arguments.script.as_deref().map(Plan::read).transpose()?;
    let kind = audit::kind(source)?;
    if arguments.ceremony.is_some() && kind != Kind::Ledger {
        return Err(Failure::usage(format!("{}: is not a ledger; leave out --ceremony", source.display())));
    }
    let mut report = match kind {
        Kind::Ledger => paper::from_ledger(source, &system::temporary(), arguments.ceremony),
        Kind::Release => paper::from_release(source),
        Kind::Transcript => paper::from_transcript(source),
    }?;
    if let Some(plan) = plan {
        let given = plan.digest();
        if let Some(ran) = report.plan_digest().filter(|ran| *ran != given) {
            return Err(Failure::usage(format!(
                "{}: plan digest is {given}, the ceremony ran {ran}; name the script that it ran",
                plan.name()
            )));
        }
        report.with_plan(plan);
    }
    arguments.target.write(&report.document())
}

pub fn print(arguments: &Print) -> Result<(), Failure> {
    let plan = Plan::read(&arguments.script)?;
    arguments.target.write(&script(&plan, &environment().tool()?))
}

impl Target {
    fn write(&self, document: &Document) -> Result<(), Failure> {
        let text = match self.format()? {
            Format::Html => html(document),
            Format::Markdown => markdown(document),
        };
        match &self.out {
            None => say(text.trim_end()),
            Some(path) => self.file(path, &text)?,
        }
        Ok(())
    }

    fn format(&self) -> Result<Format, Failure> {
        let Some(path) = self.out.as_deref().filter(|_| self.format.is_none()) else {
            return Ok(self.format.unwrap_or_default());
        };
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        match ending.to_ascii_lowercase().as_str() {
            "" | "html" | "htm" => Ok(Format::Html),
            "md" | "markdown" => Ok(Format::Markdown),
            _ => Err(Failure::usage(format!(
                "{}: unknown file extension, expected .html or .md; rename the file or use --format",
                path.display()
            ))),
        }
    }

    fn file(&self, path: &Path, text: &str) -> Result<(), Failure> {
        if path.exists() {
            return Err(Failure::usage(format!("{}: exists; name a new file", path.display())));
        }
        write_new(path, text.as_bytes(), 0o644).map_err(|e| Failure::fault(e.to_string()))?;
        say(&format!("written to {}", path.display()));
        Ok(())
    }
}
