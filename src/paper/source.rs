//! The sources of reports: ledgers, releases and transcripts.

use std::io::Read;
use std::path::Path;

use super::Report;
use super::report::Issued;
use crate::digest::Digest;
use crate::failure::Failure;
use crate::issuance::{Certificate, IssuedFacts};
use crate::ledger::{self, Ledger, Row, Rows};
use crate::media::{RelativePath, Tree, open_file};
use crate::plan::Setup;
use crate::policy::Kept;
use crate::record;
use crate::release::{self, CertificateEntry, Head, LIMITS, MANIFEST, Reader, RefusalEntry, TRANSCRIPT};

fn fault(error: impl std::fmt::Display) -> Failure {
    Failure::fault(error.to_string())
}

/// Reads the ceremony with this number, otherwise the last one, from a ledger.
pub fn from_ledger(folder: &Path, scratch: &Path, ceremony: Option<i64>) -> Result<Report, Failure> {
    let mut ledger = Ledger::read(folder, scratch)?;
    let all = ledger.ceremonies()?;
    let found = ceremony.or(all.last().copied()).filter(|number| all.contains(number));
    let id = found.ok_or_else(|| {
        Failure::usage(format!("{}: no such ceremony; the ledger has 1 to {}", folder.display(), all.len()))
    })?;
    let mut report = Report::new(format!("ceremony {id} of the ledger {}", folder.display()));
    let mut wrong = None;
    ledger.transcript::<ledger::Error>(id, &mut |line| {
        if let Err(error) = report.line(line) {
            wrong.get_or_insert(error);
        }
        Ok(())
    })?;
    if let Some(wrong) = wrong {
        return Err(Failure::fault(format!("{}: {wrong}", folder.display())));
    }
    let setup = ledger.ceremony(id)?.setup;
    // The record of an upgrade has no plan.
    if !setup.is_empty() {
        report.with_plan(Setup::read(&setup)?.plan().map_err(fault)?);
    }
    report.with_lists();
    ledger.rows::<Failure>(Rows::All, id, &mut |group| {
        group.iter().try_for_each(|row| self::row(row, &mut report))
    })?;
    Ok(report)
}

fn row(row: &Row, report: &mut Report) -> Result<(), Failure> {
    // Keys in the token are not requests; their certificates are listed with their steps.
    if row.token_key().is_some() {
        return Ok(());
    }
    let path = row.request_path()?;
    if row.refusal.is_some() {
        let (request_sha256, reasons) = (Digest::of(&row.octets), row.reasons()?);
        report.refusal(&RefusalEntry { request_path: path, request_sha256, reasons });
        return Ok(());
    }
    let (Some(reserved), Some(kept)) = (&row.reserved, &row.approval) else { return Ok(()) };
    let Some(signature) = &reserved.signature else { return Ok(()) };
    let (_, facts) = IssuedFacts::of_parts(&reserved.tbs, signature).map_err(fault)?;
    let certificate = Certificate::from_parts(&reserved.tbs, signature).map_err(fault)?;
    let kept = Kept::read(kept).map_err(fault)?;
    report.certificate(Issued {
        request_path: path,
        subject: facts.subject,
        names: kept.names(),
        profile: kept.profile,
        authority: reserved.authority.clone(),
        delegated: certificate.is_authority().map_err(fault)?,
        serial: facts.serial,
        sha256: facts.sha256,
        not_after: facts.not_after.to_string(),
    });
    Ok(())
}

pub fn from_release(path: &Path) -> Result<Report, Failure> {
    let tree = Tree::open(path, LIMITS).map_err(fault)?;
    let mut report = Report::new(format!("the release {}", path.display()));
    let member = |name: &str| {
        RelativePath::new(name).and_then(|name| tree.member(&name)).map(|(member, _)| member).map_err(fault)
    };
    lines(member(TRANSCRIPT)?, &mut report)?;
    report.with_lists();
    release::read(member(MANIFEST)?, &mut Lists(&mut report)).map_err(fault)?;
    Ok(report)
}

pub fn from_transcript(path: &Path) -> Result<Report, Failure> {
    let (file, _) = open_file(path).map_err(fault)?;
    let mut report = Report::new(format!("the transcript {}", path.display()));
    lines(file, &mut report)?;
    match report.plan_digest() {
        Some(_) => Ok(report),
        None => Err(Failure::fault(format!("{}: no record begins a ceremony", path.display()))),
    }
}

fn lines(from: impl Read, report: &mut Report) -> Result<(), Failure> {
    let mut wrong = None;
    record::lines(from, &mut |line, _| {
        if wrong.is_none() {
            wrong = report.line(line).err();
        }
    })
    .map_err(fault)?;
    wrong.map_or(Ok(()), |wrong| Err(Failure::fault(wrong)))
}

/// Adds the lists of a manifest to a report.
struct Lists<'r>(&'r mut Report);

impl Reader for Lists<'_> {
    fn head(&mut self, _: Head) -> Result<(), release::Error> {
        Ok(())
    }

    fn certificate(&mut self, entry: CertificateEntry) -> Result<(), release::Error> {
        self.0.certificate(entry.into());
        Ok(())
    }

    fn refusal(&mut self, entry: RefusalEntry) -> Result<(), release::Error> {
        self.0.refusal(&entry);
        Ok(())
    }
}
