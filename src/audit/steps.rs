//! The steps that a transcript tells, held against the script of the plan.

use super::marks::{KeyMark, Mark};
use super::records::KeyCertificate;
use super::story::Story;
use crate::ceremony::{Plan, Step};

/// Steps run in the script's order, each once those before it are done. After an interruption a
/// ceremony goes on at the first step that was not done, and looks at machine and token again.
pub fn order(story: &Story, plan: &Plan) -> Result<String, String> {
    let steps = &plan.script().step;
    let (mut done, mut last) = (0, 0);
    for mark in &story.marks {
        match mark {
            Mark::Resume => last = 0,
            Mark::Step { number, act, .. } => {
                let expected = number.checked_sub(1).and_then(|at| steps.get(at)).map(Step::act);
                if expected != Some(act.as_str()) {
                    return Err(format!(
                        "step {number} is {act}, in the script it is {}",
                        expected.unwrap_or("not there")
                    ));
                }
                if *number <= last {
                    return Err(format!("step {number} ({act}) ran after step {last}"));
                }
                if *number > done + 1 {
                    return Err(format!("step {number} ({act}) ran before step {} was done", done + 1));
                }
                if *number <= done && !steps.get(number - 1).is_some_and(Step::is_repeated) {
                    return Err(format!("step {number} ({act}) ran again and was done already"));
                }
                last = *number;
            }
            Mark::Done(number) => {
                if *number != done + 1 || *number != last {
                    return Err(format!(
                        "step {number} was done in step {last}, when {done} steps were done before"
                    ));
                }
                done = *number;
            }
            _ => {}
        }
    }
    let all = steps.len();
    match done {
        count if count == all => Ok(format!("all {all} steps ran in the script's order")),
        count if story.ended => Err(format!("the ceremony ended after {count} of {all} steps")),
        count => Ok(format!(
            "{count} of {all} steps are done, in the script's order, as far as the transcript goes"
        )),
    }
}

/// Each key that the script creates has its certificate in the transcript, in the step that
/// creates it, and no other key has one.
pub fn keys(story: &Story, plan: &Plan) -> Result<String, String> {
    let made: Vec<(usize, &str)> = plan
        .script()
        .step
        .iter()
        .enumerate()
        .filter_map(|(at, step)| step.creates().map(|name| (at + 1, name)))
        .collect();
    let mut step = 0;
    for mark in &story.marks {
        match mark {
            Mark::Step { number, .. } => step = *number,
            Mark::Key(KeyMark::Certificate(KeyCertificate { name, .. }))
                if !made.contains(&(step, name.as_str())) =>
            {
                return Err(format!(
                    "the certificate of {name} was made in step {step}, where the script has none"
                ));
            }
            _ => {}
        }
    }
    for (number, name) in made.iter().filter(|(number, _)| *number <= story.done) {
        if !story.keys.iter().any(|key| key.name == *name) {
            return Err(format!("step {number} creates {name}, of which the transcript has no certificate"));
        }
        if !story.generated.iter().any(|key| key == name) {
            return Err(format!("step {number} creates {name}, of which the transcript has no key"));
        }
    }
    match (story.generated.len() + story.proved, &story.weak) {
        (_, Some(weak)) => Err(weak.clone()),
        (0, None) => Ok("no key was generated or used".to_owned()),
        (count, None) => Ok(format!(
            "attributes read back from the token {count} times: sensitive, never extractable, generated in the token"
        )),
    }
}

/// What lay on the token, as far as the transcript goes: nothing that nobody expected.
pub fn objects(story: &Story) -> Result<String, String> {
    let looks = &story.looks;
    if let Some(other) = &story.other_token {
        return Err(other.clone());
    }
    match (looks.count, looks.accepted) {
        (0, _) => Ok("nobody looked at the token's objects".to_owned()),
        (count, true) => Ok(format!(
            "{count} looks at the token, {} objects at first and {} at last, none that neither ledger nor script expect",
            looks.first, looks.last
        )),
        (_, false) => Err("the last look at the token found an object that nobody expected".to_owned()),
    }
}
