//! Compares the steps of a transcript with the script.

use super::reading::Reading;
use crate::plan::Plan;
use crate::record::Event;

/// Checks that steps ran in the script's order, each after those before it were done. After an
/// interruption a ceremony continues at the first step not done, and inspects machine and token again.
pub fn order(reading: &Reading, plan: &Plan) -> Result<String, String> {
    let steps = &plan.script().step;
    let (mut done, mut last) = (0, 0);
    for record in &reading.acts {
        match &record.event {
            Event::Resume(_) => last = 0,
            Event::Step(started) => {
                let (number, act) = (&started.number, &started.act);
                let scripted = plan.script().step(*number);
                let expected = scripted.map(|step| step.act.name());
                if expected != Some(act.as_str()) {
                    return Err(format!(
                        "step {number} is {act}, in the script it is {}",
                        expected.unwrap_or("absent")
                    ));
                }
                if *number <= last {
                    return Err(format!("step {number} ({act}) ran after step {last}"));
                }
                if *number > done + 1 {
                    return Err(format!("step {number} ({act}) ran before step {} was done", done + 1));
                }
                let again = scripted.is_some_and(|step| step.act.rules().is_performed_again());
                if *number <= done && !again {
                    return Err(format!("step {number} ({act}) ran again after it was done"));
                }
                last = *number;
            }
            Event::Done(step) => {
                let number = &step.number;
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
        count if reading.state.ended => Err(format!("the ceremony ended after {count} of {all} steps")),
        count => Ok(format!(
            "{count} of {all} steps are done, in the script's order, as far as the transcript goes"
        )),
    }
}

/// Checks that each key that the script creates has its certificate in the transcript, in the step
/// that creates it, and that no other key has one.
pub fn keys(reading: &Reading, plan: &Plan) -> Result<String, String> {
    let mut number = 0;
    for record in &reading.acts {
        match &record.event {
            Event::Step(step) => number = step.number,
            event @ (Event::KeyIntended(_)
            | Event::KeyFound(_)
            | Event::KeyWithdrawn(_)
            | Event::KeyGenerated(_)
            | Event::KeyReserved(_)
            | Event::Certificate(_)) => {
                let scripted = plan.script().step(number).ok_or("a key was made before any step")?;
                scripted.act.rules().allows(event).map_err(|wrong| format!("step {number} {wrong}"))?;
            }
            _ => {}
        }
    }
    for (at, step) in plan.script().step.iter().enumerate().take(reading.state.done) {
        let rules = step.act.rules();
        let Some(key) = rules.key() else { continue };
        rules
            .is_done(&reading.state, &[])
            .map_err(|wrong| format!("step {} creates {}: {wrong}", at + 1, key.name))?;
    }
    match (reading.attributes, &reading.weak) {
        (_, Some(weak)) => Err(weak.clone()),
        (0, None) => Ok("no key was generated or used".to_owned()),
        (count, None) => Ok(format!(
            "attributes read back from the token {count} times: sensitive, never extractable, generated in the token"
        )),
    }
}

/// Checks that no inventory of the token left an unexpected object.
pub fn objects(reading: &Reading) -> Result<String, String> {
    let looks = &reading.looks;
    if let Some(other) = &reading.other_token {
        return Err(other.clone());
    }
    match (looks.count, looks.accepted) {
        (0, _) => Ok("no inventory of the token".to_owned()),
        (count, true) => Ok(format!(
            "inventories of the token: {count}, {} objects in the first and {} in the last, none unexpected",
            looks.first, looks.last
        )),
        (_, false) => Err("the last inventory of the token found an unexpected object".to_owned()),
    }
}
