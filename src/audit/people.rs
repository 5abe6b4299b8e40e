//! The people that a transcript tells of, held against the script: who signed in, and who
//! confirmed what.

use std::collections::{BTreeMap, BTreeSet};

use super::steps::is_over;
use super::story::{Mark, Story};
use crate::ceremony::{Count, Person, Plan, Role};

/// Before the first step, and again after each interruption, everybody whom the script wants
/// signed in, and no one filled two seats that must be distinct.
pub fn present(story: &Story, plan: &Plan) -> Result<String, String> {
    let seats = &plan.script().people;
    let mut seated: Vec<Person> = Vec::new();
    let mut names: Vec<String> = Vec::new();
    let mut waits = false;
    for mark in &story.marks {
        match mark {
            Mark::Begin | Mark::Resume => {
                seated.clear();
                waits = true;
            }
            Mark::Present(role, name) => {
                let person = Person::new(*role, name)?;
                if let Some(taken) = seats.taken(&seated, &person) {
                    return Err(taken);
                }
                if !names.contains(&person.title()) {
                    names.push(person.title());
                }
                seated.push(person);
            }
            Mark::Step { number, .. } if waits => {
                waits = false;
                for role in Role::ALL {
                    let there = seated.iter().filter(|person| person.role == role).count();
                    if there != seats.of(role) {
                        return Err(format!(
                            "step {number} began when {there} {} had signed in, the script wants {}",
                            role.as_str(),
                            seats.of(role)
                        ));
                    }
                }
            }
            _ => {}
        }
    }
    Ok(format!("signed in as the script wants ({}): {}", seats.count().text(), names.join(", ")))
}

/// What had to be confirmed was confirmed by those who signed in, and by as many of each role as
/// the script wants: the plan digest at the beginning and after each interruption, and in each
/// step what that step asks.
pub fn confirmed(story: &Story, plan: &Plan) -> Result<String, String> {
    let usual = &plan.script().people.confirm;
    let mut seated: Vec<Person> = Vec::new();
    let mut agreed: Vec<Person> = Vec::new();
    let mut answered: BTreeMap<(usize, &str), Vec<Person>> = BTreeMap::new();
    let (mut step, mut count, mut waits) = (0, 0, false);
    for mark in &story.marks {
        match mark {
            Mark::Begin | Mark::Resume => {
                seated.clear();
                agreed.clear();
                waits = true;
            }
            Mark::Present(role, name) => seated.extend(Person::new(*role, name)),
            Mark::Step { number, .. } => {
                if std::mem::take(&mut waits) {
                    enough(&agreed, usual).map_err(|few| {
                        format!("step {number} began before the plan digest was confirmed: {few}")
                    })?;
                }
                step = *number;
            }
            Mark::Confirmed { prompt, answer, role, by } => {
                let person = Person::new(*role, by)?;
                if !seated.iter().any(|other| other.is(&person) && other.role == person.role) {
                    return Err(format!("{} confirmed {prompt} and had not signed in", person.title()));
                }
                count += 1;
                if prompt == "plan" {
                    is_part(plan, answer)?;
                    agreed.push(person.clone());
                }
                answered.entry((step, prompt)).or_default().push(person);
            }
            Mark::Certificate(_) => {}
        }
    }
    for (at, one) in plan.script().step.iter().enumerate() {
        let began = |mark: &Mark| matches!(mark, Mark::Step { number, .. } if *number == at + 1);
        let over = story.marks.iter().any(began) && is_over(story, at + 1);
        let Some(prompt) = one.prompt().filter(|_| over) else { continue };
        let by = answered.get(&(at + 1, prompt)).map(Vec::as_slice).unwrap_or_default();
        enough(by, one.confirm().unwrap_or(usual))
            .map_err(|few| format!("step {} ({}): {prompt} was not confirmed: {few}", at + 1, one.act()))?;
    }
    Ok(format!("{count} confirmations, each by those of whom the script asks it"))
}

/// Bundles came in with the approvals that the script names; nothing to say where it names none.
pub fn approvals(story: &Story, plan: &Plan) -> Option<Result<String, String>> {
    let approvals = plan.script().approvals.as_ref()?;
    story.imported?;
    let may = |name: &&String| approvals.signers.iter().any(|signer| signer.name == **name);
    let few = story.indexes.iter().find(|index| {
        let different: BTreeSet<&String> = index.approvers.iter().filter(may).collect();
        different.len() < approvals.required
    });
    Some(match (few, story.indexes.len()) {
        (Some(index), _) => Err(format!(
            "the index {} was approved by {} of {} required, who are named {}",
            index.index_sha256,
            index.approvers.iter().filter(may).count(),
            approvals.required,
            index.approvers.join(", ")
        )),
        (None, 0) => Err("the script wants approvals, and no bundle had an index".to_owned()),
        (None, count) => Ok(format!(
            "{count} bundles came in, each approved by {} of those whom the script names",
            approvals.required
        )),
    })
}

/// So many different people of each role.
fn enough(by: &[Person], wanted: &Count) -> Result<(), String> {
    for role in Role::ALL {
        let mut different: Vec<&Person> = Vec::new();
        for person in by.iter().filter(|person| person.role == role) {
            if !different.iter().any(|other| other.is(person)) {
                different.push(person);
            }
        }
        if different.len() < wanted.of(role) {
            return Err(format!("by {} of {} {}", different.len(), wanted.of(role), role.as_str()));
        }
    }
    Ok(())
}

/// Which three words of the plan digest are asked for changes from one time to the next.
fn is_part(plan: &Plan, answer: &str) -> Result<(), String> {
    let words = plan.digest().words();
    let all: Vec<&str> = words.split(' ').collect();
    match all.chunks(3).any(|part| answer.eq_ignore_ascii_case(&part.join(" "))) {
        true => Ok(()),
        false => Err(format!("{answer:?} was typed for the plan digest, whose words are {words:?}")),
    }
}
