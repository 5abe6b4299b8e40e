//! Bundle indexes kept in a ledger: compares their facts, derived again, with the transcript.

use std::collections::BTreeSet;

use crate::ledger::KeptIndex;
use crate::plan::Plan;
use crate::record::BundleFacts;
use crate::request::Index;

/// Compares the kept indexes with the facts of the transcript.
pub fn compare(kept: &[KeptIndex], facts: &[BundleFacts], plan: &Plan) -> Result<(), String> {
    if kept.len() != facts.len() {
        return Err(format!("the ledger has {} indexes, the transcript has {}", kept.len(), facts.len()));
    }
    kept.iter().try_for_each(|kept| {
        one(kept, facts, plan).map_err(|wrong| format!("the index of medium {}: {wrong}", kept.number))
    })
}

fn one(kept: &KeptIndex, facts: &[BundleFacts], plan: &Plan) -> Result<(), String> {
    let index = Index::parse(&kept.octets).map_err(|e| e.to_string())?;
    plan.script().check_part(&index)?;
    let recorded =
        facts.iter().find(|facts| facts.bundle == kept.number).ok_or("the transcript does not have it")?;
    // [`approved`] verifies their signatures.
    let approvers = recorded.approvers.clone();
    let cluster = plan.script().cluster.as_ref();
    let again = BundleFacts::new(kept.number, (&index, &kept.octets), cluster, approvers);
    if let Some((field, again, recorded)) = again.difference(recorded) {
        return Err(format!("{field} is {again} in the ledger, {recorded} in the transcript"));
    }
    if plan.script().approvals.is_none() && !kept.signatures.is_empty() {
        return Err("has signatures that the script does not require".into());
    }
    if KeptIndex::new(&again, kept.octets.clone(), kept.signatures.clone()) == *kept {
        Ok(())
    } else {
        Err("cluster, part or sequence number of its row was modified".into())
    }
}

/// Verifies the signatures over the kept indexes under the keys of the script's approvers, and that the
/// transcript names the same approvers; None when the script requires no approvals.
pub fn approved(kept: &[KeptIndex], facts: &[BundleFacts], plan: &Plan) -> Option<Result<String, String>> {
    let approvals = plan.script().approvals.as_ref()?;
    let one = |kept: &KeptIndex| {
        let names = approvals.verify(&kept.octets, &kept.signatures)?;
        let names: BTreeSet<&String> = names.iter().collect();
        let recorded = facts.iter().find(|facts| facts.bundle == kept.number);
        if recorded.is_some_and(|recorded| recorded.approvers.iter().collect::<BTreeSet<_>>() == names) {
            Ok(())
        } else {
            Err(format!(
                "the approvers of the index of medium {} differ from those of the transcript",
                kept.number
            ))
        }
    };
    Some(kept.iter().try_for_each(one).map(|()| {
        format!("{} indexes, their signatures verify under the keys of the script's approvers", kept.len())
    }))
}
