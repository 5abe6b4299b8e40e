//! Signatures by an authority's key over reservations and by a manifest key over manifests.

use aws_lc_rs::digest as hash;
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{ObjectClass, ObjectHandle};
use der::asn1::UintRef;
use der::{Encode, Sequence};

use super::attributes;
use super::hsm_profile::Hashing;
use super::session::Proven;
use super::{Error, Session};
use crate::issuance::signature_algorithm;
use crate::keys::{KeyKind, PublicKey, verify};
use crate::ledger::{Reservation, StoredKey};
use crate::record::{KeyAttributes, KeyRole};

/// An authority's private key, proved to match its certificate.
#[derive(Debug)]
pub struct AuthorityKey<'a>(Key<'a>);

/// A manifest signer's private key, proved to match its certificate.
#[derive(Debug)]
pub struct ManifestKey<'a>(Key<'a>);

#[derive(Debug)]
struct Key<'a> {
    session: &'a Session,
    handle: ObjectHandle,
    public: PublicKey,
    label: String,
}

/// ECDSA-Sig-Value (RFC 3279 2.2.3).
#[derive(Sequence)]
struct EcdsaSignature<'a> {
    r: UintRef<'a>,
    s: UintRef<'a>,
}

/// Prefix of a challenge. No DER structure begins like this, so a challenge cannot be a certificate.
const CHALLENGE: &[u8] = b"keyrite: proof that this token holds the key in the certificate\n";

impl Session {
    /// Finds an authority's key by its ID, verifies its attributes, and proves it by a challenge whose
    /// signature must verify with `public`. Later calls in the session reuse the proof.
    ///
    /// # Errors
    /// [`Error::Fault`] when the key is missing, has wrong attributes, or does not match.
    pub fn authority_key(
        &self,
        stored: &StoredKey,
        public: &PublicKey,
    ) -> Result<(AuthorityKey<'_>, KeyAttributes), Error> {
        let (key, attributes) = self.prove(stored, public, KeyRole::Authority)?;
        Ok((AuthorityKey(key), attributes))
    }

    /// Proves a key of the ledger in its stored role, and returns its attributes.
    pub fn prove_key(&self, stored: &StoredKey, public: &PublicKey) -> Result<KeyAttributes, Error> {
        self.prove(stored, public, stored.role).map(|(_, attributes)| attributes)
    }

    /// As [`Session::authority_key`], for a manifest signer.
    pub fn manifest_key(
        &self,
        stored: &StoredKey,
        public: &PublicKey,
    ) -> Result<(ManifestKey<'_>, KeyAttributes), Error> {
        let (key, attributes) = self.prove(stored, public, KeyRole::Manifest)?;
        Ok((ManifestKey(key), attributes))
    }

    fn prove(
        &self,
        stored: &StoredKey,
        public: &PublicKey,
        role: KeyRole,
    ) -> Result<(Key<'_>, KeyAttributes), Error> {
        let StoredKey { name, key_id, token_serial, .. } = stored;
        if stored.role != role {
            return Err(Error::Fault(format!(
                "key {name}: is for {}, not for {}",
                stored.role.as_str(),
                role.as_str()
            )));
        }
        if *token_serial != self.token().serial {
            return Err(Error::Fault(format!(
                "key {name}: the ledger says it is in the token with serial {token_serial:?}, but this one has serial {:?}; use the ledger that belongs to this token",
                self.token().serial
            )));
        }
        let key = |handle| Key { session: self, handle, public: public.clone(), label: name.clone() };
        if let Some(Proven { handle, attributes, .. }) = self.proven(key_id, public) {
            return Ok((key(handle), attributes));
        }
        let handle = self.one(ObjectClass::PRIVATE_KEY, key_id, name)?;
        let attributes = attributes::read_back(self.raw(), self.profile(), handle, name)?;
        let key = key(handle);
        let mut challenge = CHALLENGE.to_vec();
        challenge.extend(self.random(32)?);
        let signature = key.sign(&challenge)?;
        key.require_valid(&challenge, &signature)?;
        self.remember(key_id, Proven { handle, public: public.clone(), attributes: attributes.clone() });
        Ok((key, attributes))
    }
}

impl AuthorityKey<'_> {
    /// Signs the reserved octets.
    ///
    /// # Errors
    /// [`Error::Pkcs11`] when C_Sign fails; [`Error::Fault`] when the reservation is for another key.
    pub fn sign(&self, reservation: &Reservation) -> Result<Vec<u8>, Error> {
        let tbs = reservation.tbs();
        if *tbs.issuer_key() != self.0.public {
            return Err(Error::Fault(format!(
                "key {}: the reservation is for {}",
                self.0.label,
                tbs.issuer()
            )));
        }
        self.0.sign(tbs.octets())
    }
}

impl ManifestKey<'_> {
    /// Signs the signed attributes of a manifest (RFC 5652 5.4), and verifies the signature.
    pub fn sign_attributes(&self, attributes: &[u8]) -> Result<Vec<u8>, Error> {
        let signature = self.0.sign(attributes)?;
        self.0.require_valid(attributes, &signature)?;
        Ok(signature)
    }
}

impl Key<'_> {
    fn require_valid(&self, message: &[u8], signature: &[u8]) -> Result<(), Error> {
        let algorithm = signature_algorithm(self.public.kind()).map_err(|e| Error::Fault(e.to_string()))?;
        verify(&self.public, &algorithm, message, signature).map_err(|_| {
            Error::Fault(format!(
                "key {}: the token's signature does not verify with the key in the certificate; it is another key, or the token is faulty",
                self.label
            ))
        })
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let in_token = self.session.profile().hash == Hashing::Token;
        let kind = self.public.kind();
        let mechanism = mechanism(kind, in_token)?;
        let input = if in_token { message.to_vec() } else { prepared(kind, message) };
        let signature = self.session.raw().sign(&mechanism, self.handle, &input)?;
        match kind {
            KeyKind::Rsa(_) => Ok(signature),
            _ => ecdsa_der(&signature),
        }
    }
}

fn mechanism(kind: KeyKind, in_token: bool) -> Result<Mechanism<'static>, Error> {
    match (kind, in_token) {
        (KeyKind::P256 | KeyKind::P384 | KeyKind::P521, false) => Ok(Mechanism::Ecdsa),
        (KeyKind::P256, true) => Ok(Mechanism::EcdsaSha256),
        (KeyKind::P384, true) => Ok(Mechanism::EcdsaSha384),
        (KeyKind::P521, true) => Ok(Mechanism::EcdsaSha512),
        (KeyKind::Rsa(_), false) => Ok(Mechanism::RsaPkcs),
        (KeyKind::Rsa(_), true) => Ok(Mechanism::Sha256RsaPkcs),
        (KeyKind::Ed25519, _) => Err(Error::Fault("Ed25519 keys are not used in tokens".into())),
    }
}

/// DigestInfo of SHA-256 without the digest itself (RFC 8017 9.2, note 1).
const SHA256_DIGEST_INFO: [u8; 19] = [
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00,
    0x04, 0x20,
];

fn prepared(kind: KeyKind, message: &[u8]) -> Vec<u8> {
    let digest = |algorithm| hash::digest(algorithm, message).as_ref().to_vec();
    match kind {
        KeyKind::P384 => digest(&hash::SHA384),
        KeyKind::P521 => digest(&hash::SHA512),
        KeyKind::Rsa(_) => [SHA256_DIGEST_INFO.to_vec(), digest(&hash::SHA256)].concat(),
        KeyKind::P256 | KeyKind::Ed25519 => digest(&hash::SHA256),
    }
}

/// Converts the PKCS#11 form, r and s concatenated in equal lengths (2.40, section 2.3.1), to DER.
fn ecdsa_der(signature: &[u8]) -> Result<Vec<u8>, Error> {
    let (r, s) = signature.split_at(signature.len() / 2);
    let encode = || EcdsaSignature { r: UintRef::new(r)?, s: UintRef::new(s)? }.to_der();
    encode().map_err(|e| Error::Fault(format!("C_Sign did not return an ECDSA signature: {e}")))
}
