//! Key events: each follows from those before it, and what an interruption left on the token was
//! kept or destroyed as people decided.

use std::collections::{BTreeMap, BTreeSet};

use crate::digest::Digest;
use crate::record::{
    Confirmed, Decision, Event, FoundKey, KeyCertificate, KeyFound, KeyGenerated, KeyIntended, KeyWithdrawn,
    Person,
};

/// Checks that these are enough people of each role.
type Enough<'e> = &'e dyn Fn(&[Person]) -> Result<(), String>;

/// Checks the key events of a transcript, record by record.
#[derive(Debug, Default)]
pub struct KeyEvents<'s> {
    /// IDs that were announced in this run and not used yet.
    intended: BTreeSet<&'s str>,
    /// Last announcement of each ID.
    announced: BTreeMap<&'s str, &'s KeyIntended>,
    /// Objects found in this run that wait for a decision.
    found: Option<Undecided<'s>>,
    /// Last pair generated for each name.
    generated: BTreeMap<&'s str, &'s KeyGenerated>,
}

#[derive(Debug)]
struct Undecided<'s> {
    key: &'s KeyFound,
    typed: Vec<(Person, Decision)>,
}

impl<'s> KeyEvents<'s> {
    /// Starts a run: decisions of an earlier run do not count in it.
    pub fn start_run(&mut self) {
        self.intended.clear();
        self.found = None;
    }

    /// Checks a key event; other events are ignored.
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

    fn intended(&mut self, key: &'s KeyIntended) {
        self.intended.insert(&key.key_id);
        self.announced.insert(&key.key_id, key);
    }

    /// A person decided about the found objects.
    pub fn decide(&mut self, asked: &FoundKey, said: &Confirmed, person: Person) -> Result<(), String> {
        let Some(Undecided { key, typed }) = &mut self.found else {
            return Err("found-key was confirmed, but no object of a key was found in this run".into());
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
            None => Err(format!("{:?} was typed for found-key, which does not accept it", said.answer)),
        }
    }

    /// A pair was generated, or a found pair was kept.
    fn generated(&mut self, key: &'s KeyGenerated, enough: Enough<'_>) -> Result<(), String> {
        let name = &key.name;
        let id = key.key_id.as_str();
        if let Some(found) = self.found.take_if(|found| found.key.key_id == id) {
            if found.key.spki_sha256 != Some(key.spki_sha256) {
                return Err(format!("the kept pair of {name} is not the one that was found"));
            }
            found.decided(Decision::Keep, enough)?;
        } else if !self.intended.remove(id) {
            return Err(format!(
                "the key of {name} was generated, but no earlier record of the run announces it"
            ));
        }
        self.generated.insert(name, key);
        Ok(())
    }

    /// The token has no object of the key any more.
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

    /// The certificate of a key must be for the generated pair, and the key be the announced one.
    fn certificate(&self, key: &KeyCertificate) -> Result<(), String> {
        let announced = self.announced.get(key.key_id.as_str()).is_some_and(|announced| {
            (&announced.name, announced.role, &announced.issuer, &announced.profile, &announced.token_serial)
                == (&key.name, key.role, &key.issuer, &key.profile, &key.token_serial)
        });
        if !announced {
            return Err(format!(
                "the key of {} was announced with another role, issuer, profile or token, or not at all",
                key.name
            ));
        }
        let same = |generated: &KeyGenerated| {
            generated.key_id == key.key_id && generated.spki_sha256 == key.spki_sha256
        };
        match self.generated.get(key.name.as_str()) {
            Some(generated) if !same(generated) => {
                let (certified, made): (Digest, Digest) = (key.spki_sha256, generated.spki_sha256);
                Err(format!(
                    "the certificate of {} is for the key with SPKI SHA-256 {certified}, the generated key has {made}",
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
