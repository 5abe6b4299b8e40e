//! Consistency between the tables of a ledger.

use super::renewals::linking;
use super::{Error, Ledger};

/// Inconsistencies, each with the query that counts them.
const CHECKS: [(&str, &str); 18] = [
    (
        "missing, duplicate or invalid rows in the table ledger",
        "SELECT abs(count(*) - 1) + count(*) FILTER (WHERE rehearsal NOT IN (0, 1)) FROM ledger",
    ),
    ("ceremonies have an invalid value of done", "SELECT count(*) FROM ceremony WHERE done NOT IN (0, 1)"),
    (
        "ceremonies other than the last are unfinished",
        "SELECT count(*) FROM ceremony WHERE done = 0 AND id < (SELECT max(id) FROM ceremony)",
    ),
    (
        "transcripts are not numbered consecutively from 1",
        "SELECT count(*) FROM (SELECT 1 FROM transcript GROUP BY ceremony HAVING min(number) <> 1 OR max(number) <> count(*))",
    ),
    (
        "ceremonies start at an earlier request than the previous one",
        "SELECT count(*) FROM (SELECT first_request < lag(first_request, 1, 1) OVER (ORDER BY id) AS back FROM ceremony) WHERE back",
    ),
    (
        "requests belong to no ceremony",
        "SELECT count(*) FROM request WHERE id < (SELECT coalesce(min(first_request), 9223372036854775807) FROM ceremony)",
    ),
    (
        "certificates belong to no request",
        "SELECT count(*) FROM certificate WHERE id NOT IN (SELECT id FROM request)",
    ),
    (
        "signatures belong to no certificate",
        "SELECT count(*) FROM issued WHERE id NOT IN (SELECT id FROM certificate)",
    ),
    (
        "records belong to no ceremony",
        "SELECT count(*) FROM transcript WHERE ceremony NOT IN (SELECT id FROM ceremony)",
    ),
    (
        "releases belong to no ceremony",
        "SELECT count(*) FROM release WHERE ceremony NOT IN (SELECT id FROM ceremony)",
    ),
    (
        "keys belong to no ceremony",
        "SELECT count(*) FROM token_key WHERE ceremony NOT IN (SELECT id FROM ceremony)",
    ),
    (
        "indexes belong to no ceremony",
        "SELECT count(*) FROM bundle WHERE ceremony NOT IN (SELECT id FROM ceremony)",
    ),
    (
        "signatures belong to no index",
        "SELECT count(*) FROM bundle_signature s WHERE NOT EXISTS (SELECT 1 FROM bundle b WHERE b.ceremony = s.ceremony AND b.number = s.number)",
    ),
    (
        "requests belong to a missing bundle",
        "SELECT count(*) FROM request r WHERE bundle IS NOT NULL AND NOT EXISTS (SELECT 1 FROM bundle b WHERE b.ceremony = r.ceremony AND b.number = r.bundle)",
    ),
    (
        "approved keys are missing from the lookup table",
        "SELECT count(*) FROM request r WHERE approval IS NOT NULL AND NOT EXISTS (SELECT 1 FROM request_key k WHERE k.spki_sha256 = r.spki_sha256 AND k.request = r.id)",
    ),
    (
        "keys in the lookup table belong to no request",
        "SELECT count(*) FROM request_key k LEFT JOIN request r ON r.id = k.request WHERE r.spki_sha256 IS NOT k.spki_sha256",
    ),
    (
        "approved requests have no place",
        "SELECT count(*) FROM request r WHERE approval IS NOT NULL AND NOT EXISTS (SELECT 1 FROM place p WHERE p.path = r.path AND p.request = r.id)",
    ),
    (
        "places belong to no approved request",
        "SELECT count(*) FROM place p LEFT JOIN request r ON r.id = p.request WHERE r.path IS NOT p.path OR r.approval IS NULL",
    ),
];

impl Ledger {
    /// Returns the first kind of inconsistency found: the number of rows, and a description.
    pub fn inconsistency(&self) -> Result<Option<(u64, &'static str)>, Error> {
        for (what, sql) in CHECKS {
            let count: i64 = self.db.query_row(sql, [], |row| row.get(0))?;
            if count != 0 {
                return Ok(Some((count.unsigned_abs(), what)));
            }
        }
        let renewals = self.wrong_renewals()?;
        Ok((renewals != 0).then_some((renewals, "renewals are missing or wrong")))
    }

    /// Returns the number of renewals that are missing or do not follow from requests and earlier certificates.
    fn wrong_renewals(&self) -> Result<u64, Error> {
        let before = "(SELECT first_request FROM ceremony WHERE id = n.ceremony)";
        let sql = format!(
            "SELECT count(*), coalesce(sum(r.replaces IS l.replaces), 0), (SELECT count(*) FROM renewal) FROM ({}) l LEFT JOIN renewal r ON r.id = l.id",
            linking(before)
        );
        let (all, same, there): (i64, i64, i64) =
            self.db.query_row(&sql, [i64::MIN], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        Ok(all.abs_diff(same) + there.abs_diff(same))
    }
}
