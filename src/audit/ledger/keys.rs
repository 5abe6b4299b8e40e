//! Compares the ledger's token keys with the transcripts.

use crate::audit::reading::Reading;
use crate::ledger::{CeremonyRow, StoredKey};
use crate::record::KeyState;

/// Compares the keys of one ceremony in the ledger with those in its transcript: the same ones in the same
/// order, each as it was announced and with the certificate that was recorded.
pub fn compare(
    keys: &[StoredKey],
    row: &CeremonyRow,
    reading: &Reading,
    what: &str,
) -> Result<String, String> {
    let own: Vec<&StoredKey> = keys.iter().filter(|key| key.ceremony == row.id).collect();
    let recorded: Vec<&KeyState> = reading.state.keys.iter().filter(|key| !key.withdrawn).collect();
    let (ledger, transcript) =
        (listed(own.iter().map(|key| &key.name)), listed(recorded.iter().map(|key| &key.name)));
    if ledger != transcript {
        return Err(format!("{what}: the ledger has the keys {ledger}, the transcript has {transcript}"));
    }
    for (key, recorded) in own.iter().zip(recorded) {
        one(key, recorded, keys, row.done).map_err(|wrong| format!("{what}: {}: {wrong}", key.name))?;
    }
    Ok(format!("{what}: {} keys made, as in the transcript", own.len()))
}

fn one(key: &StoredKey, recorded: &KeyState, keys: &[StoredKey], done: bool) -> Result<(), String> {
    let differs =
        |(field, own, recorded)| Err(format!("{field} is {own} in the ledger, {recorded} in the transcript"));
    let intended = recorded.intended.as_ref().ok_or("no record announces the key")?;
    let own = key.intended(intended.key, intended.before.clone());
    own.difference(intended).map_or(Ok(()), differs)?;
    let (certificate, recorded) = match (&key.certificate, &recorded.certificate) {
        (Some(certificate), Some(recorded)) => (certificate, recorded),
        (None, None) if !done => return Ok(()),
        (None, None) => return Err("it has no certificate, but the ceremony is finished".into()),
        (Some(own), None) => {
            return Err(format!("the transcript does not have its certificate, SHA-256 {}", own.digest()));
        }
        (None, Some(_)) => return Err("the ledger does not have its certificate".into()),
    };
    key.certified(certificate).difference(recorded).map_or(Ok(()), differs)?;
    let issuer = keys.iter().find(|issuer| issuer.name == key.issuer);
    let issuer = issuer
        .and_then(|issuer| issuer.certificate.as_ref())
        .ok_or_else(|| format!("its issuer {} is not in the ledger", key.issuer))?;
    certificate.verify_by(issuer.key()).map_err(|e| format!("under {}: {e}", key.issuer))
}

/// Checks that keys are in the order of their ceremonies: the first authority identifies the ledger in its
/// releases.
pub fn in_order(keys: &[StoredKey]) -> Result<String, String> {
    let pairs = keys.iter().zip(keys.iter().skip(1));
    match pairs.into_iter().find(|(one, next)| next.ceremony < one.ceremony) {
        None => Ok(format!("{} keys, in the order of the ceremonies that created them", keys.len())),
        Some((one, next)) => Err(format!(
            "the key {} of ceremony {} comes before {} of ceremony {}",
            one.name, one.ceremony, next.name, next.ceremony
        )),
    }
}

fn listed<'a>(names: impl Iterator<Item = &'a String>) -> String {
    let names: Vec<&str> = names.map(String::as_str).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
