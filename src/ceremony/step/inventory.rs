//! `inventory`: lists the objects on the token. An unexpected object stops the ceremony.

use super::Perform;
use crate::ceremony::bundles::SHOWN;
use crate::ceremony::conductor::Conductor;
use crate::failure::Failure;
use crate::ledger::StoredKey;
use crate::plan::step;
use crate::plan::step::StrangerRule;
use crate::record::{Event, Inventory, InventoryObject, KeyProved, Look, When};

impl Perform for step::Inventory {
    fn perform(&self, conductor: &mut Conductor<'_>) -> Result<(), Failure> {
        conductor.inventory(self.strangers)
    }
}

impl Conductor<'_> {
    /// Lists the objects and proves every key of the ledger that is in this token.
    fn inventory(&mut self, rule: StrangerRule) -> Result<(), Failure> {
        let keys = self.own_keys()?;
        let objects = self.session()?.inventory()?;
        let intention = self.intention()?;
        for object in objects.iter().take(SHOWN) {
            let note = match intention.as_ref().is_some_and(|one| one.is_of(object)) {
                true => "  (was being made when the ceremony was interrupted)",
                false if is_own(object, &keys) => "",
                false => "  (not of this ledger)",
            };
            self.room.show(&format!("  {:<16} {}{note}", object.class, object.label));
        }
        match objects.len() {
            0 => self.room.show("  the token holds no object that its user can see"),
            count if count > SHOWN => self.room.show(&format!("  and {} more", count - SHOWN)),
            _ => {}
        }
        self.check_objects(objects, &keys, When::Step, rule)?;
        for key in &keys {
            let Some(certificate) = &key.certificate else { continue };
            let attributes = self.session()?.prove_key(key, certificate.key())?;
            self.room.show(&format!("  proved: the token has the key of {}", key.name));
            self.record(Event::KeyProved(KeyProved { name: key.name.clone(), attributes }))?;
        }
        Ok(())
    }

    /// Checks the objects again: after a pause, before the release or at the end.
    pub(in crate::ceremony) fn inventory_after(&mut self) -> Result<(), Failure> {
        if self.open.is_none() || self.state().look.is_none() {
            return Ok(());
        }
        let keys = self.own_keys()?;
        let objects = self.session()?.inventory()?;
        self.check_objects(objects, &keys, When::After, StrangerRule::Report)
    }

    fn own_keys(&self) -> Result<Vec<StoredKey>, Failure> {
        let keys = self.ledger.keys()?;
        Ok(keys.into_iter().filter(|key| key.token_serial == self.token.serial).collect())
    }

    /// Compares the objects with the previous inventory, records the difference, and stops at unexpected
    /// ones: those that appeared during the ceremony, and those that are new to ledger and script.
    fn check_objects(
        &mut self,
        objects: Inventory,
        keys: &[StoredKey],
        when: When,
        rule: StrangerRule,
    ) -> Result<(), Failure> {
        // Objects of an interrupted key generation are handled by the step that creates the key.
        let intention = self.intention()?;
        let is_begun = |object: &&InventoryObject| intention.as_ref().is_some_and(|one| one.is_of(object));
        let others = objects.iter().filter(|object| !is_own(object, keys));
        let (begun, strangers): (Vec<&InventoryObject>, Vec<&InventoryObject>) = others.partition(is_begun);
        let before = &self.state().look;
        let appeared = before.as_ref().map_or_else(Vec::new, |before| without(&strangers, before));
        let gone = before.iter().flatten().filter(|object| !objects.contains(object)).cloned().collect();
        let unknown = match (rule, before) {
            (StrangerRule::Refuse, None) if !strangers.is_empty() => {
                without(&strangers, &self.accepted_before()?)
            }
            _ => Vec::new(),
        };
        let look = Look {
            when,
            token_serial: self.token.serial.clone(),
            not_of_this_ledger: strangers.len(),
            begun: begun.into_iter().cloned().collect(),
            accepted: appeared.is_empty() && unknown.is_empty(),
            appeared,
            gone,
            objects,
        };
        self.record(Event::Inventory(look.clone()))?;
        if !look.gone.is_empty() {
            self.room.show(&format!("  missing since the last inventory: {}", names(&look.gone)));
        }
        let serial = &self.token.serial;
        if !look.appeared.is_empty() {
            return Err(Failure::fault(format!(
                "token {serial}: new since the last inventory: {}; this ceremony did not create that; find out who did before anything more is signed [TOKEN-APPEARED]",
                names(&look.appeared)
            )));
        }
        if !unknown.is_empty() {
            return Err(Failure::fault(format!(
                "token {serial}: unknown to the ledger: {}; find out what that is, and if it belongs there, set strangers = \"report\" in the script's inventory step [TOKEN-STRANGER]",
                names(&unknown)
            )));
        }
        Ok(())
    }

    /// Returns all objects of this token that any ceremony of the ledger accepted.
    fn accepted_before(&self) -> Result<Inventory, Failure> {
        let records = self.ledger.records_of("inventory")?.into_iter();
        let looks = records.filter_map(|(_, record)| match record.event {
            Event::Inventory(look) if look.token_serial == self.token.serial => look.expected(),
            _ => None,
        });
        Ok(looks.flatten().collect())
    }
}

/// Whether this is a key object of the ledger: an object of another class with its ID is not.
fn is_own(object: &InventoryObject, keys: &[StoredKey]) -> bool {
    keys.iter().any(|key| object.is_key(&key.name, &key.key_id))
}

fn without(strangers: &[&InventoryObject], known: &[InventoryObject]) -> Inventory {
    strangers.iter().filter(|object| !known.contains(object)).copied().cloned().collect()
}

fn names(objects: &[InventoryObject]) -> String {
    let name = |object: &InventoryObject| format!("{} {:?}", object.class, object.label);
    objects.iter().map(name).collect::<Vec<_>>().join(", ")
}
