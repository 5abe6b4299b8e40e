//! The indexes of bundles that a ledger keeps, held against what the transcript begins with.

use std::collections::BTreeSet;

use crate::audit::reading::Reading;
use crate::digest::Digest;
use crate::ledger::KeptIndex;
use crate::plan::Plan;
use crate::record::BundleFacts;
use crate::request::IndexName;

/// Each index that came in is kept, with what the transcript says of it, and no other.
pub fn told(kept: &[KeptIndex], reading: &Reading) -> Result<(), String> {
    let facts = reading.state.begin.as_ref().map(|begin| begin.indexes.as_slice()).unwrap_or_default();
    if kept.len() != facts.len() {
        return Err(format!("the ledger has {} indexes, the transcript has {}", kept.len(), facts.len()));
    }
    match kept.iter().find(|kept| !facts.iter().any(|facts| same(kept, facts))) {
        None => Ok(()),
        Some(kept) => Err(format!(
            "the ledger's index of medium {}, SHA-256 {}, is not one that the transcript has",
            kept.number,
            Digest::of(&kept.octets)
        )),
    }
}

fn same(kept: &KeptIndex, facts: &BundleFacts) -> bool {
    let name = |name: &Option<IndexName>| name.as_ref().map(|name| name.as_str().to_owned());
    kept.number == facts.bundle
        && kept.cluster == name(&facts.cluster)
        && kept.part == name(&facts.part)
        && kept.sequence == facts.sequence.number()
        && Digest::of(&kept.octets) == facts.index_sha256
}

/// The signatures over the kept indexes hold under the keys of those whom the script names, and are
/// of those whom the transcript names; nothing to say where the script names none.
pub fn approved(kept: &[KeptIndex], reading: &Reading, plan: &Plan) -> Option<Result<String, String>> {
    let approvals = plan.script().approvals.as_ref()?;
    let facts = &reading.state.begin.as_ref()?.indexes;
    let one = |kept: &KeptIndex| {
        let names = approvals.verify(&kept.octets, &kept.signatures)?;
        let names: BTreeSet<&String> = names.iter().collect();
        let told = facts.iter().find(|facts| facts.bundle == kept.number).map(|facts| facts.approvers.iter());
        match told.is_some_and(|told| told.collect::<BTreeSet<_>>() == names) {
            true => Ok(()),
            false => Err(format!(
                "the index of medium {} is signed by others than the transcript names",
                kept.number
            )),
        }
    };
    Some(kept.iter().try_for_each(one).map(|()| {
        format!("{} indexes are kept, and the signatures over them hold under the script's keys", kept.len())
    }))
}
