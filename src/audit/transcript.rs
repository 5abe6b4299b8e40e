//! One transcript: its chain, its times, its steps.

use crate::failure::Failure;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use super::history::{Chapter, History};
use super::story::Story;
use super::{Order, Section, answers, people, steps};
use crate::ceremony::{Plan, wording};
use crate::media::open_file;
use crate::release::TRANSCRIPT_LINE;

/// Reads a transcript to its end, line by line.
pub fn read(from: impl Read, name: &str) -> Result<Story, Failure> {
    let mut story = Story::default();
    let mut reader = BufReader::with_capacity(1 << 16, from);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = (&mut reader).take(TRANSCRIPT_LINE).read_until(b'\n', &mut line);
        if read.map_err(|e| Failure::fault(format!("{name}: {e}")))? == 0 {
            return Ok(story);
        }
        if line.pop() != Some(b'\n') {
            story.cut_off();
        }
        story.line(&String::from_utf8_lossy(&line));
    }
}

/// Audits a transcript that was given by itself.
pub fn audit(
    path: &Path,
    order: &Order,
    section: &mut Section,
    history: &mut History,
) -> Result<(), Failure> {
    let name = path.display().to_string();
    let (file, _) = open_file(path).map_err(|e| Failure::fault(e.to_string()))?;
    let story = read(file, &name)?;
    if story.begin.is_none() && story.head.is_none() {
        return Err(Failure::usage(format!("{name}: empty; name a ledger, a transcript or a release")));
    }
    let plan = approved(&story, &order.plans).or_else(|| history.plan(&story));
    claims(&story, plan, None, "the transcript", section);
    history.tell(Chapter::of(name, None, story));
    Ok(())
}

/// The given plan of this transcript.
pub fn approved<'p>(story: &Story, plans: &'p [Plan]) -> Option<&'p Plan> {
    let digest = story.begin.as_ref()?.plan.sha256;
    plans.iter().find(|plan| plan.digest() == digest)
}

/// What can be claimed of a transcript and its plan.
pub fn claims(story: &Story, plan: Option<&Plan>, wrong: Option<String>, what: &str, section: &mut Section) {
    chain(story, what, section);
    let Some(begin) = &story.begin else { return };
    let digest = begin.plan.sha256;
    if let Some(wrong) = wrong {
        section.compared("AUDIT-PLAN", Err(wrong));
    }
    let Some(plan) = plan else {
        section.untold(
            "AUDIT-ORDER",
            format!("{what}: whether the steps ran in the script's order; the plan of digest {digest} was not given, name its script by --script"),
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
    // A rehearsal claims nothing of people; of production, a file that answered proves nobody.
    let alone = story.unattended && !begin.rehearsal;
    let mut held = |id, result: Result<String, String>| {
        match result {
        Ok(text) if alone && ["AUDIT-PEOPLE", "AUDIT-CONFIRMED"].contains(&id) => section.untold(
            id,
            format!("{what}: a file answered at least once, and nobody is shown to have been there; written down is: {text}"),
        ),
        result => section.compared(id, result.map(told(what)).map_err(told(what))),
    }
    };
    held("AUDIT-ORDER", steps::order(story, plan));
    held("AUDIT-PEOPLE", people::present(story, plan));
    held("AUDIT-CONFIRMED", answers::confirmed(story, plan));
    if let Some(approvals) = people::approvals(story, plan) {
        held("AUDIT-APPROVALS", approvals);
    }
    held("AUDIT-KEYS", steps::keys(story, plan));
    held("AUDIT-OBJECTS", steps::objects(story));
}

fn told(what: &str) -> impl Fn(String) -> String {
    move |text| format!("{what}: {text}")
}

/// The chain of one transcript, and that its clock never ran backwards.
fn chain(story: &Story, what: &str, section: &mut Section) {
    let said = |text: &Option<String>| text.clone().unwrap_or_default();
    let result = match (&story.broken, &story.begin) {
        (Some(broken), _) => Err(format!("{what}: {broken}")),
        (None, None) => Err(format!("{what}: no record begins a ceremony")),
        (None, Some(_)) => Ok(format!(
            "{what}: {} records, each carrying the SHA-256 of the one before; the last has {}",
            story.lines,
            said(&story.head)
        )),
    };
    section.compared("AUDIT-CHAIN", result);
    section.compared(
        "AUDIT-TIME",
        match &story.backwards {
            None => Ok(format!(
                "{what}: from {} to {}, the clock never runs backwards",
                said(&story.first_time),
                said(&story.last_time)
            )),
            Some(text) => Err(format!("{what}: {text}")),
        },
    );
    let Some(begin) = &story.begin else { return };
    let kind = if begin.rehearsal { "a rehearsal, " } else { "" };
    let who = if story.unattended {
        "a file answered for people, or gave their shares, at least once"
    } else {
        "people answered"
    };
    section.note(format!("{what}: {}, {kind}{who}", begin.title));
    if let Some(other) = &story.other_tool {
        section.note(format!("{what}: another program took the ceremony up; {other}"));
    }
    if story.exceptions > 0 {
        section.note(format!(
            "{what}: {} written down; read the report",
            wording::count(story.exceptions as u64, "exception")
        ));
    }
}
