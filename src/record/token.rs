//! What a token reports about itself, its keys and its other objects.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::hex;

/// Information reported by a token (CK_TOKEN_INFO), escaped for display.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenFacts {
    /// Token label.
    pub label: String,
    /// Token serial.
    pub serial: String,
    /// Manufacturer.
    pub manufacturer: String,
    /// Model.
    pub model: String,
    /// Firmware version.
    pub firmware: String,
    /// Whether C_InitToken was called.
    pub initialised: bool,
    /// Whether a user PIN is set.
    pub user_pin_set: bool,
    /// CKF_USER_PIN_COUNT_LOW: a wrong PIN was entered since the last successful login.
    pub pin_count_low: bool,
    /// CKF_USER_PIN_FINAL_TRY: one more wrong PIN locks the token.
    pub pin_final_try: bool,
    /// CKF_USER_PIN_LOCKED.
    pub pin_locked: bool,
    /// CKF_PROTECTED_AUTHENTICATION_PATH: the PIN is entered at the device.
    pub pinpad: bool,
    /// Minimum length of a PIN, in octets (ulMinPinLen).
    #[serde(skip)]
    pub shortest_pin: usize,
    /// Maximum length of a PIN, in octets (ulMaxPinLen); 0 if not reported.
    #[serde(skip)]
    pub longest_pin: usize,
    /// The slot (CK_SLOT_ID), valid while the module is loaded.
    #[serde(skip)]
    pub slot: Option<u64>,
}

impl TokenFacts {
    /// Returns one line that identifies the token.
    pub fn line(&self) -> String {
        let state = if self.initialised { "" } else { ", not initialised" };
        format!(
            "label {:?}, serial {:?}, {} {}{state}",
            self.label, self.serial, self.manufacturer, self.model
        )
    }
}

/// Boolean attributes of a private key by name, as reported by the token.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct KeyAttributes(pub BTreeMap<String, bool>);

/// Attributes that a key must have so that it cannot leave its token (PKCS#11 3.0, 4.9).
const REQUIRED: [(&str, bool); 6] = [
    ("CKA_SENSITIVE", true),
    ("CKA_ALWAYS_SENSITIVE", true),
    ("CKA_EXTRACTABLE", false),
    ("CKA_NEVER_EXTRACTABLE", true),
    ("CKA_LOCAL", true),
    ("CKA_SIGN", true),
];

impl KeyAttributes {
    /// Returns the first attribute that does not have the required value, and both values.
    pub fn weak(&self) -> Option<(&'static str, String)> {
        REQUIRED.iter().find_map(|(name, wanted)| match self.0.get(*name) {
            Some(value) if value == wanted => None,
            Some(value) => Some((*name, format!("{value}, must be {wanted}"))),
            None => Some((*name, format!("missing, must be {wanted}"))),
        })
    }
}

/// An object on the token.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InventoryObject {
    /// Class, such as "private key".
    pub class: String,
    /// CKA_LABEL.
    pub label: String,
    /// CKA_ID in hexadecimal.
    pub id: String,
}

/// Ends of the class names of objects that may be part of a key pair, complete or not.
const PARTS: [&str; 4] = ["private key", "public key", "unreadable object", "unknown"];

impl InventoryObject {
    /// Creates an object whose attributes cannot be read.
    pub fn unreadable() -> Self {
        Self { class: "unreadable object".into(), label: String::new(), id: String::new() }
    }

    /// Whether the object may be part of a key pair but has no ID. Data objects never have one.
    pub fn is_nameless(&self) -> bool {
        self.id.is_empty() && PARTS.iter().any(|part| self.class.ends_with(part))
    }

    /// Whether the object is a key with this name and CKA_ID.
    pub fn is_key(&self, name: &str, id: &[u8]) -> bool {
        let key = self.class.ends_with("private key") || self.class.ends_with("public key");
        key && hex(id) == self.id && name == self.label
    }
}

/// All objects visible to the user, sorted.
pub type Inventory = Vec<InventoryObject>;

/// The occasion of an inventory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum When {
    /// In a step `inventory`.
    Step,
    /// Before the release, or at the end.
    After,
}

/// An inventory of the token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Look {
    /// The occasion.
    pub when: When,
    /// Serial of the token.
    pub token_serial: String,
    /// All objects on the token.
    pub objects: Inventory,
    /// Number of objects that are unknown to the ledger.
    pub not_of_this_ledger: usize,
    /// Objects that the last inventory did not have and no step created.
    pub appeared: Inventory,
    /// Objects of the last inventory that are gone.
    pub gone: Inventory,
    /// Objects of a key whose generation was interrupted.
    #[serde(default)]
    pub begun: Inventory,
    /// Whether the ceremony continues with this inventory.
    pub accepted: bool,
}

impl Look {
    /// Returns the objects that the next inventory should find: the accepted ones, without parts of unfinished
    /// keys.
    pub fn expected(&self) -> Option<Inventory> {
        let expected = self.objects.iter().filter(|object| !self.begun.contains(object));
        self.accepted.then(|| expected.cloned().collect())
    }
}
