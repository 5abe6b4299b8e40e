//! `keyrite request check`: judges bundles before they are carried to the signing machine.

use crate::cli::environment::environment;
use crate::failure::Failure;
use crate::plan::Plan;
use crate::signing::Progress;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use crate::ceremony::{Judged, SHOWN, Verdict, issue_lines, judge_bundles};
use crate::cli::output::say;
use crate::cli::progress::Work;
use crate::media::shown;

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

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let plan = Plan::read(&arguments.script)?;
    let environment = environment();
    let mut work: Option<Work> = None;
    let mut tell = |progress: &Progress| {
        if !arguments.json {
            work.get_or_insert_with(|| Work::new(progress)).tell(progress);
        }
    };
    let mut printer = Printer { json: arguments.json, approved: 0, refused: 0 };
    let verdict = judge_bundles(
        &plan,
        &arguments.bundles,
        !arguments.before_approval,
        &environment,
        &mut tell,
        &mut |judged| {
            printer.one(&judged);
            Ok(())
        },
    );
    if let Some(work) = work {
        work.end();
    }
    let verdict = verdict?;
    printer.end(&plan, &verdict);
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
    json: bool,
    approved: usize,
    refused: usize,
}

impl Printer {
    fn one(&mut self, judged: &Judged) {
        match judged {
            Judged::Approved(_) => self.approved += 1,
            Judged::Refused(..) => self.refused += 1,
        }
        if self.json {
            let before = if self.approved + self.refused == 1 { "{\"requests\":[\n" } else { "," };
            return say(&format!("{before}{}", entry(judged)));
        }
        match judged {
            Judged::Approved(_) if self.approved > SHOWN => {}
            Judged::Approved(approval) => {
                say(&issue_lines(approval));
            }
            Judged::Refused(..) if self.refused > SHOWN => {}
            Judged::Refused(path, reasons) => {
                for reason in reasons {
                    say(&format!("  refused {path}: {} [{}]", reason.message, reason.control));
                }
            }
        }
    }

    fn end(&self, plan: &Plan, verdict: &Verdict) {
        if self.json {
            let rest = json!({
                "bundle_sha256": verdict.bundle,
                "plan_sha256": plan.digest(),
                "indexes": verdict.indexes,
                "approved": verdict.approved,
                "refused": verdict.refused,
            });
            return say(&format!("],{}", rest.to_string().trim_start_matches('{')));
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
    }
}

fn entry(judged: &Judged) -> Value {
    match judged {
        Judged::Approved(approval) => json!({
            "path": approval.path(),
            "request_sha256": approval.request(),
            "profile": approval.profile_name(),
            "authority": approval.authority(),
            "subject": shown(&approval.subject_text()),
            "names": approval.names(),
        }),
        Judged::Refused(path, reasons) => json!({ "path": path, "reasons": reasons }),
    }
}
