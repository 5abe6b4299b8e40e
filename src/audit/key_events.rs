//! Keys that the token was asked for: each record of one follows from those before it, and what an
//! interruption left was kept or destroyed as people typed.

use std::collections::{BTreeMap, BTreeSet};

use crate::digest::Digest;
use crate::record::{
    Confirmed, Decision, Event, FoundKey, KeyCertificate, KeyFound, KeyGenerated, KeyIntended, KeyWithdrawn,
    Person,
};

/// Whether so many people of each role are enough.
type Enough<'e> = &'e dyn Fn(&[Person]) -> Result<(), String>;

/// The keys of a transcript, record by record.
#[derive(Debug, Default)]
pub struct KeyEvents<'s> {
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
    typed: Vec<(Person, Decision)>,
}

impl<'s> KeyEvents<'s> {
    /// A run begins: nothing of an earlier one decides in it.
    pub fn run(&mut self) {
        self.intended.clear();
        self.found = None;
    }

    /// Takes in an event of a key; others say nothing here.
    pub fn take(&mut self, event: &'s Event, enough: Enough<'_>) -> Result<(), String> {
        match event {
            Event::KeyIntended(key) => self.intended(key),
            Event::KeyFound(key) => self.found = Some(Undecided { key, typed: Vec::new() }),
            Event::KeyGenerated(key) => return self.generated(key, enough),
            Event::KeyWithdrawn(key) => return self.withdrawn(key, enough),
            Event::Certificate(key) => return self.certificate(key),
            _ => {}
        }
        Ok(())
    }

    /// A key is about to be generated.
    fn intended(&mut self, key: &'s KeyIntended) {
        self.intended.insert(&key.key_id);
    }

    /// Somebody typed what is to become of what was found.
    pub fn said(&mut self, asked: &FoundKey, said: &Confirmed, person: Person) -> Result<(), String> {
        let Some(Undecided { key, typed }) = &mut self.found else {
            return Err("found-key was confirmed, and nothing of a key was found in this run".into());
        };
        let keeps = asked.options.contains(&Decision::Keep);
        match asked
            .decision(&said.answer)
            .filter(|_| asked.name == key.name && (key.reason.is_none() || !keeps))
        {
            Some(decision) => {
                typed.push((person, decision));
                Ok(())
            }
            None => Err(format!("{:?} was typed for found-key, which does not take it", said.answer)),
        }
    }

    /// A pair was generated, or one that was found was kept.
    fn generated(&mut self, key: &'s KeyGenerated, enough: Enough<'_>) -> Result<(), String> {
        let name = &key.name;
        let id = key.key_id.as_str();
        if let Some(found) = self.found.take_if(|found| found.key.key_id == id) {
            if found.key.spki_sha256 != Some(key.spki_sha256) {
                return Err(format!("the pair of {name} that was kept is another one than was found"));
            }
            found.decided(Decision::Keep, enough)?;
        } else if !self.intended.remove(id) {
            return Err(format!("the key of {name} was generated, and no record of its run names it before"));
        }
        self.generated.insert(name, key);
        Ok(())
    }

    /// The token holds nothing of a key any more.
    fn withdrawn(&mut self, key: &'s KeyWithdrawn, enough: Enough<'_>) -> Result<(), String> {
        self.intended.remove(key.key_id.as_str());
        self.generated.remove(key.name.as_str());
        let found = self.found.take_if(|found| found.key.key_id == key.key_id);
        match found {
            _ if key.destroyed.is_empty() => Ok(()),
            Some(found) if found.key.objects == key.destroyed && found.key.name == key.name => {
                found.decided(Decision::Destroy, enough)
            }
            _ => {
                Err(format!("objects of the key {} were destroyed that were not found in that run", key.name))
            }
        }
    }

    /// The certificate of a key is for the pair that was generated.
    fn certificate(&self, key: &KeyCertificate) -> Result<(), String> {
        let same = |generated: &KeyGenerated| {
            generated.key_id == key.key_id && generated.spki_sha256 == key.spki_sha256
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
    fn decided(self, wanted: Decision, enough: Enough<'_>) -> Result<(), String> {
        let by = self.typed.into_iter().filter(|(_, decision)| *decision == wanted);
        let by: Vec<Person> = by.map(|(person, _)| person).collect();
        let typed = wanted.typed(&self.key.name);
        enough(&by).map_err(|few| format!("{typed:?} was not confirmed: {few}"))
    }
}
