//! Compares the people of a transcript with the script: who signed in, and who approved bundles.

use std::collections::{BTreeSet, HashSet};

use super::reading::Reading;
use crate::plan::Plan;
use crate::record::{Event, Person, Role, State};

/// Checks that everyone whom the script requires is signed in when a step begins, and that nobody has two
/// roles that must be distinct.
pub fn present(reading: &Reading, plan: &Plan) -> Result<String, String> {
    let roles = &plan.script().people;
    let mut state = State::default();
    let (mut names, mut known): (Vec<String>, HashSet<String>) = Default::default();
    let all = roles.all().count();
    for record in &reading.acts {
        match &record.event {
            Event::Present(Person { role, name }) => {
                let person = Person::new(*role, name)?;
                if state.present.len() == all {
                    return Err(format!("{} signed in after all {all} required people", person.title()));
                }
                if let Some(conflict) = roles.conflict(&state.present, &person) {
                    return Err(conflict);
                }
                if known.insert(person.title()) {
                    names.push(person.title());
                }
            }
            Event::Step(step) => {
                for role in Role::ALL {
                    let there = state.present.iter().filter(|person| person.role == role).count();
                    if there != roles.of(role) {
                        return Err(format!(
                            "step {} began with {there} signed in as {}, but the script requires {}",
                            step.number,
                            role.as_str(),
                            roles.of(role)
                        ));
                    }
                }
            }
            _ => {}
        }
        // AUDIT-CHAIN reports a record that does not follow.
        let _ = state.apply(record);
    }
    Ok(format!("signed in as the script requires ({}): {}", roles.count().text(), names.join(", ")))
}

/// Checks that bundles have the approvals that the script requires; `None` if it requires none.
pub fn approvals(reading: &Reading, plan: &Plan) -> Option<Result<String, String>> {
    let approvals = plan.script().approvals.as_ref()?;
    reading.state.imported?;
    let may = |name: &&String| approvals.signers.iter().any(|signer| signer.name == **name);
    let indexes = reading.state.begin.as_ref().map(|begin| begin.indexes.as_slice()).unwrap_or_default();
    let few = indexes.iter().find(|index| {
        let different: BTreeSet<&String> = index.approvers.iter().filter(may).collect();
        different.len() < approvals.required
    });
    Some(match (few, indexes.len()) {
        (Some(index), _) => Err(format!(
            "the index {} has {} of {} required approvals; it was approved by {}",
            index.index_sha256,
            index.approvers.iter().filter(may).count(),
            approvals.required,
            index.approvers.join(", ")
        )),
        (None, 0) => Err("the script requires approvals, but no bundle had an index".to_owned()),
        (None, count) => Ok(format!(
            "bundles imported: {count}, each approved by at least {} of the script's approvers",
            approvals.required
        )),
    })
}
