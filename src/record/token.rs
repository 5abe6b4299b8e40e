//! What a token says of itself, of its keys, and of what else it holds.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::hex;

/// What a token says of itself (CK_TOKEN_INFO), made safe to show.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenFacts {
    /// Label.
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
    /// CKF_USER_PIN_COUNT_LOW: a wrong PIN was given since the last right one.
    pub pin_count_low: bool,
    /// CKF_USER_PIN_FINAL_TRY: one more wrong PIN locks it.
    pub pin_final_try: bool,
    /// CKF_USER_PIN_LOCKED.
    pub pin_locked: bool,
    /// CKF_PROTECTED_AUTHENTICATION_PATH: the PIN is entered at the device.
    pub pinpad: bool,
    /// The shortest PIN that it takes, in octets (ulMinPinLen).
    #[serde(skip)]
    pub shortest_pin: usize,
    /// The longest PIN that it takes, in octets (ulMaxPinLen); 0 when it does not say.
    #[serde(skip)]
    pub longest_pin: usize,
    /// Its slot (CK_SLOT_ID), as long as the module is loaded.
    #[serde(skip)]
    pub slot: Option<u64>,
}

impl TokenFacts {
    /// One line that tells this token from others.
    pub fn line(&self) -> String {
        let state = if self.initialised { "" } else { ", not initialised" };
        format!(
            "label {:?}, serial {:?}, {} {}{state}",
            self.label, self.serial, self.manufacturer, self.model
        )
    }
}

/// The boolean attributes of a private key as the token reports them, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct KeyAttributes(pub BTreeMap<String, bool>);

/// What must be so for a key to stay in its token (PKCS#11 3.0, 4.9).
const KEPT: [(&str, bool); 6] = [
    ("CKA_SENSITIVE", true),
    ("CKA_ALWAYS_SENSITIVE", true),
    ("CKA_EXTRACTABLE", false),
    ("CKA_NEVER_EXTRACTABLE", true),
    ("CKA_LOCAL", true),
    ("CKA_SIGN", true),
];

impl KeyAttributes {
    /// The first attribute that is not as it must be, and what it is.
    pub fn weak(&self) -> Option<(&'static str, String)> {
        KEPT.iter().find_map(|(name, wanted)| match self.0.get(*name) {
            Some(value) if value == wanted => None,
            Some(value) => Some((*name, format!("{value}, required is {wanted}"))),
            None => Some((*name, format!("not there, required is {wanted}"))),
        })
    }
}

/// One object on the token.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InventoryObject {
    /// Class, as "private key".
    pub class: String,
    /// CKA_LABEL.
    pub label: String,
    /// CKA_ID in hexadecimal.
    pub id: String,
}

/// What a token calls the objects of a key pair, whole or not.
const PARTS: [&str; 4] = ["private key", "public key", "unreadable object", "unknown"];

impl InventoryObject {
    /// An object whose attributes the token does not give.
    pub fn unreadable() -> Self {
        Self { class: "unreadable object".into(), label: String::new(), id: String::new() }
    }

    /// Whether it may be a part of a key pair, and has no ID; data never has one.
    pub fn is_nameless(&self) -> bool {
        self.id.is_empty() && PARTS.iter().any(|part| self.class.ends_with(part))
    }

    /// Whether it is a key of this name and CKA_ID.
    pub fn is_key(&self, name: &str, id: &[u8]) -> bool {
        let key = self.class.ends_with("private key") || self.class.ends_with("public key");
        key && hex(id) == self.id && name == self.label
    }
}

/// All objects that the user sees, sorted.
pub type Inventory = Vec<InventoryObject>;

/// When somebody looked at what lies on the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum When {
    /// In a step of its own.
    Step,
    /// Before the release, or at the end.
    After,
}

/// What lay on the token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Look {
    /// When it was looked at.
    pub when: When,
    /// Which token.
    pub token_serial: String,
    /// All objects.
    pub objects: Inventory,
    /// How many the ledger does not know.
    pub not_of_this_ledger: usize,
    /// What was not there at the last look, and nobody made.
    pub appeared: Inventory,
    /// What was there at the last look.
    pub gone: Inventory,
    /// What is there of a key that was being made when the ceremony was interrupted.
    #[serde(default)]
    pub begun: Inventory,
    /// Whether the ceremony goes on with it.
    pub accepted: bool,
}

impl Look {
    /// The objects that a later look may expect: what was accepted, without parts of unfinished keys.
    pub fn expected(&self) -> Option<Inventory> {
        let expected = self.objects.iter().filter(|object| !self.begun.contains(object));
        self.accepted.then(|| expected.cloned().collect())
    }
}
