//! Certification path constraints (RFC 5280 6.1): what a trust anchor and the authorities below it
//! allow. Issuer names, signatures and validity are checked by the caller, who walks the path.

use std::collections::BTreeSet;

use const_oid::db::rfc5280::{
    ANY_EXTENDED_KEY_USAGE, ID_CE_BASIC_CONSTRAINTS, ID_CE_CERTIFICATE_POLICIES, ID_CE_EXT_KEY_USAGE,
    ID_CE_KEY_USAGE, ID_CE_NAME_CONSTRAINTS, ID_CE_SUBJECT_ALT_NAME, ID_KP_EMAIL_PROTECTION,
};
use const_oid::{AssociatedOid, ObjectIdentifier};
use x509_cert::ext::pkix::{ExtendedKeyUsage, KeyUsage, NameConstraints};

use super::{Authority, Certificate, Error, name_constraints};

/// The extensions that are processed; any other critical extension is refused (RFC 5280 4.2).
const PROCESSED: [ObjectIdentifier; 6] = [
    ID_CE_BASIC_CONSTRAINTS,
    ID_CE_CERTIFICATE_POLICIES,
    ID_CE_EXT_KEY_USAGE,
    ID_CE_KEY_USAGE,
    ID_CE_NAME_CONSTRAINTS,
    ID_CE_SUBJECT_ALT_NAME,
];

/// What the authorities from a trust anchor down allow below them. The anchor's constraints apply like
/// those of any other authority.
#[derive(Clone, Debug)]
pub struct Scope {
    /// Number of authorities that may follow; unlimited if `None` (4.2.1.9).
    path_length: Option<u8>,
    /// Extended key usages that every authority allows; all if `None` (4.2.1.12).
    purposes: Option<Vec<ObjectIdentifier>>,
    /// Name constraints of each authority (4.2.1.10).
    names: Vec<NameConstraints>,
    /// Whether every authority below the anchor may certify manifest keys.
    manifest_signing: bool,
}

impl Scope {
    /// Returns the scope of a trust anchor.
    ///
    /// # Errors
    /// [`Error::Refused`] when an extension cannot be processed.
    pub fn of_anchor(anchor: &Authority) -> Result<Self, Error> {
        let all = Self { path_length: None, purposes: None, names: Vec::new(), manifest_signing: true };
        all.enter(anchor)
    }

    /// Returns the scope below an authority that is next on the path.
    ///
    /// # Errors
    /// [`Error::Refused`] when this scope does not allow the authority.
    pub fn below(&self, authority: &Authority) -> Result<Self, Error> {
        let left = match self.path_length.map(|left| left.checked_sub(1)) {
            Some(None) => {
                return Err(Error::Refused(format!(
                    "{}: the path length above it is 0, so no authority may follow (RFC 5280 4.2.1.9)",
                    authority.name()
                )));
            }
            left => left.flatten(),
        };
        let certificate = authority.certificate();
        name_constraints::check(&self.names, certificate)?;
        let manifest_signing = self.manifest_signing && certificate.asserts_manifest_signing()?;
        Self { path_length: left, manifest_signing, ..self.clone() }.enter(authority)
    }

    /// Applies an authority's constraints.
    fn enter(mut self, authority: &Authority) -> Result<Self, Error> {
        let certificate = authority.certificate();
        check_extensions(certificate)?;
        self.path_length = match (self.path_length, authority.path_length()) {
            (Some(above), Some(own)) => Some(above.min(own)),
            (above, own) => above.or(own),
        };
        if let Some(own) = purposes(certificate)? {
            let admits = |purpose: &ObjectIdentifier| match &self.purposes {
                None => true,
                Some(above) => above.contains(purpose),
            };
            self.purposes = Some(own.into_iter().filter(admits).collect());
        }
        self.names.extend(certificate.extension::<NameConstraints>(NameConstraints::OID)?);
        Ok(self)
    }

    /// Checks that an end-entity certificate is allowed here.
    ///
    /// # Errors
    /// [`Error::Refused`] names the constraint that is violated.
    pub fn admits(&self, certificate: &Certificate) -> Result<(), Error> {
        check_extensions(certificate)?;
        name_constraints::check(&self.names, certificate)?;
        let Some(above) = &self.purposes else { return Ok(()) };
        let own = purposes(certificate)?.unwrap_or_default();
        match own.iter().find(|purpose| !above.contains(purpose)) {
            None => Ok(()),
            Some(purpose) => Err(Error::Refused(format!(
                "extended key usage {purpose} is not allowed by the authorities above it, which allow {} (RFC 5280 4.2.1.12)",
                listed(above)
            ))),
        }
    }

    /// Checks that a certificate may sign manifests; returns whether it is bound to that purpose, which
    /// means that it and every authority below the trust anchor assert [`super::MANIFEST_SIGNING`].
    ///
    /// # Errors
    /// [`Error::Refused`] when it is not for signing manifests.
    pub fn admits_manifest_key(&self, certificate: &Certificate) -> Result<bool, Error> {
        self.admits(certificate)?;
        let usage: Option<KeyUsage> = certificate.extension(KeyUsage::OID)?;
        let signs = usage.is_some_and(|usage| usage.digital_signature());
        let for_mail = purposes(certificate)? == Some(vec![ID_KP_EMAIL_PROTECTION]);
        if !signs || !for_mail || certificate.is_authority()? {
            return Err(Error::Refused("its certificate is not for signing manifests".into()));
        }
        Ok(self.manifest_signing && certificate.asserts_manifest_signing()?)
    }
}

/// Returns the extended key usages of a certificate; `None` if they are not limited.
fn purposes(certificate: &Certificate) -> Result<Option<Vec<ObjectIdentifier>>, Error> {
    let usage: Option<ExtendedKeyUsage> = certificate.extension(ExtendedKeyUsage::OID)?;
    Ok(usage.map(|usage| usage.0).filter(|purposes| !purposes.contains(&ANY_EXTENDED_KEY_USAGE)))
}

/// Refuses duplicate extensions and unknown critical ones (RFC 5280 4.2).
fn check_extensions(certificate: &Certificate) -> Result<(), Error> {
    let extensions = certificate.parsed().tbs_certificate().extensions();
    let mut seen = BTreeSet::new();
    for extension in extensions.into_iter().flatten() {
        if !seen.insert(extension.extn_id) {
            return Err(Error::Refused(format!("duplicate extension {} (RFC 5280 4.2)", extension.extn_id)));
        }
        if extension.critical && !PROCESSED.contains(&extension.extn_id) {
            return Err(Error::Refused(format!(
                "critical extension {} is not supported (RFC 5280 4.2)",
                extension.extn_id
            )));
        }
    }
    Ok(())
}

fn listed(purposes: &[ObjectIdentifier]) -> String {
    match purposes {
        [] => "none".to_owned(),
        purposes => purposes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    }
}
