//! The certificate policy of manifest keys (RFC 5280 4.2.1.4). It distinguishes a key that an authority
//! in the token certified for signing manifests from any other key below the same root.

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280::ID_CE_CERTIFICATE_POLICIES;
use der::asn1::{AnyRef, OctetString};
use der::{Encode, Sequence, Tag};
use x509_cert::ext::Extension;

use super::{Certificate, Error};

/// keyrite's policy "manifest signing" in dotted notation: arc 2.25 followed by the UUID
/// 7f95a6df-e659-4dcc-b35b-bd1337a99143 as one integer (ITU-T X.667). The manifest key's certificate
/// and every authority between it and the root assert it. The root, as the trust anchor, need not.
pub const MANIFEST_SIGNING: &str = "2.25.169588992315769966088806370461256094019";

/// Its DER content octets; `ObjectIdentifier` does not support arcs of 128 bits.
const OCTETS: [u8; 20] = [
    0x69, 0x81, 0xff, 0x95, 0xd3, 0xb7, 0xfc, 0xe5, 0xca, 0xb7, 0x99, 0xb3, 0xad, 0xef, 0xa2, 0xb3, 0xbd,
    0xa6, 0xa2, 0x43,
];

/// certificatePolicies.
pub const OID: ObjectIdentifier = ID_CE_CERTIFICATE_POLICIES;

/// PolicyInformation.
#[derive(Sequence)]
struct PolicyInformation<'a> {
    identifier: AnyRef<'a>,
    #[asn1(optional = "true")]
    qualifiers: Option<AnyRef<'a>>,
}

/// Builds certificatePolicies with [`MANIFEST_SIGNING`].
pub fn manifest_signing() -> Result<Extension, Error> {
    let identifier = AnyRef::new(Tag::ObjectIdentifier, &OCTETS)?;
    let value = vec![PolicyInformation { identifier, qualifiers: None }].to_der()?;
    Ok(Extension { extn_id: OID, critical: false, extn_value: OctetString::new(value)? })
}

impl Certificate {
    /// Returns whether it asserts the policy [`MANIFEST_SIGNING`].
    ///
    /// # Errors
    /// [`Error::Internal`] when certificatePolicies is malformed.
    pub fn asserts_manifest_signing(&self) -> Result<bool, Error> {
        let policies: Option<Vec<PolicyInformation<'_>>> = self.extension(OID)?;
        let is_ours = |policy: &PolicyInformation<'_>| {
            policy.identifier == AnyRef::new(Tag::ObjectIdentifier, &OCTETS).unwrap_or(AnyRef::NULL)
        };
        Ok(policies.is_some_and(|policies| policies.iter().any(is_ours)))
    }
}
