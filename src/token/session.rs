//! Logged-in sessions.

use std::cell::RefCell;
use std::collections::HashMap;

use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::UserType;
use secrecy::SecretString;

use super::{Error, HsmProfile, attributes};
use crate::digest::hex;
use crate::keys::PublicKey;
use crate::record::{Inventory, InventoryObject, KeyAttributes, TokenFacts};

/// A session with a token, with its user logged in.
#[derive(Debug)]
pub struct Session {
    session: cryptoki::session::Session,
    profile: HsmProfile,
    token: TokenFacts,
    proven: RefCell<HashMap<Vec<u8>, Proven>>,
}

/// A private key whose attributes were verified in this session and which was proved to match a
/// certificate. A handle is valid as long as its session (PKCS#11 2.40, section 2.1).
#[derive(Clone, Debug)]
pub(super) struct Proven {
    pub handle: ObjectHandle,
    pub public: PublicKey,
    pub attributes: KeyAttributes,
}

impl Session {
    pub(super) fn new(session: cryptoki::session::Session, profile: HsmProfile, token: TokenFacts) -> Self {
        Self { session, profile, token, proven: RefCell::default() }
    }

    pub fn token(&self) -> &TokenFacts {
        &self.token
    }

    /// Returns the key with this CKA_ID if it was proved in this session.
    pub(super) fn proven(&self, id: &[u8], public: &PublicKey) -> Option<Proven> {
        self.proven.borrow().get(id).filter(|proven| proven.public == *public).cloned()
    }

    pub(super) fn remember(&self, id: &[u8], proven: Proven) {
        self.proven.borrow_mut().insert(id.to_vec(), proven);
    }

    pub(super) fn raw(&self) -> &cryptoki::session::Session {
        &self.session
    }

    pub(super) fn profile(&self) -> &HsmProfile {
        &self.profile
    }

    /// Returns random octets from the token's generator.
    pub fn random(&self, length: u32) -> Result<Vec<u8>, Error> {
        let octets = self.session.generate_random_vec(length)?;
        if octets.iter().all(|octet| *octet == 0) {
            return Err(Error::Fault("C_GenerateRandom returned only zeros".into()));
        }
        Ok(octets)
    }

    /// Changes the user PIN (C_SetPIN) and logs in with the new one.
    ///
    /// # Errors
    /// [`Error::Pkcs11`] when C_SetPIN fails: the old PIN remains valid. [`Error::Fault`] when it
    /// succeeds and the login with the new PIN fails.
    pub fn change_pin(&self, old: &SecretString, new: &SecretString) -> Result<(), Error> {
        self.session.set_pin(old, new)?;
        let proved = self.session.logout().and_then(|()| self.session.login(UserType::User, Some(new)));
        proved.map_err(|e| {
            Error::Fault(format!(
                "C_SetPIN succeeded, but the login with the new PIN failed: {}",
                Error::from(e)
            ))
        })
    }

    /// Lists all objects visible to the user.
    pub fn inventory(&self) -> Result<Inventory, Error> {
        let mut objects: Inventory = self.described()?.into_iter().map(|(_, object)| object).collect();
        objects.sort();
        Ok(objects)
    }

    /// Lists all objects visible to the user, with their handles.
    pub(super) fn described(&self) -> Result<Vec<(ObjectHandle, InventoryObject)>, Error> {
        let wanted = [AttributeType::Class, AttributeType::Label, AttributeType::Id, AttributeType::KeyType];
        let describe = |handle| {
            let response = self.session.get_attributes(handle, &wanted)?;
            let each = wanted.iter().map(|kind| attributes::value(&self.session, handle, &response, *kind));
            let described: Vec<Option<Attribute>> = each.collect::<Result<_, _>>()?;
            Ok(attributes::describe(described.iter().flatten()))
        };
        let described = |handle| match describe(handle) {
            Ok(object) => Ok((handle, object)),
            Err(error) if Error::is_of_one_object(&error) => Ok((handle, InventoryObject::unreadable())),
            Err(error) => Err(error),
        };
        self.session.find_objects(&[])?.into_iter().map(described).collect()
    }

    /// Finds the only object of this class and CKA_ID.
    pub(super) fn one(&self, class: ObjectClass, id: &[u8], label: &str) -> Result<ObjectHandle, Error> {
        let found = self.find(class, id)?;
        match found.as_slice() {
            [one] => Ok(*one),
            many => Err(Error::Fault(format!(
                "token {}: {} objects with the ID {} of key {label}, expected 1; check that this is the ledger's token",
                self.token.serial,
                many.len(),
                hex(id)
            ))),
        }
    }

    pub(super) fn find(&self, class: ObjectClass, id: &[u8]) -> Result<Vec<ObjectHandle>, Error> {
        Ok(self.session.find_objects(&[Attribute::Class(class), Attribute::Id(id.to_vec())])?)
    }

    /// Reads an attribute that must exist.
    pub(super) fn attribute(&self, object: ObjectHandle, kind: AttributeType) -> Result<Attribute, Error> {
        self.session
            .get_attributes(object, &[kind])?
            .into_iter()
            .next()
            .ok_or_else(|| Error::Fault(format!("token {}: {kind:?} cannot be read", self.token.serial)))
    }
}
