//! Certificates of keys in the token, built as the steps that create them specify.

use std::collections::BTreeMap;

use der::DateTime;
use x509_cert::name::Name;

use crate::failure::Failure;
use crate::issuance::{Authority, Reserved, Serial, ToBeSigned, Validity};
use crate::keys::PublicKey;
use crate::plan::{KeySpec, Plan};
use crate::policy::subject_from;

/// Attribute that marks the subject of every certificate of a rehearsal.
pub const REHEARSAL_MARK: &str = "OU=REHEARSAL";

/// Returns the subject of a key's certificate.
pub fn subject(spec: &KeySpec, rehearsal: bool) -> Result<Name, Failure> {
    let mark = rehearsal.then(|| REHEARSAL_MARK.to_owned());
    let attributes: Vec<String> = mark.into_iter().chain(spec.subject.iter().cloned()).collect();
    subject_from(&attributes).map_err(|e| Failure::usage(e.0))
}

/// Returns the TBSCertificate of a key in the token.
pub fn to_be_signed(
    (plan, rehearsal): (&Plan, bool),
    spec: &KeySpec,
    key: &PublicKey,
    issuer: Option<&Authority>,
    (serial, start): (Serial, DateTime),
) -> Result<ToBeSigned, Failure> {
    let missing = || Failure::usage(format!("certificate profile {} is missing", spec.profile));
    let profile = plan.profiles().get(&spec.profile).ok_or_else(missing)?;
    let subject = subject(spec, rehearsal)?;
    let validity = Validity::days(start, spec.days)?;
    Ok(ToBeSigned::for_token_key(&spec.name, profile, &subject, key, issuer, serial, validity)?)
}

/// Whether a TBSCertificate is the one that the plan specifies for a key in the token.
pub fn is_certificate_of(
    plan: &Plan,
    rehearsal: bool,
    name: &str,
    authorities: &BTreeMap<String, Authority>,
    octets: &[u8],
) -> Result<bool, Failure> {
    let mut specs = plan.script().step.iter().filter_map(|step| step.act.rules().key());
    let spec = specs.find(|spec| spec.name == name);
    let spec =
        spec.ok_or_else(|| Failure::usage(format!("{name}: the script creates no key of this name")))?;
    let absent = |name: &String| Failure::usage(format!("{name}: is not an authority of the ledger"));
    let issuer = spec.issuer.as_ref().map(|name| authorities.get(name).ok_or_else(|| absent(name)));
    let Reserved { serial, start, key, .. } = Reserved::of(octets)?;
    let tbs = to_be_signed((plan, rehearsal), &spec, &key, issuer.transpose()?, (serial, start))?;
    Ok(tbs.octets() == octets)
}
