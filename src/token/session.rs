//! A session at one token, with its user logged in.

use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};

use super::attributes::{self, Inventory};
use super::{Error, HsmProfile, TokenFacts};
use crate::digest::hex;

/// A session at one token, with its user logged in.
#[derive(Debug)]
pub struct Session {
    session: cryptoki::session::Session,
    profile: HsmProfile,
    token: TokenFacts,
}

impl Session {
    pub(super) fn new(session: cryptoki::session::Session, profile: HsmProfile, token: TokenFacts) -> Self {
        Self { session, profile, token }
    }

    /// The token.
    pub fn token(&self) -> &TokenFacts {
        &self.token
    }

    pub(super) fn raw(&self) -> &cryptoki::session::Session {
        &self.session
    }

    pub(super) fn profile(&self) -> &HsmProfile {
        &self.profile
    }

    /// Random octets from the token's generator.
    ///
    /// # Errors
    /// [`Error::Pkcs11`] when the token has none.
    pub fn random(&self, length: u32) -> Result<Vec<u8>, Error> {
        let octets = self.session.generate_random_vec(length)?;
        if octets.iter().all(|octet| *octet == 0) {
            return Err(Error::Fault("C_GenerateRandom gave nothing but zeros".into()));
        }
        Ok(octets)
    }

    /// All objects that the user sees.
    ///
    /// # Errors
    /// [`Error::Pkcs11`] when the token fails.
    pub fn inventory(&self) -> Result<Inventory, Error> {
        let wanted = [AttributeType::Class, AttributeType::Label, AttributeType::Id, AttributeType::KeyType];
        let mut objects = Inventory::new();
        for handle in self.session.find_objects(&[])? {
            let described: Result<Vec<Vec<Attribute>>, _> =
                wanted.iter().map(|kind| self.session.get_attributes(handle, &[*kind])).collect();
            objects.push(attributes::describe(&described?.concat()));
        }
        objects.sort();
        Ok(objects)
    }

    /// The one object of this class and CKA_ID.
    pub(super) fn one(&self, class: ObjectClass, id: &[u8], label: &str) -> Result<ObjectHandle, Error> {
        let found = self.find(class, id)?;
        match found.as_slice() {
            [one] => Ok(*one),
            many => Err(Error::Fault(format!(
                "token {}: {} objects with the ID {} of key {label}, required is 1; is this the token that the ledger names?",
                self.token.serial,
                many.len(),
                hex(id)
            ))),
        }
    }

    pub(super) fn find(&self, class: ObjectClass, id: &[u8]) -> Result<Vec<ObjectHandle>, Error> {
        Ok(self.session.find_objects(&[Attribute::Class(class), Attribute::Id(id.to_vec())])?)
    }

    /// One attribute, which must be there.
    pub(super) fn attribute(&self, object: ObjectHandle, kind: AttributeType) -> Result<Attribute, Error> {
        self.session
            .get_attributes(object, &[kind])?
            .into_iter()
            .next()
            .ok_or_else(|| Error::Fault(format!("token {}: {kind:?} cannot be read", self.token.serial)))
    }
}
