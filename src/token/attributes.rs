//! Object attributes: templates for new keys, verification after generation, and the inventory.

use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};

use super::hsm_profile::Omittable;
use super::{Error, HsmProfile};
use crate::digest::hex;
use crate::media::shown;
use crate::record::{InventoryObject, KeyAttributes};

/// The attribute values by which a key cannot leave its token and can only sign.
const REQUIRED: [(&str, AttributeType, bool, Option<Omittable>); 13] = [
    ("CKA_TOKEN", AttributeType::Token, true, None),
    ("CKA_PRIVATE", AttributeType::Private, true, None),
    ("CKA_SENSITIVE", AttributeType::Sensitive, true, None),
    ("CKA_ALWAYS_SENSITIVE", AttributeType::AlwaysSensitive, true, None),
    ("CKA_EXTRACTABLE", AttributeType::Extractable, false, None),
    ("CKA_NEVER_EXTRACTABLE", AttributeType::NeverExtractable, true, None),
    ("CKA_LOCAL", AttributeType::Local, true, None),
    ("CKA_SIGN", AttributeType::Sign, true, None),
    ("CKA_DECRYPT", AttributeType::Decrypt, false, Some(Omittable::Decrypt)),
    ("CKA_UNWRAP", AttributeType::Unwrap, false, Some(Omittable::Unwrap)),
    ("CKA_DERIVE", AttributeType::Derive, false, Some(Omittable::Derive)),
    ("CKA_SIGN_RECOVER", AttributeType::SignRecover, false, Some(Omittable::SignRecover)),
    ("CKA_MODIFIABLE", AttributeType::Modifiable, false, Some(Omittable::Modifiable)),
];
const COPYABLE: (&str, AttributeType, bool, Option<Omittable>) =
    ("CKA_COPYABLE", AttributeType::Copyable, false, Some(Omittable::Copyable));

pub fn private_template(profile: &HsmProfile, label: &str, id: &[u8]) -> Vec<Attribute> {
    let mut template = vec![
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Sign(true),
        Attribute::Label(label.as_bytes().to_vec()),
        Attribute::Id(id.to_vec()),
    ];
    let closed = [
        (Omittable::Decrypt, Attribute::Decrypt(false)),
        (Omittable::Unwrap, Attribute::Unwrap(false)),
        (Omittable::Derive, Attribute::Derive(false)),
        (Omittable::SignRecover, Attribute::SignRecover(false)),
        (Omittable::Modifiable, Attribute::Modifiable(false)),
        (Omittable::Copyable, Attribute::Copyable(false)),
    ];
    template
        .extend(closed.into_iter().filter(|(name, _)| !profile.omits(*name)).map(|(_, attribute)| attribute));
    template
}

/// The template of a public key.
pub fn public_template(label: &str, id: &[u8], kind: Attribute) -> Vec<Attribute> {
    vec![
        Attribute::Token(true),
        Attribute::Private(false),
        Attribute::Verify(true),
        Attribute::Label(label.as_bytes().to_vec()),
        Attribute::Id(id.to_vec()),
        kind,
    ]
}

/// Reads back a private key's attributes and requires the values in [`REQUIRED`].
pub fn read_back(
    session: &cryptoki::session::Session,
    profile: &HsmProfile,
    key: ObjectHandle,
    label: &str,
) -> Result<KeyAttributes, Error> {
    let mut found = std::collections::BTreeMap::new();
    let kinds = REQUIRED.map(|(_, kind, _, _)| kind);
    let response = session.get_attributes(key, &[kinds.as_slice(), &[COPYABLE.1]].concat())?;
    for (name, kind, wanted, omittable) in REQUIRED.into_iter().chain([COPYABLE]) {
        let value = value(session, key, &response, kind)?.as_ref().and_then(boolean);
        let omitted = omittable.is_some_and(|attribute| profile.omits(attribute));
        match value {
            Some(value) if value == wanted || omitted => {
                found.insert(name.to_owned(), value);
            }
            None if omitted => {}
            other => {
                let is = other.map_or_else(|| "not reported".to_owned(), |value| value.to_string());
                return Err(Error::Fault(format!("key {label}: {name} is {is}, must be {wanted}")));
            }
        }
    }
    Ok(KeyAttributes(found))
}

/// Picks an attribute from the response to a joint query. Some tokens stop at the first attribute
/// that they do not know; those they left out are queried one by one.
pub fn value(
    session: &cryptoki::session::Session,
    object: ObjectHandle,
    response: &[Attribute],
    kind: AttributeType,
) -> Result<Option<Attribute>, Error> {
    match response.iter().find(|attribute| attribute.attribute_type() == kind) {
        Some(attribute) => Ok(Some(attribute.clone())),
        None => Ok(session.get_attributes(object, &[kind])?.into_iter().next()),
    }
}

fn boolean(attribute: &Attribute) -> Option<bool> {
    match attribute {
        Attribute::Token(value)
        | Attribute::Private(value)
        | Attribute::Sensitive(value)
        | Attribute::AlwaysSensitive(value)
        | Attribute::Extractable(value)
        | Attribute::NeverExtractable(value)
        | Attribute::Local(value)
        | Attribute::Sign(value)
        | Attribute::Decrypt(value)
        | Attribute::Unwrap(value)
        | Attribute::Derive(value)
        | Attribute::SignRecover(value)
        | Attribute::Modifiable(value)
        | Attribute::Copyable(value) => Some(*value),
        _ => None,
    }
}

/// Builds the inventory entry of an object.
pub fn describe<'a>(attributes: impl Iterator<Item = &'a Attribute>) -> InventoryObject {
    let mut object = InventoryObject { class: "unknown".into(), label: String::new(), id: String::new() };
    let mut kind = "";
    for attribute in attributes {
        match attribute {
            Attribute::Class(class) => object.class = class_name(*class).to_owned(),
            Attribute::Label(label) => object.label = shown(&String::from_utf8_lossy(label)),
            Attribute::Id(id) => object.id = hex(id),
            Attribute::KeyType(KeyType::EC) => kind = "EC ",
            Attribute::KeyType(KeyType::RSA) => kind = "RSA ",
            _ => {}
        }
    }
    object.class = format!("{kind}{}", object.class);
    object
}

fn class_name(class: ObjectClass) -> &'static str {
    match class {
        ObjectClass::PRIVATE_KEY => "private key",
        ObjectClass::PUBLIC_KEY => "public key",
        ObjectClass::SECRET_KEY => "secret key",
        ObjectClass::CERTIFICATE => "certificate",
        ObjectClass::DATA => "data",
        _ => "object",
    }
}
