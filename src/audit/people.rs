//! The people that a transcript tells of, held against the script: who signed in, and who approved
//! bundles.

use std::collections::{BTreeSet, HashSet};

use super::marks::Mark;
use super::story::Story;
use crate::ceremony::{Person, Plan, Role};

/// Before the first step, and again after each interruption, everybody whom the script wants
/// signed in, and no one filled two seats that must be distinct.
pub fn present(story: &Story, plan: &Plan) -> Result<String, String> {
    let seats = &plan.script().people;
    let mut seated: Vec<Person> = Vec::new();
    let (mut names, mut known): (Vec<String>, HashSet<String>) = Default::default();
    let all = seats.all().count();
    let mut waits = false;
    for mark in &story.marks {
        match mark {
            Mark::Begin | Mark::Resume => {
                seated.clear();
                waits = true;
            }
            Mark::Present(role, name) => {
                let person = Person::new(*role, name)?;
                if seated.len() == all {
                    return Err(format!("{} signed in when all {all} seats were taken", person.title()));
                }
                if let Some(taken) = seats.taken(&seated, &person) {
                    return Err(taken);
                }
                if known.insert(person.title()) {
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

/// Bundles came in with the approvals that the script names; nothing to say where it names none.
pub fn approvals(story: &Story, plan: &Plan) -> Option<Result<String, String>> {
    let approvals = plan.script().approvals.as_ref()?;
    story.imported?;
    let may = |name: &&String| approvals.signers.iter().any(|signer| signer.name == **name);
    let indexes = story.begin.as_ref().map(|begin| begin.indexes.as_slice()).unwrap_or_default();
    let few = indexes.iter().find(|index| {
        let different: BTreeSet<&String> = index.approvers.iter().filter(may).collect();
        different.len() < approvals.required
    });
    Some(match (few, indexes.len()) {
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
