//! What lies on the token: before, in between and after. What nobody expects stops the ceremony.

use crate::failure::Failure;
use serde_json::json;

use super::conductor::Conductor;
use super::import::SHOWN;
use super::script::StrangerRule;
use crate::digest::hex;
use crate::ledger::StoredKey;
use crate::release::Record;
use crate::token::{Inventory, InventoryObject};

impl Conductor<'_> {
    /// Lists the objects, and proves every key of the ledger that is in this token.
    pub(super) fn inventory(&mut self, rule: StrangerRule) -> Result<(), Failure> {
        let keys = self.own_keys()?;
        let objects = self.session()?.inventory()?;
        let intention = self.intention()?;
        for object in objects.iter().take(SHOWN) {
            let note = match intention.as_ref().is_some_and(|one| one.is_of(object)) {
                true => "  (was being made when the ceremony was interrupted)",
                false if is_own(object, &keys) => "",
                false => "  (not of this ledger)",
            };
            self.people.show(&format!("  {:<16} {}{note}", object.class, object.label));
        }
        match objects.len() {
            0 => self.people.show("  the token holds no object that its user can see"),
            count if count > SHOWN => self.people.show(&format!("  and {} more", count - SHOWN)),
            _ => {}
        }
        self.hold_against(objects, &keys, "step", rule)?;
        for key in &keys {
            let Some(certificate) = &key.certificate else { continue };
            let attributes = self.session()?.prove_key(key, certificate.key())?;
            self.people.show(&format!("  proved: the token holds the key of {}", key.name));
            self.record("key-proved", json!({ "name": key.name, "attributes": attributes }))?;
        }
        Ok(())
    }

    /// Looks at the token once more, before the release or at the end.
    pub(super) fn inventory_after(&mut self) -> Result<(), Failure> {
        if self.session.is_none() || self.seen.is_none() {
            return Ok(());
        }
        let keys = self.own_keys()?;
        let objects = self.session()?.inventory()?;
        self.hold_against(objects, &keys, "after", StrangerRule::Report)
    }

    fn own_keys(&self) -> Result<Vec<StoredKey>, Failure> {
        let keys = self.ledger.keys()?;
        Ok(keys.into_iter().filter(|key| key.token_serial == self.token.serial).collect())
    }

    /// Compares with what was there before, writes the difference down, and stops at what nobody
    /// expects: what appeared during the ceremony, and what neither ledger nor script know.
    fn hold_against(
        &mut self,
        objects: Inventory,
        keys: &[StoredKey],
        when: &str,
        rule: StrangerRule,
    ) -> Result<(), Failure> {
        // What there is of a key that the token was making is decided in the step that makes it.
        let intention = self.intention()?;
        let is_begun = |object: &&InventoryObject| intention.as_ref().is_some_and(|one| one.is_of(object));
        let others = objects.iter().filter(|object| !is_own(object, keys));
        let (begun, strangers): (Vec<&InventoryObject>, Vec<&InventoryObject>) = others.partition(is_begun);
        let before = self.noted(false)?;
        let appeared = before.as_ref().map_or_else(Vec::new, |before| without(&strangers, before));
        let gone = before.as_ref().map_or_else(Vec::new, |before| {
            before.iter().filter(|object| !objects.contains(object)).collect::<Vec<_>>()
        });
        let unknown = match (rule, &before) {
            (StrangerRule::Refuse, None) if !strangers.is_empty() => {
                without(&strangers, &self.noted(true)?.unwrap_or_default())
            }
            _ => Vec::new(),
        };
        let names = |list: &[&InventoryObject]| {
            list.iter()
                .map(|object| format!("{} {:?}", object.class, object.label))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let (appeared_text, unknown_text, gone_text) = (names(&appeared), names(&unknown), names(&gone));
        self.record(
            "inventory",
            json!({
                "when": when, "token_serial": self.token.serial, "objects": objects,
                "not_of_this_ledger": strangers.len(), "appeared": appeared, "gone": gone, "begun": begun,
                "accepted": appeared.is_empty() && unknown.is_empty(),
            }),
        )?;
        if !gone_text.is_empty() {
            self.people.show(&format!("  gone since the last look: {gone_text}"));
        }
        if !appeared_text.is_empty() {
            return Err(Failure::fault(format!(
                "token {}: since the last look there is {appeared_text}, which this ceremony did not make; find out who did, before anything more is signed [TOKEN-APPEARED]",
                self.token.serial
            )));
        }
        if !unknown_text.is_empty() {
            return Err(Failure::fault(format!(
                "token {}: there is {unknown_text}, which the ledger does not know; find out what it is, and if it may be there, say strangers = \"report\" in the script's step inventory [TOKEN-STRANGER]",
                self.token.serial
            )));
        }
        self.seen = Some(objects);
        Ok(())
    }

    /// The objects of the last accepted look in this ceremony, or all that any ceremony of the ledger
    /// accepted; None when there was none.
    fn noted(&self, everywhere: bool) -> Result<Option<Inventory>, Failure> {
        if !everywhere && (self.seen.is_some() || !self.resumed) {
            return Ok(self.seen.clone());
        }
        let mut found: Option<Inventory> = None;
        for (ceremony, line) in self.ledger.lines_of("inventory")? {
            let Some(objects) = accepted(&line, &self.token.serial) else { continue };
            match everywhere {
                true => found.get_or_insert_default().extend(objects),
                false if ceremony == self.id => found = Some(objects),
                false => {}
            }
        }
        Ok(found)
    }
}

/// A key pair of the ledger, and nothing else that has its ID.
fn is_own(object: &InventoryObject, keys: &[StoredKey]) -> bool {
    let class = object.class.ends_with("private key") || object.class.ends_with("public key");
    class && keys.iter().any(|key| hex(&key.key_id) == object.id && key.name == object.label)
}

fn without<'a>(strangers: &[&'a InventoryObject], known: &[InventoryObject]) -> Vec<&'a InventoryObject> {
    strangers.iter().filter(|object| !known.contains(object)).copied().collect()
}

/// The objects of a record, when they were accepted and lie in this token.
fn accepted(line: &str, serial: &str) -> Option<Inventory> {
    let record: Record =
        serde_json::from_str(line).ok().filter(|record: &Record| record.event == "inventory")?;
    let of_token = record.data.get("token_serial").and_then(|value| value.as_str()) == Some(serial);
    let was_accepted = record.data.get("accepted").and_then(serde_json::Value::as_bool) == Some(true);
    let objects = record.data.get("objects").filter(|_| of_token && was_accepted)?;
    let mut objects: Inventory = serde_json::from_value(objects.clone()).ok()?;
    let begun = record.data.get("begun").and_then(|begun| serde_json::from_value(begun.clone()).ok());
    let begun: Inventory = begun.unwrap_or_default();
    objects.retain(|object| !begun.contains(object));
    Some(objects)
}
