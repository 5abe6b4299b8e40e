//! `keyrite request check`: judges bundles before they are carried to the signing machine.

use std::path::PathBuf;

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;

use crate::ceremony::{Judged, SHOWN, Verdict, issue_lines, judge_bundles};
use crate::cli::environment::environment;
use crate::cli::json_list::JsonList;
use crate::cli::output::say;
use crate::cli::progress::Bar;
use crate::digest::Digest;
use crate::failure::Failure;
use crate::media::{RelativePath, shown};
use crate::plan::Plan;
use crate::record::BundleFacts;
use crate::request::Reason;
use crate::signing::Progress;

#[derive(Debug, Args)]
pub struct Arguments {
    /// Bundles that will be imported together
    #[arg(required = true)]
    bundles: Vec<PathBuf>,
    /// Script that will sign them
    #[arg(long, value_name = "SCRIPT")]
    script: PathBuf,
    /// Judge bundles that do not have the required approvals yet
    #[arg(long)]
    before_approval: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What `request check --json` prints.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "keyrite request check --json")]
pub struct Json {
    /// The requests: those that would be issued, then those that would be refused.
    requests: Vec<Entry>,
    #[serde(flatten)]
    rest: Totals,
}

/// A request.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
enum Entry {
    /// It would be issued.
    Issued {
        path: RelativePath,
        /// SHA-256 over the file.
        request_sha256: Digest,
        /// The certificate profile's name.
        profile: String,
        /// The issuing authority's name.
        authority: String,
        /// Subject of the certificate (RFC 4514).
        subject: String,
        /// DNS names, then IP addresses.
        names: Vec<String>,
    },
    /// It would be refused.
    Refused { path: RelativePath, reasons: Vec<Reason> },
}

#[derive(Debug, Serialize, JsonSchema)]
struct Totals {
    /// The bundle digest.
    bundle_sha256: Digest,
    /// The plan digest.
    plan_sha256: Digest,
    /// The indexes of the bundles that have one.
    indexes: Vec<BundleFacts>,
    /// How many requests would be issued.
    approved: usize,
    /// How many requests would be refused.
    refused: usize,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let plan = Plan::read(&arguments.script)?;
    let environment = environment();
    let mut bar = Bar::default();
    let mut tell = |progress: &Progress| {
        if !arguments.json {
            bar.show(progress);
        }
    };
    let json = arguments.json.then(|| JsonList::new("requests"));
    let mut printer = Printer { json, approved: 0, refused: 0 };
    let verdict = judge_bundles(
        &plan,
        &arguments.bundles,
        !arguments.before_approval,
        &environment,
        &mut tell,
        &mut |judged| printer.one(judged),
    );
    bar.end();
    let verdict = verdict?;
    printer.end(&plan, &verdict)?;
    match verdict.refused {
        0 => Ok(()),
        refused => Err(Failure::refused(format!(
            "{refused} of {} requests would be refused",
            verdict.approved + verdict.refused
        ))),
    }
}

/// Prints verdicts one by one.
struct Printer {
    json: Option<JsonList>,
    approved: usize,
    refused: usize,
}

impl Printer {
    fn one(&mut self, judged: Judged) -> Result<(), Failure> {
        match &judged {
            Judged::Approved(_) => self.approved += 1,
            Judged::Refused(..) => self.refused += 1,
        }
        if let Some(list) = &mut self.json {
            return list.entry(&entry(judged));
        }
        match judged {
            Judged::Approved(_) if self.approved > SHOWN => {}
            Judged::Approved(approval) => {
                say(&issue_lines(&approval));
            }
            Judged::Refused(..) if self.refused > SHOWN => {}
            Judged::Refused(path, reasons) => {
                for reason in reasons {
                    say(&format!("  refused {path}: {} [{}]", reason.message, reason.control));
                }
            }
        }
        Ok(())
    }

    fn end(self, plan: &Plan, verdict: &Verdict) -> Result<(), Failure> {
        if let Some(list) = self.json {
            return list.end(&Totals {
                bundle_sha256: verdict.bundle,
                plan_sha256: plan.digest(),
                indexes: verdict.indexes.clone(),
                approved: verdict.approved,
                refused: verdict.refused,
            });
        }
        for (count, what) in [(self.approved, "issue"), (self.refused, "refused")] {
            if count > SHOWN {
                say(&format!("  {what:<7} and {} more", count - SHOWN));
            }
        }
        say(&format!(
            "plan digest    {}\nbundle digest  {}\nnot checked: what only the ledger knows (keys and requests of earlier ceremonies, sequence numbers)\n{} would be issued, {} refused",
            plan.digest(),
            verdict.bundle,
            verdict.approved,
            verdict.refused
        ));
        Ok(())
    }
}

fn entry(judged: Judged) -> Entry {
    match judged {
        Judged::Approved(approval) => Entry::Issued {
            path: approval.path().clone(),
            request_sha256: approval.request(),
            profile: approval.profile_name().to_owned(),
            authority: approval.authority().to_owned(),
            subject: shown(&approval.subject_text()),
            names: approval.names(),
        },
        Judged::Refused(path, reasons) => Entry::Refused { path, reasons },
    }
}
