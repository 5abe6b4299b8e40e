//! Name constraints (RFC 5280 4.2.1.10): DNS names, IP addresses and directory names are processed; a
//! constraint on another form refuses every certificate that has a name of that form.

use const_oid::AssociatedOid;
use const_oid::db::rfc3280::EMAIL_ADDRESS;
use x509_cert::ext::pkix::constraints::name::GeneralSubtree;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{NameConstraints, SubjectAltName};
use x509_cert::name::Name;

use super::{Certificate, Error};

/// Checks subject and subjectAltName of a certificate against the constraints of each authority above
/// it.
pub fn check(constraints: &[NameConstraints], certificate: &Certificate) -> Result<(), Error> {
    if constraints.is_empty() {
        return Ok(());
    }
    let subject = certificate.parsed().tbs_certificate().subject();
    let alternatives: Option<SubjectAltName> = certificate.extension(SubjectAltName::OID)?;
    let mut names = alternatives.map(|names| names.0).unwrap_or_default();
    if !subject.is_empty() {
        names.push(GeneralName::DirectoryName(subject.clone()));
    }
    let has_mail = subject.iter().any(|attribute| attribute.oid == EMAIL_ADDRESS);
    for NameConstraints { permitted_subtrees, excluded_subtrees } in constraints {
        let (permitted, excluded) = (
            permitted_subtrees.as_deref().unwrap_or_default(),
            excluded_subtrees.as_deref().unwrap_or_default(),
        );
        let of_mail = |subtree: &GeneralSubtree| matches!(subtree.base, GeneralName::Rfc822Name(_));
        if has_mail && permitted.iter().chain(excluded).any(of_mail) {
            return Err(not_processed());
        }
        for name in &names {
            if matches(excluded, name)?.is_some_and(|matches| matches) {
                return Err(Error::Refused(format!("name constraints above it exclude {}", text(name))));
            }
            if matches(permitted, name)? == Some(false) {
                return Err(Error::Refused(format!(
                    "name constraints above it do not permit {}",
                    text(name)
                )));
            }
        }
    }
    Ok(())
}

/// Returns whether a name is within a subtree of its form; `None` if there is no such subtree.
fn matches(subtrees: &[GeneralSubtree], name: &GeneralName) -> Result<Option<bool>, Error> {
    let mut found = None;
    for GeneralSubtree { base, minimum, maximum } in subtrees {
        if std::mem::discriminant(base) != std::mem::discriminant(name) {
            continue;
        }
        if *minimum != 0 || maximum.is_some() {
            return Err(not_processed());
        }
        let inside = match (base, name) {
            (GeneralName::DnsName(base), GeneralName::DnsName(name)) => {
                below_domain(base.as_str(), name.as_str())
            }
            (GeneralName::IpAddress(base), GeneralName::IpAddress(name)) => {
                in_network(base.as_bytes(), name.as_bytes())
            }
            (GeneralName::DirectoryName(base), GeneralName::DirectoryName(name)) => below_name(base, name),
            _ => return Err(not_processed()),
        };
        found = Some(found.unwrap_or(false) || inside);
    }
    Ok(found)
}

fn below_domain(base: &str, name: &str) -> bool {
    let (base, name) = (base.to_ascii_lowercase(), name.to_ascii_lowercase());
    match name.strip_suffix(base.as_str()) {
        Some(rest) => base.is_empty() || rest.is_empty() || base.starts_with('.') || rest.ends_with('.'),
        None => false,
    }
}

/// `base` is an address followed by a mask, each as long as `name`.
fn in_network(base: &[u8], name: &[u8]) -> bool {
    let (network, mask) = base.split_at(base.len() / 2);
    let mut octets = name.iter().zip(network.iter().zip(mask));
    base.len() == 2 * name.len() && octets.all(|(octet, (network, mask))| octet & mask == network & mask)
}

fn below_name(base: &Name, name: &Name) -> bool {
    let parts = |name: &Name| -> Vec<String> {
        name.as_ref().iter().map(|part| part.to_string().to_lowercase()).collect()
    };
    parts(name).starts_with(&parts(base))
}

fn text(name: &GeneralName) -> String {
    match name {
        GeneralName::DnsName(name) => name.to_string(),
        GeneralName::DirectoryName(name) => name.to_string(),
        other => format!("{other:?}"),
    }
}

fn not_processed() -> Error {
    Error::Refused(
        "an authority above it has name constraints of a form that keyrite does not support".into(),
    )
}
