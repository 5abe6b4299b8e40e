//! Keys in tokens: authorities and manifest signers.

use rusqlite::{OptionalExtension, Row, params};

use super::ceremonies::{Line, write_lines};
use super::{Error, Ledger};
use crate::digest::hex;
use crate::issuance::Certificate;
use crate::keys::KeyRequest;
use crate::record::{Inventory, KeyCertificate, KeyIntended, KeyRole};

/// A key in the ledger.
#[derive(Clone, Debug)]
pub struct StoredKey {
    /// Name in scripts, and CKA_LABEL in the token.
    pub name: String,
    /// Purpose of the key.
    pub role: KeyRole,
    /// CKA_ID.
    pub key_id: Vec<u8>,
    /// Serial of the token with the key.
    pub token_serial: String,
    /// Name of the issuing authority; the key's own name for a root.
    pub issuer: String,
    /// Name of the certificate profile.
    pub profile: String,
    /// Number of the ceremony that created the key.
    pub ceremony: i64,
    /// The certificate, once issued.
    pub certificate: Option<Certificate>,
}

impl StoredKey {
    /// Returns the event data that announces this key; `before` has the objects on the token.
    pub fn intended(&self, key: KeyRequest, before: Inventory) -> KeyIntended {
        KeyIntended {
            name: self.name.clone(),
            role: self.role,
            key,
            key_id: hex(&self.key_id),
            token_serial: self.token_serial.clone(),
            issuer: self.issuer.clone(),
            profile: self.profile.clone(),
            before,
        }
    }

    /// Returns the event data of this key with its certificate.
    pub fn certified(&self, certificate: &Certificate) -> KeyCertificate {
        let facts = certificate.facts();
        KeyCertificate {
            name: self.name.clone(),
            role: self.role,
            subject: facts.subject,
            serial: facts.serial,
            sha256: facts.sha256,
            spki_sha256: facts.spki_sha256,
            not_after: facts.not_after.to_string(),
            issuer: self.issuer.clone(),
            profile: self.profile.clone(),
            key_id: hex(&self.key_id),
            token_serial: self.token_serial.clone(),
        }
    }
}

const COLUMNS: &str = "name, role, key_id, token_serial, issuer, profile, ceremony, certificate";

impl Ledger {
    /// Stores that a key is about to be generated, with the corresponding record, so that objects with its label
    /// and ID can be identified after an interruption.
    ///
    /// # Errors
    /// [`Error::Refused`] if the name is taken.
    pub fn intend_key(&mut self, key: &StoredKey, lines: &[Line]) -> Result<(), Error> {
        if let Some(taken) = self.key(&key.name)? {
            return Err(Error::Refused(format!(
                "{}: the ledger already has a key with this name, created by ceremony {}; names are never reused",
                key.name, taken.ceremony
            )));
        }
        let transaction = self.db.transaction()?;
        write_lines(&transaction, lines)?;
        transaction.execute(
            "INSERT INTO token_key (name, role, key_id, token_serial, issuer, profile, ceremony) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![key.name, key.role.as_str(), key.key_id, key.token_serial, key.issuer, key.profile, key.ceremony],
        )?;
        Ok(transaction.commit()?)
    }

    /// Withdraws an intended key of which the token has no objects, with the corresponding record.
    pub fn withdraw_key(&mut self, name: &str, lines: &[Line]) -> Result<(), Error> {
        let transaction = self.db.transaction()?;
        write_lines(&transaction, lines)?;
        transaction.execute("DELETE FROM token_key WHERE name = ?1 AND certificate IS NULL", [name])?;
        Ok(transaction.commit()?)
    }

    /// Returns the key with this name.
    pub fn key(&self, name: &str) -> Result<Option<StoredKey>, Error> {
        let sql = format!("SELECT {COLUMNS} FROM token_key WHERE name = ?1");
        self.db.query_row(&sql, [name], |row| Ok(read(row))).optional()?.transpose()
    }

    /// Returns all keys in order of creation.
    pub fn keys(&self) -> Result<Vec<StoredKey>, Error> {
        let sql = format!("SELECT {COLUMNS} FROM token_key ORDER BY rowid");
        let mut statement = self.db.prepare_cached(&sql)?;
        let rows = statement.query_map([], |row| Ok(read(row)))?;
        rows.map(|row| row?).collect()
    }
}

fn read(row: &Row<'_>) -> Result<StoredKey, Error> {
    let role: String = row.get(1)?;
    let der: Option<Vec<u8>> = row.get(7)?;
    let certificate = der.map(|der| Certificate::from_der(&der)).transpose();
    Ok(StoredKey {
        name: row.get(0)?,
        role: match role.as_str() {
            "authority" => KeyRole::Authority,
            "manifest" => KeyRole::Manifest,
            _ => return Err(Error::Fault(format!("a key has the unknown role {role:?}"))),
        },
        key_id: row.get(2)?,
        token_serial: row.get(3)?,
        issuer: row.get(4)?,
        profile: row.get(5)?,
        ceremony: row.get(6)?,
        certificate: certificate.map_err(|e| Error::Fault(e.to_string()))?,
    })
}
