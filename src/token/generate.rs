//! Key pair generation in the token; a pair whose attributes or kind are wrong is destroyed.

use const_oid::db::rfc5912::{ID_EC_PUBLIC_KEY, RSA_ENCRYPTION, SECP_256_R_1, SECP_384_R_1, SECP_521_R_1};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use der::asn1::{BitString, Null, OctetStringRef, UintRef};
use der::{Any, Decode, Encode, Sequence};
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};

use super::attributes;
use super::{Error, Session};
use crate::digest::hex;
use crate::keys::{KeyRequest, PublicKey};
use crate::record::{Inventory, InventoryObject, KeyAttributes};

/// RSAPublicKey (RFC 8017 A.1.1).
#[derive(Sequence)]
struct RsaPublicKey<'a> {
    modulus: UintRef<'a>,
    exponent: UintRef<'a>,
}

/// Returns mechanism and parameters: named curves (RFC 5480), RSA with exponent 65537.
fn generation(key: KeyRequest) -> Result<(Mechanism<'static>, Vec<Attribute>), Error> {
    let ec = |curve: const_oid::ObjectIdentifier| {
        let parameters = curve.to_der().map_err(|e| Error::Fault(e.to_string()))?;
        Ok((Mechanism::EccKeyPairGen, vec![Attribute::EcParams(parameters)]))
    };
    let rsa = |bits: u64| {
        let exponent = Attribute::PublicExponent(vec![1, 0, 1]);
        Ok((Mechanism::RsaPkcsKeyPairGen, vec![Attribute::ModulusBits(bits.into()), exponent]))
    };
    match key {
        KeyRequest::EcdsaP256 => ec(SECP_256_R_1),
        KeyRequest::EcdsaP384 => ec(SECP_384_R_1),
        KeyRequest::EcdsaP521 => ec(SECP_521_R_1),
        KeyRequest::Rsa3072 => rsa(3072),
        KeyRequest::Rsa4096 => rsa(4096),
    }
}

/// Why a key pair was not generated.
#[derive(Debug)]
pub struct NotMade {
    pub error: Error,
    /// Whether the token may still contain objects of the pair. The same session cannot tell: a partially
    /// written object can be invisible until the token is reopened.
    pub may_remain: bool,
}

impl From<Error> for NotMade {
    fn from(error: Error) -> Self {
        let may_remain = !error.is_refusal();
        Self { error, may_remain }
    }
}

/// The objects on a token that belong to a key whose generation was interrupted.
#[derive(Debug)]
pub struct Remains {
    pub objects: Inventory,
    /// The key pair if the objects are exactly the requested one; otherwise why not.
    pub pair: Result<(PublicKey, KeyAttributes), String>,
    handles: Vec<ObjectHandle>,
}

impl Session {
    /// Requires that no object on the token has this label or ID.
    pub fn require_free(&self, label: &str, id: &[u8]) -> Result<(), Error> {
        let by_label = self.raw().find_objects(&[Attribute::Label(label.as_bytes().to_vec())])?;
        if !by_label.is_empty() {
            return Err(Error::Fault(format!(
                "token {}: {} objects already have the label {label:?}; labels are never reused; choose another name",
                self.token().serial,
                by_label.len()
            )));
        }
        let by_id = self.raw().find_objects(&[Attribute::Id(id.to_vec())])?;
        if !by_id.is_empty() {
            return Err(Error::Fault(format!(
                "token {}: ID {} is already in use",
                self.token().serial,
                hex(id)
            )));
        }
        Ok(())
    }

    /// Generates a key pair with this label and ID, and destroys it if it is not as requested.
    pub fn generate(
        &self,
        request: KeyRequest,
        label: &str,
        id: &[u8],
    ) -> Result<(PublicKey, KeyAttributes), NotMade> {
        let (mechanism, kind) = generation(request)?;
        let mut public = Vec::new();
        for attribute in kind {
            public.push(attribute);
        }
        let first = public.remove(0);
        let mut template = attributes::public_template(label, id, first);
        template.extend(public);
        let private = attributes::private_template(self.profile(), label, id);
        let (public, private) =
            self.raw().generate_key_pair(&mechanism, &template, &private).map_err(Error::from)?;
        self.examine(request, private, public, label).map_err(|error| {
            let destroyed =
                [private, public].into_iter().all(|handle| self.raw().destroy_object(handle).is_ok());
            let fate =
                if destroyed { "the key pair was destroyed" } else { "the key pair could NOT be destroyed" };
            NotMade { error: Error::Fault(format!("{error}; {fate}")), may_remain: !destroyed }
        })
    }

    /// Searches the token for objects of a key with this label and ID: a token that failed or was interrupted
    /// may have created a pair, half of one, or objects that lack attributes. `is_of` selects the objects
    /// of the key.
    pub fn remains(
        &self,
        request: KeyRequest,
        label: &str,
        id: &[u8],
        is_of: &dyn Fn(&InventoryObject) -> bool,
    ) -> Result<Remains, Error> {
        let mut found: Vec<(InventoryObject, ObjectHandle)> = Vec::new();
        for (handle, object) in self.described()? {
            if is_of(&object) {
                found.push((object, handle));
            }
        }
        found.sort_by(|(one, _), (other, _)| one.cmp(other));
        let (objects, handles): (Inventory, Vec<ObjectHandle>) = found.into_iter().unzip();
        let (private, public) =
            (self.find(ObjectClass::PRIVATE_KEY, id)?, self.find(ObjectClass::PUBLIC_KEY, id)?);
        let named = objects.iter().all(|object| object.label == label && object.id == hex(id));
        let pair = match (private.as_slice(), public.as_slice()) {
            ([private], [public]) if objects.len() == 2 && named => {
                self.examine(request, *private, *public, label).map_err(|error| error.to_string())
            }
            _ => Err("is not exactly one private and one public key with the key's label and ID".into()),
        };
        Ok(Remains { objects, pair, handles })
    }

    /// Destroys the objects that were found.
    pub fn destroy(&self, remains: &Remains) -> Result<(), Error> {
        Ok(remains.handles.iter().try_for_each(|handle| self.raw().destroy_object(*handle))?)
    }

    fn examine(
        &self,
        request: KeyRequest,
        private: ObjectHandle,
        public: ObjectHandle,
        label: &str,
    ) -> Result<(PublicKey, KeyAttributes), Error> {
        let attributes = attributes::read_back(self.raw(), self.profile(), private, label)?;
        let key = self.public_key(public)?;
        let wanted = match request {
            KeyRequest::EcdsaP256 => "ECDSA P-256",
            KeyRequest::EcdsaP384 => "ECDSA P-384",
            KeyRequest::EcdsaP521 => "ECDSA P-521",
            KeyRequest::Rsa3072 => "RSA 3072",
            KeyRequest::Rsa4096 => "RSA 4096",
        };
        if key.kind().to_string() != wanted {
            return Err(Error::Fault(format!(
                "key {label}: the token generated {}, requested was {wanted}",
                key.kind()
            )));
        }
        Ok((key, attributes))
    }

    /// Reads a public key from CKA_EC_POINT, or from modulus and exponent: not every token sets
    /// CKA_PUBLIC_KEY_INFO.
    pub(super) fn public_key(&self, object: ObjectHandle) -> Result<PublicKey, Error> {
        let info = match self.attribute(object, AttributeType::EcPoint) {
            Ok(Attribute::EcPoint(point)) => self.elliptic(object, &point)?,
            _ => self.rsa(object)?,
        };
        PublicKey::new(info).map_err(|e| Error::Fault(format!("token {}: {e}", self.token().serial)))
    }

    fn elliptic(&self, object: ObjectHandle, point: &[u8]) -> Result<SubjectPublicKeyInfoOwned, Error> {
        let Attribute::EcParams(parameters) = self.attribute(object, AttributeType::EcParams)? else {
            return Err(Error::Fault("CKA_EC_PARAMS has an unexpected type".into()));
        };
        // PKCS#11 requires the point in an OCTET STRING; some tokens return the bare point.
        let bare = <&OctetStringRef>::from_der(point).map(|octets| octets.as_bytes()).unwrap_or(point);
        let encode = || -> Result<_, der::Error> {
            Ok(SubjectPublicKeyInfoOwned {
                algorithm: AlgorithmIdentifierOwned {
                    oid: ID_EC_PUBLIC_KEY,
                    parameters: Some(Any::from_der(&parameters)?),
                },
                subject_public_key: BitString::from_bytes(bare)?,
            })
        };
        encode().map_err(|e| Error::Fault(format!("CKA_EC_POINT: {e}")))
    }

    fn rsa(&self, object: ObjectHandle) -> Result<SubjectPublicKeyInfoOwned, Error> {
        let modulus = self.attribute(object, AttributeType::Modulus)?;
        let exponent = self.attribute(object, AttributeType::PublicExponent)?;
        let (Attribute::Modulus(modulus), Attribute::PublicExponent(exponent)) = (modulus, exponent) else {
            return Err(Error::Fault("CKA_MODULUS or CKA_PUBLIC_EXPONENT has an unexpected type".into()));
        };
        let encode = || -> Result<_, der::Error> {
            let key = RsaPublicKey { modulus: UintRef::new(&modulus)?, exponent: UintRef::new(&exponent)? };
            Ok(SubjectPublicKeyInfoOwned {
                algorithm: AlgorithmIdentifierOwned {
                    oid: RSA_ENCRYPTION,
                    parameters: Some(Any::encode_from(&Null)?),
                },
                subject_public_key: BitString::from_bytes(&key.to_der()?)?,
            })
        };
        encode().map_err(|e| Error::Fault(format!("CKA_MODULUS: {e}")))
    }
}
