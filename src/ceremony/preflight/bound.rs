//! Finds manifest keys that verifiers could not distinguish from other keys, before they are made.

use std::collections::BTreeMap;

use crate::issuance::Certificate;
use crate::ledger::StoredKey;
use crate::plan::Plan;
use crate::record::KeyRole;

/// Returns the manifest keys of a script that the certificate policy of manifest keys does not bind, with
/// the remedy: their own profile must have it, and those of the authorities between root and key.
pub fn unbound(plan: &Plan, keys: &[StoredKey]) -> Vec<String> {
    // Whether a manifest key below this authority is bound.
    let mut binds: BTreeMap<String, bool> = BTreeMap::new();
    for key in keys {
        let asserts = |certificate: &Certificate| certificate.asserts_manifest_signing().unwrap_or(false);
        let above = key.issuer == key.name || binds.get(&key.issuer).copied().unwrap_or(false);
        let own = key.issuer == key.name || key.certificate.as_ref().is_some_and(asserts);
        binds.insert(key.name.clone(), above && own);
    }
    let mut found = Vec::new();
    for (at, step) in plan.script().step.iter().enumerate() {
        let Some(spec) = step.act.rules().key() else { continue };
        let asserts = plan.profiles().get(&spec.profile).is_some_and(|one| one.asserts_manifest_signing());
        let above = spec.issuer.as_ref().and_then(|issuer| binds.get(issuer)).copied();
        if spec.role == KeyRole::Authority {
            let root = spec.issuer.is_none();
            binds.insert(spec.name, root || (above.unwrap_or(true) && asserts));
            continue;
        }
        let place = format!("step {} ({}): {}", at + 1, step.act.name(), spec.name);
        if !asserts {
            found.push(format!(
                "{place}: certificate profile {} lacks certificate_policies = [\"manifest-signing\"], without which only its purpose distinguishes the key from others under its root; add it",
                spec.profile
            ));
        }
        // An unknown issuer is reported elsewhere.
        if above == Some(false) {
            found.push(format!(
                "{place}: its issuer {} is not a root, and not every certificate between its root and the key asserts the policy manifest-signing; name the root as issuer, or an intermediate whose profile has it",
                spec.issuer()
            ));
        }
    }
    found
}
