//! One transcript: its chain, its times, its steps.

use std::path::Path;

use super::cross_check::{CrossCheck, TranscriptSource};
use super::reading::{Reading, approved};
use super::{Order, Section, answers, people, steps};
use crate::digest::Digest;
use crate::failure::Failure;
use crate::media::open_file;
use crate::plan::Plan;
use crate::record::count;

/// Audits a transcript given by itself.
pub fn audit(
    path: &Path,
    order: &Order,
    section: &mut Section,
    cross_check: &mut CrossCheck,
) -> Result<(), Failure> {
    let name = path.display().to_string();
    let (file, _) = open_file(path).map_err(|e| Failure::fault(e.to_string()))?;
    let reading = Reading::of(file).map_err(|e| Failure::fault(format!("{name}: {e}")))?;
    if reading.head.is_none() {
        return Err(Failure::usage(format!("{name}: empty; name a ledger, a transcript or a release")));
    }
    let plan = approved(&reading, &order.plans).or_else(|| cross_check.plan(&reading));
    claims(&reading, plan, None, "the transcript", section);
    cross_check.add_transcript(TranscriptSource::of(name, None, reading));
    Ok(())
}

/// Adds the claims about a transcript and its plan.
pub fn claims(
    reading: &Reading,
    plan: Option<&Plan>,
    wrong: Option<String>,
    what: &str,
    section: &mut Section,
) {
    chain(reading, what, section);
    let Some(begin) = &reading.state.begin else { return };
    let digest = begin.plan.sha256;
    if let Some(wrong) = wrong {
        section.compared("AUDIT-PLAN", Err(wrong));
    }
    let Some(plan) = plan else {
        section.unknown(
            "AUDIT-ORDER",
            format!("{what}: whether the steps ran in the script's order; the plan with digest {digest} was not given; name its script with --script"),
        );
        return;
    };
    section.compared(
        "AUDIT-PLAN",
        Ok(format!(
            "{what}: the plan {} has the digest {digest}, which the transcript names at its beginning",
            plan.name()
        )),
    );
    // A rehearsal claims nothing about people; in production, answers from a file prove nobody's presence.
    let alone = reading.state.unattended && !begin.rehearsal;
    let mut add = |id, result: Result<String, String>| {
        match result {
        Ok(text) if alone && ["AUDIT-PEOPLE", "AUDIT-CONFIRMED"].contains(&id) => section.unknown(
            id,
            format!("{what}: a file answered at least once, so the record does not prove that anyone was present; it states: {text}"),
        ),
        result => section.compared(id, result.map(about(what)).map_err(about(what))),
    }
    };
    add("AUDIT-ORDER", steps::order(reading, plan));
    add("AUDIT-PEOPLE", people::present(reading, plan));
    add("AUDIT-CONFIRMED", answers::confirmed(reading, plan));
    if let Some(approvals) = people::approvals(reading, plan) {
        add("AUDIT-APPROVALS", approvals);
    }
    add("AUDIT-KEYS", steps::keys(reading, plan));
    add("AUDIT-OBJECTS", steps::objects(reading));
}

fn about(what: &str) -> impl Fn(String) -> String {
    move |text| format!("{what}: {text}")
}

/// Adds the claims about chain and clock.
fn chain(reading: &Reading, what: &str, section: &mut Section) {
    let said = |text: &Option<String>| text.clone().unwrap_or_default();
    let result = match (&reading.broken, &reading.state.begin) {
        (Some(broken), _) => Err(format!("{what}: {broken}")),
        (None, None) => Err(format!("{what}: no record begins a ceremony")),
        (None, Some(_)) => Ok(format!(
            "{what}: {} records, each carrying the SHA-256 of the previous one; the last has {}",
            reading.lines,
            reading.head.unwrap_or(Digest::ZERO)
        )),
    };
    section.compared("AUDIT-CHAIN", result);
    section.compared(
        "AUDIT-TIME",
        match &reading.backwards {
            None => Ok(format!(
                "{what}: from {} to {}, the clock never runs backwards",
                said(&reading.first_time),
                reading.state.time
            )),
            Some(text) => Err(format!("{what}: {text}")),
        },
    );
    let Some(begin) = &reading.state.begin else { return };
    let kind = if begin.rehearsal { "a rehearsal, " } else { "" };
    let who = if reading.state.unattended {
        "answers or shares came from a file at least once"
    } else {
        "people answered"
    };
    section.note(format!("{what}: {}, {kind}{who}", begin.title));
    if let Some(other) = &reading.other_tool {
        section.note(format!("{what}: another program continued the ceremony; {other}"));
    }
    if reading.state.exceptions > 0 {
        section.note(format!(
            "{what}: {} recorded; read the report",
            count(reading.state.exceptions as u64, "exception")
        ));
    }
}
