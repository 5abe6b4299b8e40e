//! A release made again from the ledger when its medium was lost: the same octets, without token
//! and PIN. Nothing is written to the ledger.

use std::collections::BTreeMap;
use std::path::Path;

use super::export::{
    Export, Hashed, as_fault, authorities, check_out, check_seal, put_last, seconds, spooled,
    transcript_until,
};
use super::{Progress, policy};
use crate::digest::Digest;
use crate::failure::Failure;
use crate::ledger::{Ledger, ReleaseRow};
use crate::media::Output;
use crate::plan::{Plan, Setup};
use crate::record::KeyRole;
use crate::release::Head;

/// Which release of a ledger is meant.
#[derive(Clone, Copy, Debug)]
pub enum Which {
    /// The last one.
    Last,
    /// The one that this ceremony made.
    Ceremony(i64),
    /// The one of this number.
    Sequence(u64),
}

/// Writes a release again.
///
/// # Errors
/// [`Failure::usage`] when there is no such release, when its ceremony is not done, or when the
/// place is taken; [`Failure::fault`] when the ledger gives other octets than were signed, or a
/// signature does not verify.
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
            "release {} belongs to ceremony {}, which was not finished; go on with `keyrite ceremony resume --ledger {}`",
            release.sequence,
            row.id,
            ledger.folder().display()
        )));
    }
    let head = check_seal(ledger, &release)?;
    let policy = policy(&Setup::read(&row.plan)?.plan()?, None)?;
    let authorities = authorities(ledger, row.id)?;
    let folder = ledger.folder().to_owned();
    let mut output = Output::open(out, seconds(&head.created)?).map_err(as_fault)?;
    for (path, octets) in &authorities.files {
        output.put(path, octets).map_err(as_fault)?;
    }
    let mut told = Progress { doing: "written", done: 0, all: Some(row.approved), refused: row.refused };
    let keys = ledger.keys()?.into_iter().filter(|key| key.role == KeyRole::Authority);
    let issuers: BTreeMap<_, _> = keys.filter_map(|key| Some((key.name, key.certificate?))).collect();
    let mut export =
        Export { ledger, policy: &policy, ceremony: row.id, issuers: Some(&issuers), processors };
    let manifest = spooled(&folder, |to| {
        export.manifest(&head, to, &mut |leaves| {
            for leaf in leaves {
                output.put(&leaf.path, leaf.pem.as_bytes()).map_err(as_fault)?;
            }
            told.done += leaves.len();
            progress(&told);
            Ok(())
        })?;
        Ok(())
    })?;
    if release.manifest != manifest.digest {
        return Err(Failure::fault(format!(
            "ledger: its rows give a manifest with SHA-256 {}, the one that was signed has {}; it was changed, and what lies in {} is not a release",
            manifest.digest,
            release.manifest,
            out.display()
        )));
    }
    output.sync().map_err(as_fault)?;
    let transcript = transcript_until(ledger, row.id, head.transcript.sha256)?;
    put_last(&mut output, &transcript, &manifest, &release.signature).map_err(as_fault)?;
    output.finish().map_err(as_fault)?;
    Ok(release)
}

/// SHA-256 of the manifest that the rows of a ceremony give under this head.
///
/// # Errors
/// [`Failure::fault`] when they give none.
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
    found.ok_or_else(|| Failure::usage(format!("{}: holds {what}{}", ledger.folder().display(), last())))
}
