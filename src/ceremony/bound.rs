//! Manifest keys that nobody could tell from others: found before one is made.

use std::collections::BTreeMap;

use super::{Plan, Step};
use crate::issuance::Certificate;
use crate::ledger::StoredKey;

/// What a script would make of a manifest key that is not bound by the certificate policy of manifest
/// keys, with the remedy: its own profile must have it, and those of the authorities between its root
/// and it.
pub fn unbound(plan: &Plan, keys: &[StoredKey]) -> Vec<String> {
    // Of each authority whether a manifest key may be below it.
    let mut binds: BTreeMap<&str, bool> = BTreeMap::new();
    for key in keys {
        let asserts = |certificate: &Certificate| certificate.asserts_manifest_signing().unwrap_or(false);
        let above = key.issuer == key.name || binds.get(key.issuer.as_str()).copied().unwrap_or(false);
        let own = key.issuer == key.name || key.certificate.as_ref().is_some_and(asserts);
        binds.insert(&key.name, above && own);
    }
    let mut found = Vec::new();
    for (at, step) in plan.script().step.iter().enumerate() {
        let asserts = |profile: &String| {
            plan.profiles().get(profile).is_some_and(|profile| profile.asserts_manifest_signing())
        };
        match step {
            Step::CreateAuthority { name, issuer: None, .. } => {
                binds.insert(name, true);
            }
            Step::CreateAuthority { name, issuer: Some(issuer), profile, .. } => {
                let above = binds.get(issuer.as_str()).copied().unwrap_or(true);
                binds.insert(name, above && asserts(profile));
            }
            Step::CreateManifestKey { name, issuer, profile, .. } => {
                let place = format!("step {} ({}): {name}", at + 1, step.act());
                if !asserts(profile) {
                    found.push(format!(
                        "{place}: certificate profile {profile} lacks certificate_policies = [\"manifest-signing\"], without which nothing but its purpose tells the key from others under its root; add it"
                    ));
                }
                // An issuer that nobody knows is told elsewhere.
                if binds.get(issuer.as_str()) == Some(&false) {
                    found.push(format!(
                        "{place}: its issuer {issuer} is no root, and not every certificate between its root and the key asserts the policy manifest-signing; name the root as issuer, or an intermediate whose profile has it"
                    ));
                }
            }
            _ => {}
        }
    }
    found
}
