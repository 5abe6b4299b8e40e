//! `keyrite audit`: checks ledgers, transcripts and releases against each other.

use std::path::PathBuf;

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;

use super::output::{say, say_json};
use super::system;
use super::verify::certificate;
use crate::audit::{self, Order, Outcome, Report, Section, audit};
use crate::digest::Digest;
use crate::failure::Failure;
use crate::plan::Plan;

/// Arguments of `audit`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Ledgers, transcripts and releases in any order, which are not modified
    #[arg(required = true, value_name = "LEDGER|TRANSCRIPT|RELEASE")]
    sources: Vec<PathBuf>,
    /// Approved script; may be repeated
    #[arg(long = "script", value_name = "SCRIPT")]
    scripts: Vec<PathBuf>,
    /// Certificate of a trusted root, PEM or DER; may be repeated
    #[arg(long = "root", value_name = "FILE")]
    roots: Vec<PathBuf>,
    /// SHA-256 fingerprint of a trusted root's certificate (DER); may be repeated
    #[arg(long = "root-sha256", value_name = "HEX")]
    root_digests: Vec<Digest>,
    /// A witness's signature over a transcript; may be repeated. Files named SOURCE.WHO.sig are found
    /// without it
    #[arg(long = "witness-signature", value_name = "FILE")]
    signatures: Vec<PathBuf>,
    /// Public keys of witnesses, in the allowed signers format of ssh-keygen
    #[arg(long, value_name = "FILE")]
    allowed_signers: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Output of `audit --json`.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "keyrite audit --json")]
pub struct Json {
    /// Whether no claim fails.
    holds: bool,
    /// The verdict in one sentence.
    verdict: String,
    /// Claims by source; the last two sections are the cross-check of the sources and the witnesses.
    sections: Vec<Section>,
}

pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let mut roots = arguments.root_digests;
    for path in &arguments.roots {
        roots.push(certificate(path)?.digest());
    }
    let plans = arguments.scripts.iter().map(|script| Plan::read(script));
    let plans = plans.collect::<Result<_, _>>()?;
    let signers = arguments.allowed_signers.as_deref().map(audit::allowed_signers);
    let order = Order {
        signatures: arguments.signatures,
        signers: signers.transpose()?,
        sources: arguments.sources,
        plans,
        roots,
        scratch: system::temporary(),
        processors: system::processors(),
    };
    let report = audit(&order)?;
    let verdict = verdict(&report);
    if arguments.json {
        let holds = report.count(Outcome::Fails) == 0;
        say_json(&Json { holds, verdict: verdict.clone(), sections: report.sections.clone() })?;
    } else {
        print(&report);
    }
    if report.count(Outcome::Fails) > 0 {
        return Err(Failure::refused(verdict));
    }
    if !arguments.json {
        say(&format!("\n{verdict}"));
    }
    Ok(())
}

fn print(report: &Report) {
    for section in &report.sections {
        if section.claims.is_empty() && section.notes.is_empty() {
            continue;
        }
        say(&format!("\n{}", section.source));
        for note in &section.notes {
            say(&format!("  {:<15} {note}", "note"));
        }
        for claim in &section.claims {
            say(&format!("  {:<15} {} [{}]", claim.outcome.as_str(), claim.text, claim.id));
        }
    }
}

fn verdict(report: &Report) -> String {
    let (holds, fails, unknown) =
        (report.count(Outcome::Holds), report.count(Outcome::Fails), report.count(Outcome::CannotBeTold));
    let counts = format!("{holds} claims hold, {fails} fail, {unknown} cannot be told from what was given");
    match (fails, unknown) {
        (0, 0) => format!("THE RECORD HOLDS: {counts}"),
        (0, _) => format!("THE RECORD HOLDS AS FAR AS IT WAS GIVEN: {counts}"),
        _ => format!("THE RECORD DOES NOT HOLD: {counts}"),
    }
}
