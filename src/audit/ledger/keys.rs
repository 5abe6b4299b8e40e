//! The ledger's keys in tokens, held against what the transcripts tell of them.

use crate::audit::reading::Reading;
use crate::digest::hex;
use crate::ledger::{CeremonyRow, StoredKey};
use crate::record::KeyCertificate;

/// The keys of a ceremony and their certificates, in ledger and transcript: the same ones, in the
/// order in which they were made.
pub fn told(keys: &[StoredKey], row: &CeremonyRow, reading: &Reading, what: &str) -> Result<String, String> {
    let own: Vec<&StoredKey> = keys.iter().filter(|key| key.ceremony == row.id).collect();
    for key in &own {
        one(key, keys, reading, row.done).map_err(|wrong| format!("{what}: {wrong}"))?;
    }
    let certified = own.iter().filter(|key| key.certificate.is_some()).map(|key| key.name.as_str());
    let (certified, told): (Vec<&str>, Vec<&str>) =
        (certified.collect(), reading.state.certificates().map(|told| told.name.as_str()).collect());
    match certified == told || (!row.done && certified.starts_with(&told)) {
        true => Ok(format!("{what}: {} keys made, as in the transcript", own.len())),
        false => Err(format!(
            "{what}: the ledger has certificates of {}, the transcript has {}",
            listed(&certified),
            listed(&told)
        )),
    }
}

/// One key; in a ceremony that waits, its certificate may be written down before the transcript has it.
fn one(key: &StoredKey, keys: &[StoredKey], reading: &Reading, done: bool) -> Result<(), String> {
    let name = &key.name;
    let Some(certificate) = &key.certificate else {
        return match done {
            true => Err(format!("the ledger has no certificate of {name}, and the ceremony is done")),
            false => Ok(()),
        };
    };
    let digest = certificate.digest();
    match reading.state.certificates().find(|told| told.name == *name) {
        Some(told) if told.sha256 == digest => same(key, told)?,
        None if !done => {}
        told => {
            return Err(format!(
                "the ledger's certificate of {name} has SHA-256 {digest}, the transcript has {}",
                told.map_or_else(|| "none".into(), |told| told.sha256.to_string())
            ));
        }
    }
    let issuer = keys.iter().find(|issuer| issuer.name == key.issuer);
    let issuer = issuer
        .and_then(|issuer| issuer.certificate.as_ref())
        .ok_or_else(|| format!("{name} is under {}, which the ledger does not have", key.issuer))?;
    certificate.verify_by(issuer.key()).map_err(|e| format!("{name} under {}: {e}", key.issuer))
}

/// What else the ledger says of a key is what the transcript has.
fn same(key: &StoredKey, told: &KeyCertificate) -> Result<(), String> {
    let id = hex(&key.key_id);
    let pairs = [
        ("role", key.role.as_str(), told.role.as_str()),
        ("CKA_ID", &id, &told.key_id),
        ("token serial", &key.token_serial, &told.token_serial),
        ("issuer", &key.issuer, &told.issuer),
        ("certificate profile", &key.profile, &told.profile),
    ];
    match pairs.iter().find(|(_, kept, told)| kept != told) {
        None => Ok(()),
        Some((what, kept, told)) => {
            Err(format!("{}: its {what} is {kept} in the ledger, the transcript has {told}", key.name))
        }
    }
}

/// Keys stand in the order of their ceremonies: the first authority names the ledger's releases.
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
