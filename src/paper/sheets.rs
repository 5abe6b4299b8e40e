//! The steps on paper: what people do, see, read aloud and confirm.

use super::document::Sheet;
use crate::media::shown;
use crate::plan::step::{BLANKS, step_line};
use crate::plan::{Plan, Step};
use crate::record::question;

/// Returns the first sheet: people sign in and compare the plan digest.
pub fn beginning(plan: &Plan) -> Sheet {
    let roles = &plan.script().people;
    Sheet {
        heading: "Beginning: sign in".into(),
        explanation: "Everybody signs in by name and compares the plan digest with this paper.".into(),
        does: vec![
            format!("Sign in, in this order: {}", roles.count().text()),
            question::compare("plan", &BLANKS),
        ],
        screen: vec![
            "Title, purpose, number of the ceremony and the ledger's folder".into(),
            format!("{} in groups of digits and in 24 numbered words", question::title("plan")),
        ],
        aloud: vec!["The plan digest, from the screen; a witness follows along on this paper".into()],
        confirm: roles.confirm.text(),
        ..Sheet::default()
    }
}

/// Returns the sheet of the step at this index.
pub fn step(plan: &Plan, at: usize) -> Sheet {
    let steps = &plan.script().step;
    let Some(step) = steps.get(at) else { return Sheet::default() };
    let rules = step.act.rules();
    let mut paper = rules.paper();
    if step.asks() == Some("go-on") {
        paper.does.push(question::go_on(step.act.name()));
    }
    let shown_all = |lines: Vec<String>| lines.iter().map(|line| shown(line)).collect();
    Sheet {
        heading: step_line(steps, at),
        explanation: rules.explanation().to_owned(),
        facts: paper.facts.into_iter().map(|(label, value)| (label.to_owned(), shown(&value))).collect(),
        does: shown_all(paper.does),
        screen: shown_all(paper.screen),
        aloud: shown_all(paper.aloud),
        confirm: confirm(plan, step),
        ..Sheet::default()
    }
}

/// Returns who confirms the step, if it has a prompt.
fn confirm(plan: &Plan, step: &Step) -> String {
    step.asks().map(|_| step.confirm(&plan.script().people).text()).unwrap_or_default()
}
