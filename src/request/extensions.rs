//! Requested extensions (RFC 2985 5.4.2): names are used, CA rights are refused, anything else is
//! reported as overridden by the certificate profile.

use std::net::IpAddr;

use const_oid::{AssociatedOid, ObjectIdentifier};
use der::asn1::Any;
use der::{Decode, Encode};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage, SubjectAltName};

use super::{Control, Violation};
use crate::media::shown;

/// Extensions that a request asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requested {
    /// DNS names as encoded.
    pub dns: Vec<String>,
    /// IP addresses.
    pub ip: Vec<IpAddr>,
    /// Names of other types, as text for display.
    pub other_names: Vec<String>,
    /// Attributes and extensions ignored or set by the certificate profile, as text for display.
    pub overridden: Vec<String>,
    asks_ca: bool,
    asks_cert_sign: bool,
}

impl Requested {
    /// Reads the value of the extensionRequest attribute.
    pub(super) fn read(&mut self, value: &Any) -> Result<(), Violation> {
        let bad = |message: String| Violation::new(Control::Attribute, message);
        let extensions: Vec<Extension> = value
            .decode_as()
            .map_err(|e| bad(format!("extensionRequest is not a list of extensions: {e}")))?;
        // As inside the extensions: `critical FALSE` is the default, which DER omits (X.690 11.5).
        if extensions.to_der().ok() != value.to_der().ok() {
            return Err(bad(
                "extensions are not DER; a default value such as critical FALSE is encoded".to_owned()
            ));
        }
        let mut seen = Vec::new();
        for extension in &extensions {
            if seen.contains(&extension.extn_id) {
                return Err(bad(format!("duplicate extension {}", name(extension.extn_id))));
            }
            seen.push(extension.extn_id);
            self.extension(extension)
                .map_err(|e| bad(format!("extension {} is malformed: {e}", name(extension.extn_id))))?;
        }
        Ok(())
    }

    fn extension(&mut self, extension: &Extension) -> Result<(), der::Error> {
        let octets = extension.extn_value.as_bytes();
        match extension.extn_id {
            SubjectAltName::OID => return self.names(octets),
            BasicConstraints::OID => {
                let value: BasicConstraints = strict(octets)?;
                self.asks_ca = value.ca;
            }
            KeyUsage::OID => {
                let value: KeyUsage = strict(octets)?;
                self.asks_cert_sign = value.key_cert_sign() || value.crl_sign();
            }
            _ => {}
        }
        let critical = if extension.critical { " (critical)" } else { "" };
        self.overridden.push(format!(
            "extension {}{critical} is set by the certificate profile",
            name(extension.extn_id)
        ));
        Ok(())
    }

    fn names(&mut self, octets: &[u8]) -> Result<(), der::Error> {
        let names: SubjectAltName = strict(octets)?;
        for name in names.0 {
            match name {
                GeneralName::DnsName(dns) => self.dns.push(dns.to_string()),
                GeneralName::IpAddress(address) => match ip(address.as_bytes()) {
                    Some(ip) => self.ip.push(ip),
                    None => self.other_names.push(format!(
                        "iPAddress has {} octets, must have 4 or 16 (RFC 5280 4.2.1.6)",
                        address.as_bytes().len()
                    )),
                },
                other => self.other_names.push(describe(&other)),
            }
        }
        Ok(())
    }

    /// Returns a violation for each extension that no request may ask for.
    pub(super) fn refused(&self) -> Vec<Violation> {
        let mut violations = Vec::new();
        if self.asks_ca {
            violations.push(Violation::new(
                Control::AskCa,
                "basicConstraints asks for CA:TRUE; only a script creates authorities",
            ));
        }
        if self.asks_cert_sign {
            violations.push(Violation::new(
                Control::AskKeyCertSign,
                "keyUsage asks for keyCertSign or cRLSign; only a script creates authorities",
            ));
        }
        violations
    }
}

fn strict<'a, T: Decode<'a, Error = der::Error> + Encode>(octets: &'a [u8]) -> Result<T, der::Error> {
    let value = T::from_der(octets)?;
    if value.to_der()? != octets {
        return Err(der::ErrorKind::Noncanonical { tag: der::Tag::Sequence }.into());
    }
    Ok(value)
}

fn ip(octets: &[u8]) -> Option<IpAddr> {
    if let Ok(four) = <[u8; 4]>::try_from(octets) {
        return Some(IpAddr::from(four));
    }
    <[u8; 16]>::try_from(octets).ok().map(IpAddr::from)
}

fn describe(name: &GeneralName) -> String {
    match name {
        GeneralName::Rfc822Name(mail) => format!("email {}", shown(mail.as_str())),
        GeneralName::UniformResourceIdentifier(uri) => format!("URI {}", shown(uri.as_str())),
        GeneralName::DirectoryName(dn) => format!("directory name {}", shown(&dn.to_string())),
        GeneralName::RegisteredId(oid) => format!("registered ID {oid}"),
        _ => "otherName".to_owned(),
    }
}

/// Returns the name of an object identifier, or its dotted form when unknown.
pub fn name(oid: ObjectIdentifier) -> String {
    const_oid::db::DB.by_oid(&oid).map_or_else(|| oid.to_string(), str::to_owned)
}
