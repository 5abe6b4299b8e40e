//! Compares the ledger's token keys with the transcripts.

use crate::audit::reading::Reading;
use crate::ledger::{CeremonyRow, StoredKey};
use crate::record::KeyCertificate;

/// Compares keys and certificates of one ceremony in ledger and transcript, including their order.
pub fn compare(
    keys: &[StoredKey],
    row: &CeremonyRow,
    reading: &Reading,
    what: &str,
) -> Result<String, String> {
    let own: Vec<&StoredKey> = keys.iter().filter(|key| key.ceremony == row.id).collect();
    for key in &own {
        one(key, keys, reading, row.done).map_err(|wrong| format!("{what}: {wrong}"))?;
    }
    let certified = own.iter().filter(|key| key.certificate.is_some()).map(|key| key.name.as_str());
    let (certified, recorded): (Vec<&str>, Vec<&str>) =
        (certified.collect(), reading.state.certificates().map(|recorded| recorded.name.as_str()).collect());
    if certified == recorded || (!row.done && certified.starts_with(&recorded)) {
        Ok(format!("{what}: {} keys made, as in the transcript", own.len()))
    } else {
        Err(format!(
            "{what}: the ledger has certificates of {}, the transcript has {}",
            listed(&certified),
            listed(&recorded)
        ))
    }
}

/// Checks one key. In an unfinished ceremony the ledger may have its certificate before the transcript does.
fn one(key: &StoredKey, keys: &[StoredKey], reading: &Reading, done: bool) -> Result<(), String> {
    let name = &key.name;
    let Some(certificate) = &key.certificate else {
        return if done {
            Err(format!("the ledger has no certificate of {name}, but the ceremony is finished"))
        } else {
            Ok(())
        };
    };
    let own = key.certified(certificate);
    let of_name = |recorded: &&KeyCertificate| recorded.name == *name && recorded.sha256 == own.sha256;
    match reading.state.certificates().find(of_name).map(|recorded| own.difference(recorded)) {
        Some(None) => {}
        Some(Some((field, own, recorded))) => {
            return Err(format!("{name}: {field} is {own} in the ledger, {recorded} in the transcript"));
        }
        None if !done && !reading.state.certificates().any(|recorded| recorded.name == *name) => {}
        None => {
            return Err(format!(
                "{name}: the transcript does not have its certificate, SHA-256 {}",
                own.sha256
            ));
        }
    }
    let issuer = keys.iter().find(|issuer| issuer.name == key.issuer);
    let issuer = issuer
        .and_then(|issuer| issuer.certificate.as_ref())
        .ok_or_else(|| format!("{name} is under {}, which the ledger does not have", key.issuer))?;
    certificate.verify_by(issuer.key()).map_err(|e| format!("{name} under {}: {e}", key.issuer))
}

/// Checks that keys are in the order of their ceremonies: the first authority identifies the ledger in its
/// releases.
pub fn in_order(keys: &[StoredKey]) -> Result<String, String> {
    let pairs = keys.iter().zip(keys.iter().skip(1));
    match pairs.into_iter().find(|(one, next)| next.ceremony < one.ceremony) {
        None => Ok(format!("{} keys, in the order of the ceremonies that made them", keys.len())),
        Some((one, next)) => Err(format!(
            "the key {} of ceremony {} comes before {} of ceremony {}",
            one.name, one.ceremony, next.name, next.ceremony
        )),
    }
}

fn listed(names: &[&str]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
