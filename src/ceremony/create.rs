//! Creating keys: an authority's and a manifest signer's.

use std::collections::BTreeMap;

use der::DateTime;
use serde_json::json;
use x509_cert::name::Name;

use super::conductor::Conductor;
use super::{Error, Plan, Prompt, Step, wording};
use crate::digest::{Digest, hex};
use crate::issuance::{Authority, Certificate, Reserved, Serial, Signed, ToBeSigned, Validity};
use crate::keys::PublicKey;
use crate::ledger::{Advance, KeyRole, Reservation, StoredKey};
use crate::media::shown;
use crate::policy::subject_from;
use crate::token::{KeyRequest, Session};

/// What marks the subject of everything that a rehearsal makes.
pub const REHEARSAL_MARK: &str = "OU=REHEARSAL";

/// The wish of a step, for authorities and manifest keys alike.
struct Wish {
    name: String,
    role: KeyRole,
    profile: String,
    subject: Vec<String>,
    key: KeyRequest,
    days: u32,
    issuer: Option<String>,
}

impl Wish {
    fn of(step: &Step, rehearsal: bool) -> Option<Self> {
        let mut wish = match step.clone() {
            Step::CreateAuthority { name, profile, subject, key, days, issuer, .. } => {
                Self { name, role: KeyRole::Authority, profile, subject, key, days, issuer }
            }
            Step::CreateManifestKey { name, profile, subject, days, issuer, .. } => Self {
                name,
                role: KeyRole::Manifest,
                profile,
                subject,
                key: KeyRequest::EcdsaP256,
                days,
                issuer: Some(issuer),
            },
            _ => return None,
        };
        if rehearsal {
            wish.subject.insert(0, REHEARSAL_MARK.to_owned());
        }
        Some(wish)
    }

    /// The subject, as the certificate is going to name it.
    fn subject(&self) -> Result<Name, Error> {
        subject_from(&self.subject).map_err(|e| Error::Wrong(e.0))
    }

    fn issuer(&self) -> &str {
        self.issuer.as_deref().unwrap_or(&self.name)
    }

    /// The octets of the key's certificate.
    fn to_be_signed(
        &self,
        plan: &Plan,
        key: &PublicKey,
        issuer: Option<&Authority>,
        serial: Serial,
        start: DateTime,
    ) -> Result<ToBeSigned, Error> {
        let missing = || Error::Wrong(format!("certificate profile {} is missing", self.profile));
        let profile = plan.profiles().get(&self.profile).ok_or_else(missing)?;
        let subject = self.subject()?;
        let validity = Validity::days(start, self.days)?;
        Ok(ToBeSigned::for_token_key(&self.name, profile, &subject, key, issuer, serial, validity)?)
    }

    /// Whether these octets are what comes of the wish, for the key that they name.
    fn gives(&self, plan: &Plan, issuer: Option<&Authority>, octets: &[u8]) -> Result<bool, Error> {
        let Reserved { serial, start, key, .. } = Reserved::of(octets)?;
        Ok(self.to_be_signed(plan, &key, issuer, serial, start)?.octets() == octets)
    }
}

/// Whether octets are those of the certificate that the plan wants for a key in the token.
///
/// # Errors
/// [`Error`] when the plan makes no key of this name, or its certificate cannot be made.
pub fn is_key_of(
    plan: &Plan,
    rehearsal: bool,
    name: &str,
    authorities: &BTreeMap<String, Authority>,
    octets: &[u8],
) -> Result<bool, Error> {
    let mut wishes = plan.script().step.iter().filter_map(|step| Wish::of(step, rehearsal));
    let wish = wishes.find(|wish| wish.name == name);
    let wish = wish.ok_or_else(|| Error::Wrong(format!("{name}: the script makes no key of this name")))?;
    let absent = |name: &String| Error::Wrong(format!("{name}: is no authority of the ledger"));
    let issuer = wish.issuer.as_ref().map(|name| authorities.get(name).ok_or_else(|| absent(name)));
    wish.gives(plan, issuer.transpose()?, octets)
}

impl Conductor<'_> {
    pub(super) fn create(&mut self, step: &Step) -> Result<(), Error> {
        let Some(wish) = Wish::of(step, self.ledger.is_rehearsal()) else { return Ok(()) };
        let issuer = wish.issuer.as_deref().map(|name| self.authority(name)).transpose()?;
        let stored = self.ledger.key(&wish.name)?;
        if let Some(certificate) = stored.as_ref().and_then(|key| key.certificate.as_ref()) {
            // Interrupted before the transcript had it, or just after.
            return self.record_certificate(&wish, certificate);
        }
        if let Some(certificate) = self.ledger.issued_for_key(self.id, &wish.name)? {
            // Interrupted between the certificate's record and the key's.
            self.ledger.certify_key(&wish.name, &certificate)?;
            return self.record_certificate(&wish, &certificate);
        }
        self.ask(&wish)?;
        self.write_down()?;
        let (key, stored) = self.key_pair(&wish, stored)?;
        let (signer, public) = match &issuer {
            Some(issuer) => (self.stored_key(issuer.name())?, issuer.key().clone()),
            None => (stored, key.clone()),
        };
        self.write_down()?;
        // Proved before anything is reserved: a token that cannot sign leaves no reservation.
        self.session()?.authority_key(&signer, &public)?;
        let reservation = self.reservation(&wish, &key, issuer.as_ref())?;
        let certificate = self.sign(&wish, &signer, &public, reservation)?;
        self.ledger.certify_key(&wish.name, &certificate)?;
        let facts = certificate.facts();
        self.people.show(&format!(
            "  {} {}: {}, valid to {}\n  certificate SHA-256\n  {}",
            wish.role.title(),
            wish.name,
            shown(&facts.subject),
            facts.not_after,
            facts.sha256
        ));
        self.record_certificate(&wish, &certificate)
    }

    fn record_certificate(&mut self, wish: &Wish, certificate: &Certificate) -> Result<(), Error> {
        let facts = certificate.facts();
        let key = self.stored_key(&wish.name)?;
        let told = json!({
            "name": wish.name, "role": wish.role.as_str(), "subject": facts.subject, "serial": facts.serial,
            "sha256": facts.sha256, "spki_sha256": facts.spki_sha256, "not_after": facts.not_after.to_string(),
            "issuer": key.issuer, "profile": key.profile, "key_id": hex(&key.key_id),
            "token_serial": key.token_serial,
        });
        self.record("certificate", told)
    }

    fn ask(&mut self, wish: &Wish) -> Result<(), Error> {
        self.people.show(&format!(
            "  {} {}: {}, {}, certificate profile {}, {} days",
            wish.role.title(),
            wish.name,
            shown(&wish.subject()?.to_string()),
            wish.issuer.as_ref().map_or_else(|| "a root".to_owned(), |issuer| format!("under {issuer}")),
            wish.profile,
            wish.days
        ));
        self.confirm(Prompt {
            id: "create",
            question: wording::create(&wish.name),
            expected: wish.name.clone(),
        })
    }

    /// The key pair: generated, or the one that was generated just before an interruption.
    fn key_pair(&mut self, wish: &Wish, stored: Option<StoredKey>) -> Result<(PublicKey, StoredKey), Error> {
        let mut made = None;
        let stored = match stored {
            Some(stored) => {
                made = self.session()?.recover(wish.key, &wish.name, &stored.key_id)?;
                stored
            }
            None => {
                let stored = StoredKey {
                    name: wish.name.clone(),
                    role: wish.role,
                    key_id: self
                        .random_octets(self.session()?)?
                        .as_bytes()
                        .iter()
                        .take(16)
                        .copied()
                        .collect(),
                    token_serial: self.token.serial.clone(),
                    issuer: wish.issuer().to_owned(),
                    profile: wish.profile.clone(),
                    ceremony: self.id,
                    certificate: None,
                };
                self.ledger.intend_key(&stored)?;
                stored
            }
        };
        let made = match made {
            Some(pair) => Ok(pair),
            None => self.session()?.generate(wish.key, &wish.name, &stored.key_id),
        };
        let (key, attributes) = match made {
            Ok(pair) => pair,
            Err(error) => {
                // Nothing of this name is in the token now, or the message says so.
                self.ledger.forget_key(&wish.name)?;
                return Err(error.into());
            }
        };
        for (attribute, value) in &attributes.0 {
            self.people.show(&format!("    {attribute:<22} {value}"));
        }
        self.record(
            "key-generated",
            json!({ "name": wish.name, "key": key.kind().to_string(), "spki_sha256": key.digest(), "attributes": attributes }),
        )?;
        Ok((key, stored))
    }

    fn reservation(
        &mut self,
        wish: &Wish,
        key: &PublicKey,
        issuer: Option<&Authority>,
    ) -> Result<Reservation, Error> {
        let parts = |serial, start| wish.to_be_signed(&self.plan, key, issuer, serial, start);
        if let Some(pending) = self.ledger.pending_for_key(self.id, &wish.name)? {
            let start = Reserved::of(pending.octets())?.start;
            let tbs = parts(pending.serial, start)?;
            let other = || {
                Error::Fault(format!(
                    "ledger: {}: other octets are reserved than the script gives",
                    wish.name
                ))
            };
            return pending.reservation(tbs).ok_or_else(other);
        }
        let row = self.ledger.next_row()?;
        let system = (self.surroundings.random)().map_err(Error::Fault)?;
        let serial = Serial::derive(&self.session()?.random(32)?, &system, self.id, row);
        let tbs = parts(serial, self.now()?)?;
        let told = json!({ "name": wish.name, "serial": serial.hex(), "tbs_sha256": tbs.digest() });
        let before = self.transcript.clone();
        self.record("key-reserved", told)?;
        let lines = self.transcript.noted();
        let reserved = self.ledger.reserve_for_key(self.id, &wish.name, key.digest(), tbs, lines);
        self.transcript.settle(before, reserved)
    }

    fn sign(
        &mut self,
        wish: &Wish,
        signer: &StoredKey,
        public: &PublicKey,
        reservation: Reservation,
    ) -> Result<Certificate, Error> {
        let signature = self.session()?.authority_key(signer, public)?.0.sign(&reservation)?;
        let signed = Signed::assemble(reservation.tbs(), signature)?;
        let certificate = signed.certificate()?;
        if wish.role == KeyRole::Authority {
            Authority::new(&wish.name, certificate.clone())?;
        }
        self.ledger.advance(Advance { signed: vec![(reservation, signed)], ..Advance::default() })?;
        Ok(certificate)
    }

    /// A key that the ledger must know.
    pub(super) fn stored_key(&self, name: &str) -> Result<StoredKey, Error> {
        self.ledger
            .key(name)?
            .ok_or_else(|| Error::Wrong(format!("{name}: the ledger has no key of that name")))
    }

    /// An authority that the ledger must know.
    pub(super) fn authority(&self, name: &str) -> Result<Authority, Error> {
        let certificate = self
            .stored_key(name)?
            .certificate
            .ok_or_else(|| Error::Wrong(format!("{name}: its certificate was never issued")))?;
        Ok(Authority::new(name, certificate)?)
    }

    /// 32 random octets of token and system together: as good as the better of the two.
    fn random_octets(&self, session: &Session) -> Result<Digest, Error> {
        let mut both = session.random(32)?;
        both.extend((self.surroundings.random)().map_err(Error::Fault)?);
        Ok(Digest::of(&both))
    }
}
