//! The key pair of a step: generated in the token, or found there after an interruption.
//!
//! The record names label and ID of a key before the token makes it. Whatever is found under these
//! later is shown, and people decide: a whole pair that proves itself is kept, anything is destroyed.

use crate::failure::Failure;
use serde::Deserialize;
use serde_json::json;

use super::conductor::Conductor;
use super::create::Wish;
use super::wording;
use crate::digest::{Digest, hex};
use crate::keys::PublicKey;
use crate::ledger::StoredKey;
use crate::media::shown;
use crate::release::Record;
use crate::token::{Inventory, InventoryObject, KeyAttributes, NotMade, Remains};

/// A key that the token was about to make: which objects on it are the key's.
pub(super) struct Intention {
    name: String,
    id: String,
    /// Whether a part of a key without an ID can be nothing but this key's: there was none before, and
    /// every object of before is still there and can be read.
    alone: bool,
}

/// What a token calls the objects of a key pair, whole or not.
const PARTS: [&str; 4] = ["private key", "public key", "unreadable object", "unknown"];

impl Intention {
    /// Whether an object is of this key: it has the key's ID, or has none and not another's label.
    pub(super) fn is_of(&self, object: &InventoryObject) -> bool {
        match object.id.as_str() {
            "" => self.alone && is_nameless(object) && ["", &self.name].contains(&object.label.as_str()),
            id => id == self.id,
        }
    }
}

/// Whether an object may be a part of a key pair, and has no ID; data never has one.
fn is_nameless(object: &InventoryObject) -> bool {
    object.id.is_empty() && PARTS.iter().any(|part| object.class.ends_with(part))
}

/// What a record `key-intended` says.
#[derive(Deserialize)]
struct Intended {
    key_id: String,
    before: Inventory,
}

/// What a record `key-generated` says of the pair.
#[derive(Deserialize)]
struct Generated {
    key_id: String,
    spki_sha256: Digest,
}

impl Conductor<'_> {
    /// A new key pair.
    pub(super) fn new_pair(&mut self, wish: &Wish) -> Result<(PublicKey, StoredKey), Failure> {
        let stored = self.intend(wish)?;
        let (key, attributes) = self.generate(wish, &stored)?;
        self.record_generated(wish, &stored, &key, &attributes)?;
        self.write_down()?;
        // A private key of another pair would be certified unnoticed.
        self.session()?.prove_key(&stored, &key)?;
        Ok((key, stored))
    }

    /// Writes down which label and ID the token is about to be asked for.
    fn intend(&mut self, wish: &Wish) -> Result<StoredKey, Failure> {
        let key_id: Vec<u8> = self.random_octets()?.as_bytes().iter().take(16).copied().collect();
        self.session()?.require_free(&wish.name, &key_id)?;
        let before = self.session()?.inventory()?;
        let stored = StoredKey {
            name: wish.name.clone(),
            role: wish.role,
            key_id,
            token_serial: self.token.serial.clone(),
            issuer: wish.issuer().to_owned(),
            profile: wish.profile.clone(),
            ceremony: self.id,
            certificate: None,
        };
        let told = json!({
            "name": stored.name, "role": stored.role.as_str(), "key": wish.key, "key_id": hex(&stored.key_id),
            "token_serial": stored.token_serial, "issuer": stored.issuer, "profile": stored.profile,
            "before": before,
        });
        self.record_with("key-intended", told, |ledger, lines| ledger.intend_key(&stored, lines))?;
        Ok(stored)
    }

    /// Generates the pair. After an error the intention stays, unless the token made nothing for sure.
    fn generate(&mut self, wish: &Wish, stored: &StoredKey) -> Result<(PublicKey, KeyAttributes), Failure> {
        let NotMade { error, may_remain } =
            match self.session()?.generate(wish.key, &wish.name, &stored.key_id) {
                Ok(pair) => return Ok(pair),
                Err(not_made) => not_made,
            };
        if !may_remain && self.remains(wish, stored).is_ok_and(|remains| remains.objects.is_empty()) {
            let noted = self.withdraw(stored, &[]);
            noted.map_err(|second| Failure::fault(format!("{error}\n{second}")))?;
            return Err(error.into());
        }
        Err(Failure::fault(format!(
            "{error}\nthe token may hold something of the key of {} all the same; `keyrite ceremony resume` looks, and asks what is to become of what it finds",
            wish.name
        )))
    }

    /// What lies on the token of a key that was to be made.
    fn remains(&self, wish: &Wish, stored: &StoredKey) -> Result<Remains, Failure> {
        let intention = self.intention()?;
        let is_of = |object: &InventoryObject| intention.as_ref().is_some_and(|one| one.is_of(object));
        Ok(self.session()?.remains(wish.key, &wish.name, &stored.key_id, &is_of)?)
    }

    /// The key of this ceremony that the token was about to make, as long as it has no certificate.
    pub(super) fn intention(&self) -> Result<Option<Intention>, Failure> {
        let mut keys = self.ledger.keys()?.into_iter();
        let Some(key) = keys.find(|key| key.ceremony == self.id && key.certificate.is_none()) else {
            return Ok(None);
        };
        let id = hex(&key.key_id);
        let read = |(_, line): (i64, String)| {
            let record: Record = serde_json::from_str(&line).ok()?;
            serde_json::from_value(record.data).ok().filter(|told: &Intended| told.key_id == id)
        };
        let mut told = self.ledger.lines_of("key-intended")?.into_iter().filter_map(read);
        let now = self.session()?.inventory()?;
        let named =
            |before: &Inventory| before.iter().all(|object| !is_nameless(object) && now.contains(object));
        // A ceremony that an older version began has no such record.
        let alone = told.next().is_some_and(|told| named(&told.before));
        Ok(Some(Intention { name: key.name, id, alone }))
    }

    /// Withdraws an intention of which the token holds nothing more.
    fn withdraw(&mut self, stored: &StoredKey, destroyed: &[InventoryObject]) -> Result<(), Failure> {
        let told = json!({ "name": stored.name, "key_id": hex(&stored.key_id), "destroyed": destroyed });
        self.record_with("key-withdrawn", told, |ledger, lines| ledger.withdraw_key(&stored.name, lines))
    }

    /// The pair that was being generated, or was generated, when the ceremony was interrupted, if it is
    /// kept; otherwise the token holds nothing more of it, and its intention is withdrawn.
    pub(super) fn found_pair(
        &mut self,
        wish: &Wish,
        stored: StoredKey,
    ) -> Result<Option<(PublicKey, StoredKey)>, Failure> {
        let session = self.session()?;
        let mut remains = self.remains(wish, &stored)?;
        let told = self.generated(&stored.key_id)?;
        let pair = remains.pair.clone().and_then(|(key, attributes)| match told {
            Some(told) if told != key.digest() => {
                Err(format!("is not the pair that was generated, which had the SPKI SHA-256 {told}"))
            }
            _ => match session.prove_key(&stored, &key) {
                Ok(_) => Ok((key, attributes)),
                Err(error) => Err(error.to_string()),
            },
        });
        match (&pair, told) {
            (Ok((key, _)), Some(_)) => return Ok(Some((key.clone(), stored))),
            (Err(_), told) if remains.objects.is_empty() => {
                if told.is_some() {
                    let name = &stored.name;
                    self.people.show(&format!(
                        "  The key of {name} that was generated is not on the token any more."
                    ));
                }
                self.withdraw(&stored, &[])?;
                return Ok(None);
            }
            _ => {}
        }
        remains.pair = pair;
        self.tell_found(&stored, &remains)?;
        if self.is_kept(&stored.name, remains.pair.is_ok())?
            && let Ok((key, attributes)) = &remains.pair
        {
            self.record_generated(wish, &stored, key, attributes)?;
            return Ok(Some((key.clone(), stored)));
        }
        self.session()?.destroy(&remains)?;
        self.withdraw(&stored, &remains.objects)?;
        self.people.show(&format!("  destroyed: {}", listed(&remains.objects)));
        Ok(None)
    }

    fn tell_found(&mut self, stored: &StoredKey, remains: &Remains) -> Result<(), Failure> {
        let (name, id) = (&stored.name, hex(&stored.key_id));
        self.people.show(&format!(
            "  The key of {name} was about to be made when the ceremony was interrupted, with the ID {id}.\n  The token holds of it: {}",
            listed(&remains.objects)
        ));
        let (spki, reason) = match &remains.pair {
            Ok((key, _)) => {
                let digest = key.digest();
                self.people.show(&format!(
                    "  It is a whole pair, {}, with the attributes that are required, and signed a challenge.\n  SPKI SHA-256\n  {digest}",
                    key.kind()
                ));
                (Some(digest), None)
            }
            Err(reason) => {
                self.people.show(&format!("  It cannot be kept: {}.", shown(reason)));
                (None, Some(reason))
            }
        };
        let told = json!({
            "name": name, "key_id": id, "objects": remains.objects, "spki_sha256": spki, "reason": reason,
        });
        self.record("key-found", told)
    }

    /// Has those who confirm decide, all the same, whether what was found is kept or destroyed.
    fn is_kept(&mut self, name: &str, usable: bool) -> Result<bool, Failure> {
        let mut options = wording::found_options(name, usable);
        let question = wording::found(name, usable);
        for person in self.confirmers()? {
            let chosen =
                self.choose_by(&person, "found-key", &question, &options, Some(wording::keep(name)))?;
            options.retain(|option| *option == chosen);
        }
        self.write_down()?;
        Ok(options.first().is_some_and(|chosen| *chosen == wording::keep(name)))
    }

    fn record_generated(
        &mut self,
        wish: &Wish,
        stored: &StoredKey,
        key: &PublicKey,
        attributes: &KeyAttributes,
    ) -> Result<(), Failure> {
        for (attribute, value) in &attributes.0 {
            self.people.show(&format!("    {attribute:<22} {value}"));
        }
        self.record(
            "key-generated",
            json!({
                "name": wish.name, "key": key.kind().to_string(), "key_id": hex(&stored.key_id),
                "spki_sha256": key.digest(), "attributes": attributes,
            }),
        )
    }

    /// The key that the transcript says was generated with this ID.
    fn generated(&self, id: &[u8]) -> Result<Option<Digest>, Failure> {
        let id = hex(id);
        let read = |(_, line): (i64, String)| {
            let record: Record = serde_json::from_str(&line).ok()?;
            serde_json::from_value(record.data).ok().filter(|told: &Generated| told.key_id == id)
        };
        let mut told = self.ledger.lines_of("key-generated")?.into_iter().filter_map(read);
        Ok(told.next().map(|told| told.spki_sha256))
    }
}

/// Objects in words.
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
