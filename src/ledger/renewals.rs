//! Expiry and renewal of certificates.
//!
//! A renewal is a certificate for the same cluster, path, authority and subject as an earlier one, with the
//! same key or a new one.

use der::{DateTime, Decode};
use rusqlite::{Connection, Row, params};
use x509_cert::name::Name;

use super::{Error, Ledger, unsigned};
use crate::digest::{hex, unhex};
use crate::policy::subject_text;

/// Returns the query for renewing requests, each with the last certificate issued for the same place before
/// the row `before`: an SQL expression, which may refer to the request `n`. `?1` is the first row of requests.
pub fn linking(before: &str) -> String {
    format!(
        "SELECT n.id AS id, max(o.id) AS replaces
         FROM request n
         JOIN place p ON p.path = n.path AND p.request < {before}
         JOIN issued i ON i.id = p.request
         JOIN request o ON o.id = p.request
         WHERE n.id >= ?1 AND n.approval IS NOT NULL
           AND o.approval ->> 'authority' = n.approval ->> 'authority'
           AND o.approval ->> 'subject' = n.approval ->> 'subject'
           AND (SELECT coalesce(b.cluster, c.cluster) FROM ceremony c LEFT JOIN bundle b ON b.ceremony = c.id AND b.number = o.bundle WHERE c.id = o.ceremony)
            IS (SELECT coalesce(b.cluster, c.cluster) FROM ceremony c LEFT JOIN bundle b ON b.ceremony = c.id AND b.number = n.bundle WHERE c.id = n.ceremony)
         GROUP BY n.id"
    )
}

/// Stores the places of a ceremony's approved requests, and links each to the last certificate that was issued
/// for the same place. Requests are in order of their paths, so that the table grows at its end.
pub fn link(db: &Connection, first: i64) -> Result<(), Error> {
    let history: bool = db.query_row("SELECT EXISTS (SELECT 1 FROM place)", [], |row| row.get(0))?;
    if history {
        db.execute(&format!("INSERT INTO renewal (id, replaces) {}", linking("?1")), [first])?;
    }
    db.execute(
        "INSERT INTO place (path, request) SELECT path, id FROM request WHERE id >= ?1 AND approval IS NOT NULL ORDER BY id",
        [first],
    )?;
    Ok(())
}

/// The expiry of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// Cluster of the certificate.
    pub cluster: Option<String>,
    /// notAfter.
    pub end: DateTime,
    /// Path of the request; none for a key in the token.
    pub path: Option<String>,
    /// Name of the key in the token, if it is an authority's or a manifest signer's.
    pub key: Option<String>,
    /// Name of the issuing authority.
    pub authority: String,
    /// Serial number in hexadecimal.
    pub serial: String,
    /// Subject (RFC 4514).
    pub subject: String,
    /// Number of the ceremony that issued the certificate.
    pub ceremony: i64,
    /// Number of the ceremony that issued the replaced certificate.
    pub replaces: Option<i64>,
    /// Number of the ceremony that issued the replacement.
    pub replaced_by: Option<i64>,
}

const ENDINGS: &str = "
SELECT coalesce(b.cluster, m.cluster) AS cluster, c.not_after, r.path, c.authority, c.serial,
       r.approval ->> 'subject', r.ceremony,
       (SELECT o.ceremony FROM renewal n JOIN request o ON o.id = n.replaces WHERE n.id = c.id),
       (SELECT max(o.ceremony) FROM renewal n JOIN issued j ON j.id = n.id JOIN request o ON o.id = n.id WHERE n.replaces = c.id)
FROM issued i
JOIN certificate c ON c.id = i.id
JOIN request r ON r.id = i.id
JOIN ceremony m ON m.id = r.ceremony
LEFT JOIN bundle b ON b.ceremony = r.ceremony AND b.number = r.bundle
WHERE r.approval IS NOT NULL AND c.not_after <= ?1
ORDER BY cluster, c.not_after, r.path, c.id";

impl Ledger {
    /// Passes every certificate that expires by `until` to `each`, ordered by cluster and expiry; those without a
    /// cluster come first. Uses constant memory.
    pub fn endings<E: From<Error>>(
        &self,
        until: DateTime,
        each: &mut dyn FnMut(Ending) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut keys = self.key_endings(until)?.into_iter().peekable();
        let mut statement = self.db.prepare(ENDINGS).map_err(Error::from)?;
        let until = i64::try_from(until.unix_duration().as_secs()).unwrap_or(i64::MAX);
        let mut rows = statement.query(params![until]).map_err(Error::from)?;
        while let Some(row) = rows.next().map_err(Error::from)? {
            let ending = read(row)?;
            let before = |key: &Ending| (&key.cluster, key.end) <= (&ending.cluster, ending.end);
            while let Some(key) = keys.next_if(before) {
                each(key)?;
            }
            each(ending)?;
        }
        keys.try_for_each(each)
    }

    /// Returns the expiring certificates of keys in the token, which are few.
    fn key_endings(&self, until: DateTime) -> Result<Vec<Ending>, Error> {
        let mut endings = Vec::new();
        for key in self.keys()? {
            let Some(certificate) = key.certificate else { continue };
            let end = certificate.validity().not_after;
            if end > until {
                continue;
            }
            let cluster = "SELECT cluster FROM ceremony WHERE id = ?1";
            let facts = certificate.facts();
            endings.push(Ending {
                cluster: self.db.query_row(cluster, [key.ceremony], |row| row.get(0))?,
                end,
                path: None,
                key: Some(key.name),
                authority: key.issuer,
                serial: facts.serial,
                subject: facts.subject,
                ceremony: key.ceremony,
                replaces: None,
                replaced_by: None,
            });
        }
        endings.sort_by(|a, b| (&a.cluster, a.end, &a.key).cmp(&(&b.cluster, b.end, &b.key)));
        Ok(endings)
    }
}

fn read(row: &Row<'_>) -> Result<Ending, Error> {
    let end = DateTime::from_unix_duration(std::time::Duration::from_secs(unsigned(row, 1)?));
    let serial: [u8; 20] = row.get(4)?;
    let subject: String = row.get(5)?;
    let subject =
        Name::from_der(&unhex(&subject).unwrap_or_default()).map_err(|e| Error::Fault(e.to_string()))?;
    Ok(Ending {
        cluster: row.get(0)?,
        end: end.map_err(|e| Error::Fault(e.to_string()))?,
        path: Some(row.get(2)?),
        key: None,
        authority: row.get(3)?,
        serial: hex(&serial),
        subject: subject_text(&subject),
        ceremony: row.get(6)?,
        replaces: row.get(7)?,
        replaced_by: row.get(8)?,
    })
}
