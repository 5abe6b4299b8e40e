//! The audit: cross-checks ledgers, transcripts and releases for someone who was not in the room
//! and does not trust the program.
//!
//! Input: ledgers, transcripts and releases, each read once from front to back with the memory of
//! one record. Output: claims, each stating what was compared and the outcome.

mod answers;
mod certificates;
mod claim;
mod cross_check;
mod key_events;
#[cfg(feature = "token")]
mod ledger;
mod people;
mod reading;
mod release;
mod steps;
mod transcript;
mod witness;

use std::io::Read;
use std::path::{Path, PathBuf};

pub use claim::{Claim, Outcome, Report, Section};
pub use witness::{NAMESPACE, Signer, allowed_signers};

use cross_check::CrossCheck;

use crate::digest::Digest;
use crate::failure::Failure;
#[cfg(feature = "token")]
use crate::ledger::Ledger;
use crate::plan::Plan;
use crate::record::LEDGER_FILE;
use crate::release::{MANIFEST, SIGNATURE, TRANSCRIPT};

/// Sources to audit and what to compare them with.
#[derive(Debug, Default)]
pub struct Order {
    /// Ledgers, transcripts and releases, in any order.
    pub sources: Vec<PathBuf>,
    /// Plans known to be the approved ones.
    pub plans: Vec<Plan>,
    /// SHA-256 of the DER certificates of the roots that the auditor trusts.
    pub roots: Vec<Digest>,
    /// Witnesses' signatures, in addition to those found next to the sources.
    pub signatures: Vec<PathBuf>,
    /// Allowed signers, if the auditor knows them.
    pub signers: Option<Vec<Signer>>,
    /// Folder for the copy of an interrupted ledger.
    pub scratch: PathBuf,
    /// Number of worker threads.
    pub processors: usize,
}

/// Audits all sources.
///
/// # Errors
/// [`Failure`] when a source is of no known kind or cannot be read. A finding is not an error but a
/// claim that fails.
pub fn audit(order: &Order) -> Result<Report, Failure> {
    let mut report = Report::default();
    let mut cross_check = CrossCheck::default();
    let kinds = order.sources.iter().map(|source| Ok((kind(source)?, source)));
    let mut sources = kinds.collect::<Result<Vec<_>, Failure>>()?;
    // Ledgers first: they keep the plans of transcripts and releases.
    sources.sort_by_key(|(kind, _)| *kind);
    for (kind, source) in &sources {
        let mut section = Section::new(source.display().to_string());
        match kind {
            #[cfg(feature = "token")]
            Kind::Ledger => ledger::audit(source, order, &mut section, &mut cross_check)?,
            #[cfg(not(feature = "token"))]
            Kind::Ledger => {
                return Err(Failure::usage(format!(
                    "{}: is a ledger, which the cluster's side of keyrite cannot read; audit it on the signing machine",
                    source.display()
                )));
            }
            Kind::Release => release::audit(source, order, &mut section, &mut cross_check)?,
            Kind::Transcript => transcript::audit(source, order, &mut section, &mut cross_check)?,
        }
        report.sections.push(section);
    }
    report.sections.push(cross_check.close(order));
    let mut witnesses = Section::new("witnesses".to_owned());
    witness::audit(order, &sources, &mut witnesses)?;
    report.sections.push(witnesses);
    Ok(report)
}

/// Examines a ledger before it is used: transcripts, keys, releases and the rows of the open
/// ceremony. The rows of finished ceremonies are left to the audit.
///
/// # Errors
/// The first failed claims, one per line.
#[cfg(feature = "token")]
pub fn examine(ledger: &mut Ledger, processors: usize) -> Result<(), String> {
    const SHOWN: usize = 5;
    let order = Order { processors, ..Order::default() };
    let mut section = Section::new(String::new());
    ledger::examine(ledger, &order, &mut section).map_err(|e| e.to_string())?;
    // An unexpected object on the token is not an error of the record.
    let of_record = |claim: &&Claim| claim.outcome == Outcome::Fails && claim.id != "AUDIT-OBJECTS";
    let fails = section.claims.iter().filter(of_record);
    let fails: Vec<String> =
        fails.take(SHOWN).map(|claim| format!("{} [{}]", claim.text, claim.id)).collect();
    if fails.is_empty() { Ok(()) } else { Err(fails.join("\n")) }
}

/// Kind of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A folder with a ledger's database.
    Ledger,
    /// A folder with a file of a release, or a tar.
    Release,
    /// A file that starts like JSON.
    Transcript,
}

/// Returns the kind of a source, judged by its form and its first octets: a truncated or modified
/// source keeps its kind.
///
/// # Errors
/// [`Failure`] when it is none of the three or does not exist.
pub fn kind(source: &Path) -> Result<Kind, Failure> {
    let fault = |e: std::io::Error| Failure::fault(format!("{}: {e}", source.display()));
    let wrong = |what: &str| {
        let name = source.display();
        Err(Failure::usage(format!("{name}: {what}; name ledgers, transcripts and releases")))
    };
    let status = std::fs::metadata(source).map_err(fault)?;
    if status.is_dir() {
        let of_release = [MANIFEST, SIGNATURE, TRANSCRIPT];
        return match of_release.iter().any(|name| source.join(name).exists()) {
            _ if source.join(LEDGER_FILE).exists() => Ok(Kind::Ledger),
            true => Ok(Kind::Release),
            false => wrong("a folder with neither a ledger nor a release"),
        };
    }
    if !status.is_file() {
        return wrong("neither a folder nor a file");
    }
    let mut begin = Vec::new();
    std::fs::File::open(source).and_then(|file| file.take(512).read_to_end(&mut begin)).map_err(fault)?;
    // Magic of a tar header (POSIX ustar); first character of a JSON object.
    let tar = begin.get(257..262) == Some(b"ustar".as_slice());
    match begin.first() {
        None => wrong("empty"),
        _ if tar => Ok(Kind::Release),
        Some(b'{') => Ok(Kind::Transcript),
        Some(_) => wrong("neither a transcript (JSON Lines) nor a tar of a release"),
    }
}
