//! Checks of a plan against script, certificate profiles and ledger, without a token.

use std::collections::BTreeMap;
use std::path::Path;

use der::DateTime;

use super::bound::unbound;
use crate::ceremony::checks::check_still_valid;
use crate::failure::Failure;
use crate::issuance::{Authority, Certificate};
use crate::ledger::{Ledger, StoredKey};
use crate::plan::{KeyUse, Plan};
use crate::policy::{ExtendedUse, Kind, Use, never_matching};
use crate::record::KeyRole;

/// What is known of an authority beforehand.
#[derive(Clone, Debug)]
struct Issuer {
    /// Days until it expires.
    days: u64,
    path_length: Option<u8>,
}

/// Returns everything that is wrong with a plan, with place and remedy. Without a ledger, keys of earlier
/// ceremonies are unknown.
pub fn findings(plan: &Plan, ledger: Option<&Ledger>, now: DateTime) -> Result<Vec<Failure>, Failure> {
    let keys = ledger.map(Ledger::keys).transpose()?.unwrap_or_default();
    let mut texts = key_names(plan, &keys, ledger.is_some());
    texts.extend(lifetimes(plan, &keys, now));
    texts.extend(unbound(plan, &keys));
    texts.extend(profiles(plan));
    texts.extend(never_matching(&plan.script().roster, plan.profiles()));
    let uses = plan.script().keys();
    let used = |key: &&StoredKey| uses.iter().any(|one| one.name == key.name);
    let mut found: Vec<Failure> =
        keys.iter().filter(used).filter_map(|key| check_still_valid(key, now).err()).collect();
    found.extend(keys.iter().filter(used).filter_map(|key| check_delegation(plan, key).err()));
    found.extend(texts.into_iter().map(|text| Failure::usage(format!("{}: {text}", plan.name()))));
    Ok(found)
}

/// Checks that a delegating authority may have an authority below it.
fn check_delegation(plan: &Plan, stored: &StoredKey) -> Result<(), Failure> {
    let delegates = plan.script().roster.iter().any(|line| line.delegate && line.authority == stored.name);
    let Some(certificate) = stored.certificate.clone().filter(|_| delegates) else { return Ok(()) };
    match Authority::new(&stored.name, certificate).map(|authority| authority.path_length()) {
        Ok(Some(0)) => Err(Failure::usage(format!(
            "key {}: has path length 0, so nothing can be delegated under it (RFC 5280 4.2.1.9)",
            stored.name
        ))),
        // Any other problem is reported when the key signs.
        _ => Ok(()),
    }
}

/// Returns the keys that must exist before a plan runs: it uses but does not create them.
pub fn keys_from_before(plan: &Plan) -> Vec<(String, KeyRole)> {
    let all = plan.script().keys();
    let made = |name: &str| all.iter().any(|key| key.makes && key.name == name);
    let mut found: Vec<(String, KeyRole)> = Vec::new();
    for KeyUse { name, role, .. } in all.iter().filter(|key| !made(key.name)) {
        if !found.iter().any(|(known, _)| known == name) {
            found.push(((*name).to_owned(), *role));
        }
    }
    found
}

/// Checks that a plan can run without an existing ledger.
pub fn check_new_ledger(plan: &Plan, folder: &Path) -> Result<(), Failure> {
    let needed = keys_from_before(plan);
    let names: Vec<&str> = needed.iter().map(|(name, _)| name.as_str()).collect();
    if names.is_empty() {
        Ok(())
    } else {
        Err(Failure::usage(format!(
            "{}: no ledger exists, but {} needs one with {}; name the ledger of the ceremony that created them",
            folder.display(),
            plan.name(),
            names.join(", ")
        )))
    }
}

/// Finds key names that are already used, missing, or used for the wrong role.
fn key_names(plan: &Plan, keys: &[StoredKey], complete: bool) -> Vec<String> {
    let mut known: BTreeMap<&str, KeyRole> = keys.iter().map(|key| (key.name.as_str(), key.role)).collect();
    let uses = plan.script().keys();
    let made: Vec<&str> = uses.iter().filter(|key| key.makes).map(|key| key.name).collect();
    let mut found = Vec::new();
    for KeyUse { name, role, makes } in plan.script().keys() {
        let what = match (known.get(name), makes) {
            (Some(_), true) => {
                format!(
                    "key {name}: the ledger already has a key with this name; choose another, because names are never reused"
                )
            }
            (None, true) => {
                known.insert(name, role);
                continue;
            }
            (Some(other), false) if *other != role => {
                format!(
                    "key {name}: its role is {}, but the script uses it as {}; name the right key",
                    other.as_str(),
                    role.as_str()
                )
            }
            (None, false) if made.contains(&name) => {
                format!("key {name}: is used before the step that creates it; put that step first")
            }
            (None, false) if complete => {
                format!(
                    "key {name}: neither the ledger nor the script has it; create it first, or name another ledger"
                )
            }
            _ => continue,
        };
        if !found.contains(&what) {
            found.push(what);
        }
    }
    found
}

/// Finds certificates that would outlive their issuer, and so be truncated, and issuers whose path
/// length allows no authority below them.
fn lifetimes(plan: &Plan, keys: &[StoredKey], now: DateTime) -> Vec<String> {
    let mut found = Vec::new();
    let mut issuers: BTreeMap<String, Issuer> = BTreeMap::new();
    for key in keys {
        let Some(certificate) = &key.certificate else { continue };
        issuers.insert(key.name.clone(), issuer_of(plan, key, certificate, now));
    }
    for (at, step) in plan.script().step.iter().enumerate() {
        let Some(spec) = step.act.rules().key() else { continue };
        let (place, name, days) = (format!("step {} ({})", at + 1, step.act.name()), &spec.name, spec.days);
        let profile = plan.profiles().get(&spec.profile);
        if let Some((issuer, above)) =
            spec.issuer.as_ref().and_then(|name| Some((name, issuers.get(name.as_str())?)))
        {
            if u64::from(days) > above.days {
                found.push(format!(
                    "{place}: {name} would be valid for {days} days, but its issuer {issuer} has only {} left; reduce days to that",
                    above.days
                ));
            }
            if above.path_length == Some(0)
                && profile.is_some_and(|profile| profile.kind == Kind::Intermediate)
            {
                found.push(format!(
                    "{place}: {issuer} has path length 0, so {name} cannot be an authority below it (RFC 5280 4.2.1.9); choose another issuer or profile"
                ));
            }
        }
        let path_length = profile.and_then(|profile| profile.path_length);
        issuers.insert(spec.name, Issuer { days: days.into(), path_length });
    }
    found.extend(leaves(plan, &issuers));
    found
}

fn leaves(plan: &Plan, issuers: &BTreeMap<String, Issuer>) -> Vec<String> {
    let lines = plan.script().roster.iter().enumerate();
    lines
        .filter_map(|(at, line)| {
            let days = line.days.or_else(|| plan.profiles().get(&line.profile).map(|profile| profile.days))?;
            let issuer = issuers.get(line.authority.as_str())?;
            (u64::from(days) > issuer.days).then(|| {
                format!(
                    "roster line {} ({:?}): certificates would be valid for {days} days, but their issuer {} has only {} left; set days in the line",
                    at + 1, line.path, line.authority, issuer.days
                )
            })
        })
        .collect()
}

fn issuer_of(plan: &Plan, key: &StoredKey, certificate: &Certificate, now: DateTime) -> Issuer {
    let left = certificate.validity().not_after.unix_duration().saturating_sub(now.unix_duration());
    let path_length = plan.profiles().get(&key.profile).and_then(|profile| profile.path_length);
    let authority = Authority::new(&key.name, certificate.clone()).ok();
    let path_length = authority.and_then(|authority| authority.path_length()).or(path_length);
    // A started day counts: the certificate may end in its last second.
    Issuer { days: left.as_secs().div_ceil(86_400), path_length }
}

/// Finds certificate profiles with contradictory settings.
fn profiles(plan: &Plan) -> Vec<String> {
    let mut found = Vec::new();
    for (name, profile) in plan.profiles() {
        let tls = [ExtendedUse::ServerAuth, ExtendedUse::ClientAuth];
        let signs = profile.key_usage.contains(&Use::DigitalSignature);
        if profile.kind == Kind::Leaf && profile.extended_key_usage.iter().any(|u| tls.contains(u)) && !signs
        {
            found.push(format!(
                "certificate profile {name}: has no digitalSignature, without which TLS works neither with EC keys nor in version 1.3 (RFC 5280 4.2.1.12); add it to key_usage"
            ));
        }
    }
    found
}
