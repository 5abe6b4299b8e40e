//! Conflicts of requests with other requests of their ceremony and of earlier ones.

use std::collections::HashMap;

use rusqlite::{Connection, params};

use super::paths::{Collisions, Outputs, path};
use super::{Error, Ledger};
use crate::digest::{Digest, Hasher};
use crate::media::RelativePath;
use crate::policy::{Objection, Policy};
use crate::request::Control;

/// Receives each conflict: row and path of the request, and the conflict.
type Each<'e> = dyn FnMut(i64, &RelativePath, &Objection) -> Result<(), Error> + 'e;

/// Receives each approved request: SHA-256 of its SubjectPublicKeyInfo, and its row.
type Approved<'a> = dyn FnMut(&[u8; 32], i64) -> Result<(), Error> + 'a;

/// Finds duplicate paths and colliding certificate paths among these rows, an inclusive range. Returns the digest of the listing.
pub fn of_paths(
    db: &Connection,
    rows: (i64, i64),
    collisions: &Collisions,
    each: &mut Each<'_>,
) -> Result<Digest, Error> {
    let mut hasher = Hasher::default();
    let mut before: Option<(i64, RelativePath)> = None;
    let sql = "SELECT id, path, sha256 FROM request WHERE id BETWEEN ?1 AND ?2 AND sha256 != x'' ORDER BY id";
    let mut statement = db.prepare(sql)?;
    let mut rows = statement.query(params![rows.0, rows.1])?;
    while let Some(row) = rows.next()? {
        let (id, path, digest) = (row.get(0)?, path(row.get(1)?)?, row.get::<_, [u8; 32]>(2)?);
        hasher.list(path.as_str(), &digest.into());
        if let Some(output) = collisions.of(&path) {
            match &before {
                Some((other, same)) if *same == path => {
                    each(*other, &path, &Objection::SamePath)?;
                    each(id, &path, &Objection::SamePath)?;
                }
                _ => each(id, &path, &Objection::Collision(output))?,
            }
        }
        before = Some((id, path));
    }
    Ok(hasher.finish())
}

/// Finds keys that are duplicate among these rows or were certified in earlier ones. Keys are visited in
/// order, so that the index filled by `approved` grows at its end.
pub fn of_keys(
    db: &Connection,
    (first, last): (i64, i64),
    approved: &mut Approved<'_>,
    each: &mut Each<'_>,
) -> Result<(), Error> {
    let sql = "SELECT spki_sha256, id, path, sha256, approval IS NOT NULL FROM request WHERE id BETWEEN ?1 AND ?2 AND spki_sha256 IS NOT NULL AND sha256 != x'' ORDER BY spki_sha256, id";
    let mut statement = db.prepare(sql)?;
    let mut rows = statement.query(params![first, last])?;
    let sql = "SELECT EXISTS (SELECT 1 FROM request WHERE id < ?1 AND spki_sha256 IS NOT NULL)";
    let history = db.query_row(sql, [first], |row| row.get(0))?;
    let mut same: Vec<(i64, String)> = Vec::new();
    let mut current = None;
    while let Some(row) = rows.next()? {
        let key: [u8; 32] = row.get(0)?;
        let (id, text): (i64, String) = (row.get(1)?, row.get(2)?);
        if row.get(4)? {
            approved(&key, id)?;
        }
        if history && let Some(objection) = earlier(db, first, &key, row.get(3)?)? {
            each(id, &path(text.clone())?, &objection)?;
        }
        if current != Some(key) {
            duplicates(&same, each)?;
            same.clear();
            current = Some(key);
        }
        same.push((id, text));
    }
    duplicates(&same, each)
}

fn duplicates(same: &[(i64, String)], each: &mut Each<'_>) -> Result<(), Error> {
    for (id, text) in same {
        if let Some((_, other)) = same.iter().find(|(other, _)| other != id) {
            each(*id, &path(text.clone())?, &Objection::KeyTwice(path(other.clone())?, same.len()))?;
        }
    }
    Ok(())
}

/// Returns the conflict with the use of this key in an earlier ceremony.
fn earlier(
    db: &Connection,
    first: i64,
    key: &[u8; 32],
    request: [u8; 32],
) -> Result<Option<Objection>, Error> {
    let mut statement = db.prepare_cached(
        "SELECT r.ceremony, r.path, r.sha256 FROM request_key k JOIN certificate c ON c.id = k.request JOIN request r ON r.id = k.request WHERE k.spki_sha256 = ?1 AND k.request < ?2 ORDER BY k.request DESC",
    )?;
    let mut rows = statement.query(params![key, first])?;
    let mut certified = None;
    while let Some(row) = rows.next()? {
        let place = format!("ceremony {} as {}", row.get::<_, i64>(0)?, row.get::<_, String>(1)?);
        if row.get::<_, [u8; 32]>(2)? == request {
            return Ok(Some(Objection::Answered(place)));
        }
        certified.get_or_insert(Objection::Certified(place));
    }
    Ok(certified)
}

impl Ledger {
    /// Determines again, independently of the stored decisions, which controls requests of a ceremony violate
    /// because of other requests. Returns the controls by row.
    pub fn conflicts(&self, ceremony: i64, policy: &Policy) -> Result<HashMap<i64, Vec<Control>>, Error> {
        let rows = (self.before(ceremony)? + 1, self.last_row(ceremony)?);
        let mut outputs = Outputs::default();
        let sql = "SELECT path FROM request WHERE id BETWEEN ?1 AND ?2 AND sha256 != x''";
        let mut statement = self.db.prepare(sql)?;
        let mut paths = statement.query(params![rows.0, rows.1])?;
        while let Some(row) = paths.next()? {
            outputs.add(&path(row.get(0)?)?);
        }
        let collisions = outputs.collisions();
        let mut found: HashMap<i64, Vec<Control>> = HashMap::new();
        let mut each = |id, path: &RelativePath, objection: &Objection| {
            if let Some(violation) = policy.object(path, objection) {
                found.entry(id).or_default().push(violation.control);
            }
            Ok(())
        };
        if !collisions.is_empty() {
            of_paths(&self.db, rows, &collisions, &mut each)?;
        }
        of_keys(&self.db, rows, &mut |_, _| Ok(()), &mut each)?;
        Ok(found)
    }
}
