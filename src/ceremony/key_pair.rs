//! The key pair of a step: generated in the token, or found there after an interruption.
//!
//! Label and ID of a key are recorded before the token makes it. Objects found under them later are
//! shown, and people decide: a complete pair that can be proved may be kept, anything may be destroyed.

use super::conductor::Conductor;
use crate::digest::{Digest, hex};
use crate::failure::Failure;
use crate::keys::PublicKey;
use crate::ledger::StoredKey;
use crate::media::shown;
use crate::plan::KeySpec;
use crate::record::{
    Decision, Event, FoundKey, InventoryObject, KeyAttributes, KeyFound, KeyGenerated, KeyWithdrawn, Prompt,
};
use crate::token::{NotMade, Remains};

/// A key that the token was asked to make: identifies the objects that belong to it.
pub(super) struct Intention {
    name: String,
    id: String,
    /// Whether an object without an ID can only belong to this key: there was none before, and every
    /// earlier object still exists and can be identified.
    alone: bool,
}

impl Intention {
    /// Whether an object belongs to this key: it has the key's ID, or no ID and no other label.
    pub(super) fn is_of(&self, object: &InventoryObject) -> bool {
        match object.id.as_str() {
            "" => self.alone && object.is_nameless() && ["", &self.name].contains(&object.label.as_str()),
            id => id == self.id,
        }
    }
}

impl Conductor<'_> {
    /// Generates a key pair and proves it.
    pub(super) fn new_pair(&mut self, spec: &KeySpec) -> Result<(PublicKey, StoredKey), Failure> {
        let stored = self.intend(spec)?;
        let (key, attributes) = self.generate(spec, &stored)?;
        self.record_generated(spec, &stored, &key, &attributes)?;
        self.write_down()?;
        // Otherwise a mismatched private key would go unnoticed.
        self.session()?.prove_key(&stored, &key)?;
        Ok((key, stored))
    }

    /// Records the label and ID that the token will be asked for.
    fn intend(&mut self, spec: &KeySpec) -> Result<StoredKey, Failure> {
        let key_id: Vec<u8> = self.random_octets()?.as_bytes().iter().take(16).copied().collect();
        self.session()?.require_free(&spec.name, &key_id)?;
        let before = self.session()?.inventory()?;
        let stored = StoredKey {
            name: spec.name.clone(),
            role: spec.role,
            key_id,
            token_serial: self.token.serial.clone(),
            issuer: spec.issuer().to_owned(),
            profile: spec.profile.clone(),
            ceremony: self.id,
            certificate: None,
        };
        let intended = stored.intended(spec.key, before);
        self.record_with(Event::KeyIntended(intended), |ledger, lines| ledger.intend_key(&stored, lines))?;
        Ok(stored)
    }

    /// Generates the pair. After an error the intention is kept, unless the token certainly made nothing.
    fn generate(
        &mut self,
        spec: &KeySpec,
        stored: &StoredKey,
    ) -> Result<(PublicKey, KeyAttributes), Failure> {
        let NotMade { error, may_remain } =
            match self.session()?.generate(spec.key, &spec.name, &stored.key_id) {
                Ok(pair) => return Ok(pair),
                Err(not_made) => not_made,
            };
        if !may_remain && self.remains(spec, stored).is_ok_and(|remains| remains.objects.is_empty()) {
            let noted = self.withdraw(stored, &[]);
            noted.map_err(|second| Failure::fault(format!("{error}\n{second}")))?;
            return Err(error.into());
        }
        Err(Failure::fault(format!(
            "{error}\nthe token may still have objects of the key of {}; `keyrite ceremony resume` looks for them and asks whether to keep or destroy them",
            spec.name
        )))
    }

    /// Returns what the token has of a key that it was asked to make.
    fn remains(&self, spec: &KeySpec, stored: &StoredKey) -> Result<Remains, Failure> {
        let intention = self.intention()?;
        let is_of = |object: &InventoryObject| intention.as_ref().is_some_and(|one| one.is_of(object));
        Ok(self.session()?.remains(spec.key, &spec.name, &stored.key_id, &is_of)?)
    }

    /// Returns the key of this ceremony that the token was asked to make and that has no certificate yet.
    pub(super) fn intention(&self) -> Result<Option<Intention>, Failure> {
        let Some(key) = self.state().unfinished_key() else { return Ok(None) };
        let now = self.session()?.inventory()?;
        let is_named = |object: &InventoryObject| !object.is_nameless() && now.contains(object);
        let alone = key.intended.as_ref().is_some_and(|intended| intended.before.iter().all(is_named));
        Ok(Some(Intention { name: key.name.clone(), id: key.id.clone(), alone }))
    }

    /// Withdraws an intention of which the token has no object any more.
    fn withdraw(&mut self, stored: &StoredKey, destroyed: &[InventoryObject]) -> Result<(), Failure> {
        let withdrawn = KeyWithdrawn {
            name: stored.name.clone(),
            key_id: hex(&stored.key_id),
            destroyed: destroyed.to_vec(),
        };
        self.record_with(Event::KeyWithdrawn(withdrawn), |ledger, lines| {
            ledger.withdraw_key(&stored.name, lines)
        })
    }

    /// Returns the pair that was being generated, or had been generated, at the interruption, if it is kept;
    /// otherwise removes its objects from the token and withdraws the intention.
    pub(super) fn found_pair(
        &mut self,
        spec: &KeySpec,
        stored: StoredKey,
    ) -> Result<Option<(PublicKey, StoredKey)>, Failure> {
        let session = self.session()?;
        let mut remains = self.remains(spec, &stored)?;
        let recorded = self.generated(&stored.key_id);
        let pair = remains.pair.clone().and_then(|(key, attributes)| match recorded {
            Some(recorded) if recorded != key.digest() => {
                Err(format!("is not the generated pair, which had the SPKI SHA-256 {recorded}"))
            }
            _ => match session.prove_key(&stored, &key) {
                Ok(_) => Ok((key, attributes)),
                Err(error) => Err(error.to_string()),
            },
        });
        match (&pair, recorded) {
            (Ok((key, _)), Some(_)) => return Ok(Some((key.clone(), stored))),
            (Err(_), recorded) if remains.objects.is_empty() => {
                if recorded.is_some() {
                    let name = &stored.name;
                    self.room.show(&format!("  The generated key of {name} is no longer on the token."));
                }
                self.withdraw(&stored, &[])?;
                return Ok(None);
            }
            _ => {}
        }
        remains.pair = pair;
        self.show_found(&stored, &remains)?;
        if self.is_kept(&stored.name, remains.pair.is_ok())?
            && let Ok((key, attributes)) = &remains.pair
        {
            self.record_generated(spec, &stored, key, attributes)?;
            return Ok(Some((key.clone(), stored)));
        }
        self.session()?.destroy(&remains)?;
        self.withdraw(&stored, &remains.objects)?;
        self.room.show(&format!("  destroyed: {}", listed(&remains.objects)));
        Ok(None)
    }

    fn show_found(&mut self, stored: &StoredKey, remains: &Remains) -> Result<(), Failure> {
        let (name, id) = (&stored.name, hex(&stored.key_id));
        self.room.show(&format!(
            "  The ceremony was interrupted while the key of {name} was being made, with the ID {id}.\n  Its objects on the token: {}",
            listed(&remains.objects)
        ));
        let (spki, reason) = match &remains.pair {
            Ok((key, _)) => {
                let digest = key.digest();
                self.room.show(&format!(
                    "  It is a complete pair, {}, with the required attributes, and signed a challenge.\n  SPKI SHA-256\n  {digest}",
                    key.kind()
                ));
                (Some(digest), None)
            }
            Err(reason) => {
                self.room.show(&format!("  It cannot be kept: {}.", shown(reason)));
                (None, Some(reason))
            }
        };
        let reason = reason.cloned();
        let objects = remains.objects.clone();
        self.record(Event::KeyFound(KeyFound {
            name: name.clone(),
            key_id: id,
            objects,
            spki_sha256: spki,
            reason,
        }))
    }

    /// Has the confirmers decide, unanimously, whether the found objects are kept or destroyed.
    fn is_kept(&mut self, name: &str, usable: bool) -> Result<bool, Failure> {
        let keep = usable.then_some(Decision::Keep);
        let options = keep.into_iter().chain([Decision::Destroy]).collect();
        let mut found = FoundKey { name: name.to_owned(), options };
        for person in self.confirmers()? {
            let typed = self.confirm_by(&person, &Prompt::FoundKey(found.clone()), None)?;
            found.options = found.decision(&typed).into_iter().collect();
        }
        self.write_down()?;
        Ok(found.options == [Decision::Keep])
    }

    fn record_generated(
        &mut self,
        spec: &KeySpec,
        stored: &StoredKey,
        key: &PublicKey,
        attributes: &KeyAttributes,
    ) -> Result<(), Failure> {
        for (attribute, value) in &attributes.0 {
            self.room.show(&format!("    {attribute:<22} {value}"));
        }
        self.record(Event::KeyGenerated(KeyGenerated {
            name: spec.name.clone(),
            key: key.kind().to_string(),
            key_id: hex(&stored.key_id),
            spki_sha256: key.digest(),
            attributes: attributes.clone(),
        }))
    }

    /// Returns the SPKI SHA-256 of the key that the transcript says was generated with this ID.
    fn generated(&self, id: &[u8]) -> Option<Digest> {
        let id = hex(id);
        self.state().keys.iter().find(|key| key.id == id).and_then(|key| key.generated)
    }
}

fn listed(objects: &[InventoryObject]) -> String {
    let id = |object: &InventoryObject| match object.id.as_str() {
        "" => "no ID".to_owned(),
        id => format!("ID {id}"),
    };
    let one = |object: &InventoryObject| format!("{} {:?} ({})", object.class, object.label, id(object));
    match objects {
        [] => "nothing".to_owned(),
        objects => objects.iter().map(one).collect::<Vec<_>>().join(", "),
    }
}
