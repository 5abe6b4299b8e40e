//! Keys that the token was asked for: each record of one follows from those before it, and what an
//! interruption left was kept or destroyed as people typed.

use std::collections::{BTreeMap, BTreeSet};

use super::records::{KeyCertificate, KeyFound, KeyGenerated, KeyIntended, KeyWithdrawn, Said};
use crate::ceremony::{Person, wording};
use crate::digest::Digest;

/// Whether so many people of each role are enough.
type Enough<'e> = &'e dyn Fn(&[Person]) -> Result<(), String>;

/// The keys of a transcript, record by record.
#[derive(Debug, Default)]
pub struct KeyEvents<'s> {
    /// Whether the transcript names keys before they are generated: older ones do not.
    intends: bool,
    /// IDs that were named in this run and not used yet.
    intended: BTreeSet<&'s str>,
    /// What was found in this run and waits for a decision.
    found: Option<Undecided<'s>>,
    /// The pair of each name that was generated last.
    generated: BTreeMap<&'s str, &'s KeyGenerated>,
}

#[derive(Debug)]
struct Undecided<'s> {
    key: &'s KeyFound,
    typed: Vec<(Person, &'s str)>,
}

impl<'s> KeyEvents<'s> {
    /// A run begins: nothing of an earlier one decides in it.
    pub fn run(&mut self) {
        self.intended.clear();
        self.found = None;
    }

    /// A key is about to be generated.
    pub fn intended(&mut self, key: &'s KeyIntended) {
        self.intends = true;
        self.intended.insert(&key.key_id);
    }

    /// Something of a key was found.
    pub fn found(&mut self, key: &'s KeyFound) {
        self.found = Some(Undecided { key, typed: Vec::new() });
    }

    /// Somebody typed what is to become of it.
    pub fn said(&mut self, said: &'s Said, person: Person) -> Result<(), String> {
        let Some(Undecided { key, typed }) = &mut self.found else {
            return Err("found-key was confirmed, and nothing of a key was found in this run".into());
        };
        let usable = key.reason.is_none();
        let options = wording::found_options(&key.name, usable);
        let is_option = options.iter().any(|option| said.answer.eq_ignore_ascii_case(option));
        if said.question != wording::found(&key.name, usable) || !is_option {
            return Err(format!(
                "{:?} was typed for found-key, which takes {}",
                said.answer,
                options.join(" or ")
            ));
        }
        typed.push((person, &said.answer));
        Ok(())
    }

    /// A pair was generated, or one that was found was kept.
    pub fn generated(&mut self, key: &'s KeyGenerated, enough: Enough<'_>) -> Result<(), String> {
        let name = &key.name;
        let id = key.key_id.as_deref().unwrap_or_default();
        if let Some(found) = self.found.take_if(|found| found.key.key_id == id) {
            if found.key.spki_sha256 != Some(key.spki_sha256) {
                return Err(format!("the pair of {name} that was kept is another one than was found"));
            }
            found.decided(&wording::keep(name), enough)?;
        } else if self.intends && !self.intended.remove(id) {
            return Err(format!("the key of {name} was generated, and no record of its run names it before"));
        }
        self.generated.insert(name, key);
        Ok(())
    }

    /// The token holds nothing of a key any more.
    pub fn withdrawn(&mut self, key: &'s KeyWithdrawn, enough: Enough<'_>) -> Result<(), String> {
        self.intended.remove(key.key_id.as_str());
        self.generated.remove(key.name.as_str());
        let found = self.found.take_if(|found| found.key.key_id == key.key_id);
        match found {
            _ if key.destroyed.is_empty() => Ok(()),
            Some(found) if found.key.objects == key.destroyed && found.key.name == key.name => {
                found.decided(&wording::destroy(&key.name), enough)
            }
            _ => {
                Err(format!("objects of the key {} were destroyed that were not found in that run", key.name))
            }
        }
    }

    /// The certificate of a key is for the pair that was generated.
    pub fn certificate(&self, key: &KeyCertificate) -> Result<(), String> {
        let same = |generated: &KeyGenerated| {
            let same_id = generated.key_id.as_ref().is_none_or(|id| *id == key.key_id);
            same_id && generated.spki_sha256 == key.spki_sha256
        };
        match self.generated.get(key.name.as_str()) {
            Some(generated) if !same(generated) => {
                let (certified, made): (Digest, Digest) = (key.spki_sha256, generated.spki_sha256);
                Err(format!(
                    "the certificate of {} is for the key with SPKI SHA-256 {certified}, generated was {made}",
                    key.name
                ))
            }
            _ => Ok(()),
        }
    }
}

impl Undecided<'_> {
    fn decided(self, wanted: &str, enough: Enough<'_>) -> Result<(), String> {
        let by = self.typed.into_iter().filter(|(_, answer)| answer.eq_ignore_ascii_case(wanted));
        let by: Vec<Person> = by.map(|(person, _)| person).collect();
        enough(&by).map_err(|few| format!("{wanted:?} was not confirmed: {few}"))
    }
}
