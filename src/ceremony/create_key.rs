//! Creates a key in the token and its certificate, for authorities and manifest signers alike.

use super::conductor::Conductor;
use crate::digest::Digest;
use crate::failure::Failure;
use crate::issuance::{Authority, Certificate, Reserved, Serial, Signed};
use crate::keys::PublicKey;
use crate::ledger::{Reservation, StoredKey};
use crate::media::shown;
use crate::plan::KeySpec;
use crate::record::{Create, Event, KeyReserved, KeyRole, Prompt};
use crate::signing::{subject, to_be_signed};

impl Conductor<'_> {
    pub(super) fn create(&mut self, spec: &KeySpec) -> Result<(), Failure> {
        let issuer = spec.issuer.as_deref().map(|name| self.authority(name)).transpose()?;
        // The records say what an interrupted run made: a row alone says nothing.
        let found = match self.state().key(&spec.name).map(|key| key.certificate.is_some()) {
            Some(true) => {
                // Interrupted just after the record was written.
                let stored = self.stored_key(&spec.name)?;
                if let Some(certificate) = &stored.certificate {
                    self.show_certificate(spec, certificate);
                }
                return Ok(());
            }
            Some(false) => {
                let stored = self.stored_key(&spec.name)?;
                self.found_pair(spec, stored)?
            }
            None => None,
        };
        self.ask(spec)?;
        let (key, stored) = match found {
            Some(pair) => pair,
            None => self.new_pair(spec)?,
        };
        let (signer, public) = match &issuer {
            Some(issuer) => (self.stored_key(issuer.name())?, issuer.key().clone()),
            None => (stored, key.clone()),
        };
        // Prove the key before reserving: a token that cannot sign leaves no reservation.
        self.session()?.authority_key(&signer, &public)?;
        let reservation = self.reservation(spec, &key, issuer.as_ref())?;
        let certificate = self.sign(spec, &signer, &public, &reservation)?;
        self.show_certificate(spec, &certificate);
        Ok(())
    }

    fn show_certificate(&mut self, spec: &KeySpec, certificate: &Certificate) {
        let facts = certificate.facts();
        self.room.show(&format!(
            "  {} {}: {}, valid to {}\n  certificate SHA-256\n  {}",
            spec.role.title(),
            spec.name,
            shown(&facts.subject),
            facts.not_after,
            facts.sha256
        ));
    }

    fn ask(&mut self, spec: &KeySpec) -> Result<(), Failure> {
        self.room.show(&format!(
            "  {} {}: {}, {}, certificate profile {}, {} days",
            spec.role.title(),
            spec.name,
            shown(&subject(spec, self.ledger.is_rehearsal())?.to_string()),
            spec.issuer.as_ref().map_or_else(|| "a root".to_owned(), |issuer| format!("under {issuer}")),
            spec.profile,
            spec.days
        ));
        self.confirm(&Prompt::Create(Create { name: spec.name.clone() }))
    }

    fn reservation(
        &mut self,
        spec: &KeySpec,
        key: &PublicKey,
        issuer: Option<&Authority>,
    ) -> Result<Reservation, Failure> {
        let parts = |serial, start| {
            let plan = (&self.plan, self.ledger.is_rehearsal());
            to_be_signed(plan, spec, key, issuer, (serial, start))
        };
        if let Some(row) = self.ledger.reserved_for_key(self.id, &spec.name, key.digest())? {
            let other = || {
                Failure::fault(format!(
                    "ledger: {}: the reserved octets are not those that the script yields",
                    spec.name
                ))
            };
            let reserved = Reserved::of(&row.reserved.as_ref().ok_or_else(other)?.tbs)?;
            let tbs = parts(reserved.serial, reserved.start)?;
            return self.ledger.reservation(row.id, tbs)?.ok_or_else(other);
        }
        let row = self.ledger.next_row()?;
        let system = self.environment.random()?;
        let serial = Serial::derive(&self.session()?.random(32)?, &system, self.id, row);
        let tbs = parts(serial, self.now()?)?;
        let reserved =
            KeyReserved { name: spec.name.clone(), serial: serial.hex(), tbs_sha256: tbs.digest() };
        let id = self.id;
        self.record_with(Event::KeyReserved(reserved), |ledger, lines| {
            ledger.reserve_for_key(id, &spec.name, key.digest(), tbs, lines)
        })
    }

    fn sign(
        &mut self,
        spec: &KeySpec,
        signer: &StoredKey,
        public: &PublicKey,
        reservation: &Reservation,
    ) -> Result<Certificate, Failure> {
        let signature = self.session()?.authority_key(signer, public)?.0.sign(reservation)?;
        let signed = Signed::assemble(reservation.tbs(), signature)?;
        let certificate = signed.certificate()?;
        if spec.role == KeyRole::Authority {
            Authority::new(&spec.name, certificate.clone())?;
        }
        let certified = self.stored_key(&spec.name)?.certified(&certificate);
        self.record_with(Event::Certificate(certified), |ledger, lines| {
            ledger.certify_key(&spec.name, reservation, (&signed, &certificate), lines)
        })?;
        Ok(certificate)
    }

    /// Returns a key of the ledger, which must exist.
    pub(super) fn stored_key(&self, name: &str) -> Result<StoredKey, Failure> {
        self.ledger
            .key(name)?
            .ok_or_else(|| Failure::usage(format!("{name}: the ledger has no key of that name")))
    }

    /// Returns an authority of the ledger, which must exist.
    pub(super) fn authority(&self, name: &str) -> Result<Authority, Failure> {
        let certificate = self
            .stored_key(name)?
            .certificate
            .ok_or_else(|| Failure::usage(format!("{name}: its certificate was never issued")))?;
        Ok(Authority::new(name, certificate)?)
    }

    /// Returns 32 random octets derived from token and system: as good as the better of the two.
    pub(super) fn random_octets(&self) -> Result<Digest, Failure> {
        let mut both = self.session()?.random(32)?;
        both.extend(self.environment.random()?);
        Ok(Digest::of(&both))
    }
}
