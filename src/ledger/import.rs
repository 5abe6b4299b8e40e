//! The import of a bundle: one transaction, from the first file to the plan, so that a bundle that
//! is refused as a whole leaves the ledger as it was.

use std::collections::HashMap;
use std::fs::File;
use std::path::PathBuf;
use std::thread::{Builder, JoinHandle};

use rusqlite::{Transaction, params};

use super::ceremonies::{Line, write_lines};
use super::paths::{Collisions, Outputs};
use super::{Error, Ledger, Row, Rows, conflicts, renewals, unsigned};
use crate::digest::{Digest, Hasher};
use crate::media::{RelativePath, shown};
use crate::policy::{Judgement, Objection, Policy};
use crate::record::BundleFacts;
use crate::request::{BundleFile, IndexName, Violation};

/// Maximum violations stored per request: one request may ask for ten thousand wrong names.
const REASONS: usize = 64;

/// A ceremony that is about to begin, with the requests imported so far.
#[derive(Debug)]
pub struct Import<'l> {
    transaction: Transaction<'l>,
    ceremony: i64,
    first: i64,
    next: i64,
    last_path: String,
    sorted: bool,
    /// Hashes of the requests' output paths, with a new key in each run.
    outputs: Outputs,
    listing: Hasher,
    ahead: Ahead,
}

/// Syncs imported rows in the background while the rest is judged, so that the commit of a large
/// import has little left to write. Nothing relies on it: the commit is synced like any other, and
/// fails on any error that occurs here.
#[derive(Debug)]
struct Ahead {
    /// The write-ahead log; a scratch ledger has none.
    log: Option<PathBuf>,
    /// Octets imported since the last sync.
    waiting: usize,
    thread: Option<JoinHandle<()>>,
}

/// Number of imported octets that starts a sync.
const AHEAD: usize = 2 << 20;
/// Number of requests in an import that starts a last sync before the keys are checked.
const LARGE: usize = 1000;

impl Ahead {
    fn imported(&mut self, octets: usize, transaction: &Transaction<'_>) -> Result<(), Error> {
        self.waiting += octets;
        if self.waiting < AHEAD { Ok(()) } else { self.send(transaction) }
    }

    fn send(&mut self, transaction: &Transaction<'_>) -> Result<(), Error> {
        let under_way = self.thread.as_ref().is_some_and(|thread| !thread.is_finished());
        let Some(log) = self.log.clone().filter(|_| !under_way) else { return Ok(()) };
        self.waiting = 0;
        transaction.cache_flush()?;
        // If the thread cannot be started, the commit writes everything.
        let sync = move || _ = File::open(log).and_then(|log| log.sync_data());
        self.thread = Builder::new().spawn(sync).ok();
        Ok(())
    }
}

/// A bundle's index, as stored in the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptIndex {
    /// Number of the bundle, from 0.
    pub number: usize,
    /// The cluster.
    pub cluster: Option<String>,
    /// The part of the cluster.
    pub part: Option<String>,
    /// Its sequence number.
    pub sequence: u64,
    /// Its octets.
    pub octets: Vec<u8>,
    /// Signatures over it, by the paths of their files.
    pub signatures: Vec<(RelativePath, Vec<u8>)>,
}

impl KeptIndex {
    /// Creates an index with these facts.
    pub fn new(facts: &BundleFacts, octets: Vec<u8>, signatures: Vec<(RelativePath, Vec<u8>)>) -> Self {
        let text = |name: &Option<IndexName>| name.as_ref().map(|name| name.as_str().to_owned());
        Self {
            number: facts.bundle,
            cluster: text(&facts.cluster),
            part: text(&facts.part),
            sequence: facts.sequence.number(),
            octets,
            signatures,
        }
    }
}

/// Summary of an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Imported {
    /// Number of approved requests.
    pub approved: usize,
    /// Number of refused requests.
    pub refused: usize,
    /// The bundle digest: that of the listing of all requests, in the order of their paths' octets.
    pub digest: Digest,
}

impl Ledger {
    /// Returns the ID of the next row, which a request or a key in the token will get.
    pub fn next_row(&self) -> Result<i64, Error> {
        Ok(self.db.query_row("SELECT coalesce(max(id), 0) + 1 FROM request", [], |row| row.get(0))?)
    }

    /// Returns the highest released sequence number of each cluster and part.
    pub fn sequences(&self) -> Result<HashMap<(String, String), u64>, Error> {
        // A ceremony without a release issued nothing: its bundle may be imported again.
        let mut statement = self.db.prepare(
            "SELECT b.cluster, b.part, max(b.sequence) FROM bundle b JOIN release r ON r.ceremony = b.ceremony WHERE b.cluster IS NOT NULL GROUP BY b.cluster, b.part",
        )?;
        let rows = statement.query_map([], |row| Ok(((row.get(0)?, row.get(1)?), unsigned(row, 2)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Begins the import of a new ceremony. Nothing is written until [`Import::commit`].
    pub fn import(&mut self) -> Result<Import<'_>, Error> {
        let ceremony = self.next_ceremony()?;
        let first = self.next_row()?;
        let ahead = Ahead { log: self.log(), waiting: 0, thread: None };
        Ok(Import {
            transaction: self.db.transaction()?,
            ceremony,
            first,
            next: first,
            last_path: String::new(),
            sorted: true,
            outputs: Outputs::default(),
            listing: Hasher::default(),
            ahead,
        })
    }
}

impl Import<'_> {
    /// Adds a file, with policy's judgement of it alone.
    pub fn add(&mut self, judgement: &Judgement, file: &BundleFile) -> Result<(), Error> {
        let path = judgement.path.as_str();
        self.sorted &= self.last_path.as_str() <= path;
        path.clone_into(&mut self.last_path);
        self.listing.list(path, &judgement.request);
        self.outputs.add(&judgement.path);
        let approved = judgement.outcome.as_ref().ok();
        let refusal = judgement.outcome.as_ref().err().map(|violations| reasons(violations));
        self.transaction
            .prepare_cached(
                "INSERT INTO request (id, ceremony, path, sha256, spki_sha256, spki, octets, approval, refusal, bundle) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            )?
            .execute(params![
                self.next,
                self.ceremony,
                path,
                judgement.request.as_bytes(),
                judgement.key.as_ref().map(|key| key.as_bytes().as_slice()),
                approved.map(|approval| approval.key().der()),
                file.octets,
                approved.map(|approval| approval.kept()),
                refusal,
                file.entry.as_ref().map(|_| file.bundle as i64)
            ])?;
        self.next += 1;
        self.ahead.imported(file.octets.len(), &self.transaction)
    }

    /// Adds the index of a bundle, with the signatures over it.
    pub fn bundle(&self, index: &KeptIndex) -> Result<(), Error> {
        self.transaction.execute(
            "INSERT INTO bundle (ceremony, number, cluster, part, sequence, index_sha256, octets) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                self.ceremony,
                index.number as i64,
                index.cluster,
                index.part.as_deref().unwrap_or_default(),
                index.sequence as i64,
                Digest::of(&index.octets).as_bytes(),
                index.octets
            ],
        )?;
        for (path, octets) in &index.signatures {
            self.transaction.execute(
                "INSERT INTO bundle_signature (ceremony, number, path, octets) VALUES (?1, ?2, ?3, ?4)",
                params![self.ceremony, index.number as i64, path.as_str(), octets],
            )?;
        }
        Ok(())
    }

    /// Sorts the requests by path and checks them against one another and
    /// against earlier ceremonies.
    pub fn settle(&mut self, policy: &Policy) -> Result<Imported, Error> {
        let outputs = std::mem::take(&mut self.outputs);
        let count = outputs.count();
        let collisions = outputs.collisions();
        let digest = match self.sorted && collisions.is_empty() {
            true => self.listing.clone().finish(),
            false => {
                if !self.sorted {
                    self.sort()?;
                }
                self.check_paths(policy, &collisions)?
            }
        };
        if count >= LARGE {
            self.ahead.send(&self.transaction)?;
        }
        self.check_keys(policy)?;
        let sql = "SELECT count(approval), count(refusal) FROM request WHERE id >= ?1";
        let counts = self.transaction.query_row(sql, [self.first], |row| Ok((row.get(0)?, row.get(1)?)));
        let (approved, refused): (u32, u32) = counts?;
        Ok(Imported { approved: approved as usize, refused: refused as usize, digest })
    }

    /// Sorts the rows by path: a tar lists its files in any order.
    fn sort(&mut self) -> Result<(), Error> {
        self.transaction.execute(
            "INSERT INTO request (ceremony, path, sha256, spki_sha256, spki, octets, approval, refusal, bundle) SELECT ceremony, path, sha256, spki_sha256, spki, octets, approval, refusal, bundle FROM request WHERE id >= ?1 ORDER BY path, id",
            [self.first],
        )?;
        self.transaction
            .execute("DELETE FROM request WHERE id >= ?1 AND id < ?2", [self.first, self.next])?;
        self.first = self.next;
        Ok(())
    }

    fn check_paths(&self, policy: &Policy, collisions: &Collisions) -> Result<Digest, Error> {
        let rows = (self.first, i64::MAX);
        conflicts::of_paths(&self.transaction, rows, collisions, &mut |id, path, objection| {
            self.object(policy, id, path, objection)
        })
    }

    fn check_keys(&self, policy: &Policy) -> Result<(), Error> {
        let mut insert =
            self.transaction.prepare("INSERT INTO request_key (spki_sha256, request) VALUES (?1, ?2)")?;
        let mut approved = |key: &[u8; 32], id: i64| {
            insert.execute(params![key, id])?;
            Ok(())
        };
        let rows = (self.first, i64::MAX);
        conflicts::of_keys(&self.transaction, rows, &mut approved, &mut |id, path, objection| {
            self.object(policy, id, path, objection)
        })
    }

    fn object(
        &self,
        policy: &Policy,
        id: i64,
        path: &RelativePath,
        objection: &Objection,
    ) -> Result<(), Error> {
        let Some(violation) = policy.object(path, objection) else { return Ok(()) };
        let sql = "SELECT refusal FROM request WHERE id = ?1";
        let before: Option<String> =
            self.transaction.prepare_cached(sql)?.query_row([id], |row| row.get(0))?;
        let added = reasons(&[violation]);
        let all = match before.as_deref().map(|text| text.trim_end_matches(']')) {
            Some(list) => format!("{list},{}", added.trim_start_matches('[')),
            None => added,
        };
        self.transaction
            .prepare_cached("UPDATE request SET refusal = ?2, approval = NULL, spki = NULL WHERE id = ?1")?
            .execute(params![id, all])?;
        Ok(())
    }

    /// Returns at most `limit` refusals.
    pub fn refusals(&self, limit: usize) -> Result<Vec<Row>, Error> {
        Rows::Refused.page(&self.transaction, (self.first - 1, i64::MAX), limit)
    }

    /// Commits the import with the first lines of the ceremony's transcript, which begins it.
    /// Returns the number of the ceremony.
    pub fn commit(
        self,
        setup: &str,
        cluster: Option<&str>,
        imported: Option<Imported>,
        lines: &[Line],
    ) -> Result<i64, Error> {
        let (approved, refused) = imported.map_or((0, 0), |all| (all.approved, all.refused));
        self.transaction.execute(
            "INSERT INTO ceremony (id, plan, cluster, first_request, approved, refused, done) VALUES (?1, ?2, ?6, ?3, ?4, ?5, 0)",
            params![self.ceremony, setup, self.first, approved as i64, refused as i64, cluster],
        )?;
        renewals::link(&self.transaction, self.first)?;
        write_lines(&self.transaction, lines)?;
        self.transaction.commit()?;
        Ok(self.ceremony)
    }
}

fn reasons(violations: &[Violation]) -> String {
    let kept = violations.iter().take(REASONS);
    let mut safe: Vec<Violation> = kept.map(|v| Violation::new(v.control, shown(&v.message))).collect();
    if let Some(next) = violations.get(REASONS) {
        let more = violations.len() - REASONS;
        safe.push(Violation::new(next.control, format!("and {more} more violations, which are not listed")));
    }
    // Strings always have a JSON form.
    serde_json::to_string(&safe).unwrap_or_default()
}
