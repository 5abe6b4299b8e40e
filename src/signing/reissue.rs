//! Reissues a release from the ledger if its medium was lost: the same octets, without token and PIN. Writes
//! nothing to the ledger.

use std::collections::BTreeMap;
use std::path::Path;

use super::export::{Export, Hashed, check_out, check_seal};
use super::{Progress, policy};
use crate::digest::Digest;
use crate::failure::Failure;
use crate::ledger::{Ledger, ReleaseRow, resume_command};
use crate::plan::{Plan, Setup};
use crate::record::KeyRole;
use crate::release::Head;

/// Selects a release of a ledger.
#[derive(Clone, Copy, Debug)]
pub enum Which {
    /// The last release.
    Last,
    /// The release of this ceremony.
    Ceremony(i64),
    /// The release with this number.
    Sequence(u64),
}

/// Writes a release again.
///
/// # Errors
/// [`Failure::usage`] if there is no such release, its ceremony is unfinished, or `out` is taken;
/// [`Failure::fault`] if the ledger yields different octets than were signed, or a signature is invalid.
pub fn reissue(
    ledger: &mut Ledger,
    which: Which,
    out: &Path,
    processors: usize,
    progress: &mut dyn FnMut(&Progress),
) -> Result<ReleaseRow, Failure> {
    let release = find(ledger, which)?;
    check_out(out, Some(ledger.folder()))?;
    let row = ledger.ceremony(release.ceremony)?;
    if !row.done {
        return Err(Failure::usage(format!(
            "release {} belongs to ceremony {}, which is unfinished; resume it with\n  {}",
            release.sequence,
            row.id,
            resume_command(ledger.folder())
        )));
    }
    let head = check_seal(ledger, &release)?;
    let policy = policy(&Setup::read(&row.setup)?.plan()?, None)?;
    let keys = ledger.keys()?.into_iter().filter(|key| key.role == KeyRole::Authority);
    let issuers: BTreeMap<_, _> = keys.filter_map(|key| Some((key.name, key.certificate?))).collect();
    let mut export =
        Export { ledger, policy: &policy, ceremony: row.id, issuers: Some(&issuers), processors };
    let written = export.write(&head, out, &mut |now| {
        progress(now);
        Ok(())
    })?;
    written.finish(ledger, &head, &release)?;
    Ok(release)
}

/// Returns SHA-256 of the manifest reproduced from the rows of a ceremony and this head.
///
/// # Errors
/// [`Failure::fault`] if it cannot be reproduced.
pub fn manifest_again(
    ledger: &mut Ledger,
    ceremony: i64,
    head: &Head,
    plan: &Plan,
    processors: usize,
) -> Result<Digest, Failure> {
    let policy = policy(plan, None)?;
    let mut export = Export { ledger, policy: &policy, ceremony, issuers: None, processors };
    let (hashed, _) = export.manifest(head, Hashed::new(std::io::sink()), &mut |_| Ok(()))?;
    Ok(hashed.finish().0)
}

fn find(ledger: &Ledger, which: Which) -> Result<ReleaseRow, Failure> {
    let (found, what) = match which {
        Which::Last => (ledger.last_release()?, "no release".to_owned()),
        Which::Ceremony(number) => (ledger.release(number)?, format!("no release of ceremony {number}")),
        Which::Sequence(number) => (ledger.release_number(number)?, format!("no release {number}")),
    };
    let last = || match ledger.last_release() {
        Ok(Some(last)) => format!("; the last one is {} of ceremony {}", last.sequence, last.ceremony),
        _ => String::new(),
    };
    found.ok_or_else(|| Failure::usage(format!("{}: has {what}{}", ledger.folder().display(), last())))
}
