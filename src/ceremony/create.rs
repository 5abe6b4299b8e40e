//! Creating keys: an authority's and a manifest signer's.

use crate::failure::Failure;
use std::collections::BTreeMap;

use der::DateTime;
use serde_json::json;
use x509_cert::name::Name;

use super::conductor::Conductor;
use super::{Plan, Prompt, Step, wording};
use crate::digest::{Digest, hex};
use crate::issuance::{Authority, Certificate, Reserved, Serial, Signed, ToBeSigned, Validity};
use crate::keys::PublicKey;
use crate::ledger::{KeyRole, Reservation, StoredKey};
use crate::media::shown;
use crate::policy::subject_from;
use crate::token::KeyRequest;

/// What marks the subject of everything that a rehearsal makes.
pub const REHEARSAL_MARK: &str = "OU=REHEARSAL";

/// The wish of a step, for authorities and manifest keys alike.
pub(super) struct Wish {
    pub(super) name: String,
    pub(super) role: KeyRole,
    pub(super) profile: String,
    subject: Vec<String>,
    pub(super) key: KeyRequest,
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
    fn subject(&self) -> Result<Name, Failure> {
        subject_from(&self.subject).map_err(|e| Failure::usage(e.0))
    }

    pub(super) fn issuer(&self) -> &str {
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
    ) -> Result<ToBeSigned, Failure> {
        let missing = || Failure::usage(format!("certificate profile {} is missing", self.profile));
        let profile = plan.profiles().get(&self.profile).ok_or_else(missing)?;
        let subject = self.subject()?;
        let validity = Validity::days(start, self.days)?;
        Ok(ToBeSigned::for_token_key(&self.name, profile, &subject, key, issuer, serial, validity)?)
    }

    /// Whether these octets are what comes of the wish, for the key that they name.
    fn gives(&self, plan: &Plan, issuer: Option<&Authority>, octets: &[u8]) -> Result<bool, Failure> {
        let Reserved { serial, start, key, .. } = Reserved::of(octets)?;
        Ok(self.to_be_signed(plan, &key, issuer, serial, start)?.octets() == octets)
    }
}

/// Whether octets are those of the certificate that the plan wants for a key in the token.
///
/// # Errors
/// [`Failure`] when the plan makes no key of this name, or its certificate cannot be made.
pub fn is_key_of(
    plan: &Plan,
    rehearsal: bool,
    name: &str,
    authorities: &BTreeMap<String, Authority>,
    octets: &[u8],
) -> Result<bool, Failure> {
    let mut wishes = plan.script().step.iter().filter_map(|step| Wish::of(step, rehearsal));
    let wish = wishes.find(|wish| wish.name == name);
    let wish = wish.ok_or_else(|| Failure::usage(format!("{name}: the script makes no key of this name")))?;
    let absent = |name: &String| Failure::usage(format!("{name}: is no authority of the ledger"));
    let issuer = wish.issuer.as_ref().map(|name| authorities.get(name).ok_or_else(|| absent(name)));
    wish.gives(plan, issuer.transpose()?, octets)
}

impl Conductor<'_> {
    pub(super) fn create(&mut self, step: &Step) -> Result<(), Failure> {
        let Some(wish) = Wish::of(step, self.ledger.is_rehearsal()) else { return Ok(()) };
        let issuer = wish.issuer.as_deref().map(|name| self.authority(name)).transpose()?;
        let stored = self.ledger.key(&wish.name)?;
        if let Some(certificate) = stored.as_ref().and_then(|key| key.certificate.as_ref()) {
            // Interrupted just after its record was written down.
            self.show_certificate(&wish, certificate);
            return Ok(());
        }
        let found = match stored {
            Some(stored) => self.found_pair(&wish, stored)?,
            None => None,
        };
        self.ask(&wish)?;
        let (key, stored) = match found {
            Some(pair) => pair,
            None => self.new_pair(&wish)?,
        };
        let (signer, public) = match &issuer {
            Some(issuer) => (self.stored_key(issuer.name())?, issuer.key().clone()),
            None => (stored, key.clone()),
        };
        // Proved before anything is reserved: a token that cannot sign leaves no reservation.
        self.session()?.authority_key(&signer, &public)?;
        let reservation = self.reservation(&wish, &key, issuer.as_ref())?;
        let certificate = self.sign(&wish, &signer, &public, &reservation)?;
        self.show_certificate(&wish, &certificate);
        Ok(())
    }

    fn show_certificate(&mut self, wish: &Wish, certificate: &Certificate) {
        let facts = certificate.facts();
        self.people.show(&format!(
            "  {} {}: {}, valid to {}\n  certificate SHA-256\n  {}",
            wish.role.title(),
            wish.name,
            shown(&facts.subject),
            facts.not_after,
            facts.sha256
        ));
    }

    fn ask(&mut self, wish: &Wish) -> Result<(), Failure> {
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

    fn reservation(
        &mut self,
        wish: &Wish,
        key: &PublicKey,
        issuer: Option<&Authority>,
    ) -> Result<Reservation, Failure> {
        let parts = |serial, start| wish.to_be_signed(&self.plan, key, issuer, serial, start);
        if let Some(pending) = self.ledger.pending_for_key(self.id, &wish.name, key.digest())? {
            let start = Reserved::of(pending.octets())?.start;
            let tbs = parts(pending.serial, start)?;
            let other = || {
                Failure::fault(format!(
                    "ledger: {}: other octets are reserved than the script gives",
                    wish.name
                ))
            };
            return pending.reservation(tbs).ok_or_else(other);
        }
        let row = self.ledger.next_row()?;
        let system = (self.surroundings.random)().map_err(Failure::fault)?;
        let serial = Serial::derive(&self.session()?.random(32)?, &system, self.id, row);
        let tbs = parts(serial, self.now()?)?;
        let told = json!({ "name": wish.name, "serial": serial.hex(), "tbs_sha256": tbs.digest() });
        let id = self.id;
        self.record_with("key-reserved", told, |ledger, lines| {
            ledger.reserve_for_key(id, &wish.name, key.digest(), tbs, lines)
        })
    }

    fn sign(
        &mut self,
        wish: &Wish,
        signer: &StoredKey,
        public: &PublicKey,
        reservation: &Reservation,
    ) -> Result<Certificate, Failure> {
        let signature = self.session()?.authority_key(signer, public)?.0.sign(reservation)?;
        let signed = Signed::assemble(reservation.tbs(), signature)?;
        let certificate = signed.certificate()?;
        if wish.role == KeyRole::Authority {
            Authority::new(&wish.name, certificate.clone())?;
        }
        let (facts, key) = (certificate.facts(), self.stored_key(&wish.name)?);
        let told = json!({
            "name": wish.name, "role": wish.role.as_str(), "subject": facts.subject, "serial": facts.serial,
            "sha256": facts.sha256, "spki_sha256": facts.spki_sha256, "not_after": facts.not_after.to_string(),
            "issuer": key.issuer, "profile": key.profile, "key_id": hex(&key.key_id),
            "token_serial": key.token_serial,
        });
        self.record_with("certificate", told, |ledger, lines| {
            ledger.certify_key(&wish.name, reservation, (&signed, &certificate), lines)
        })?;
        Ok(certificate)
    }

    /// A key that the ledger must know.
    pub(super) fn stored_key(&self, name: &str) -> Result<StoredKey, Failure> {
        self.ledger
            .key(name)?
            .ok_or_else(|| Failure::usage(format!("{name}: the ledger has no key of that name")))
    }

    /// An authority that the ledger must know.
    pub(super) fn authority(&self, name: &str) -> Result<Authority, Failure> {
        let certificate = self
            .stored_key(name)?
            .certificate
            .ok_or_else(|| Failure::usage(format!("{name}: its certificate was never issued")))?;
        Ok(Authority::new(name, certificate)?)
    }

    /// 32 random octets of token and system together: as good as the better of the two.
    pub(super) fn random_octets(&self) -> Result<Digest, Failure> {
        let mut both = self.session()?.random(32)?;
        both.extend((self.surroundings.random)().map_err(Failure::fault)?);
        Ok(Digest::of(&both))
    }
}
