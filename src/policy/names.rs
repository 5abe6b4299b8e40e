//! Names: subjects as attributes, DNS names and IP addresses checked against the roster.

use std::net::IpAddr;

use const_oid::ObjectIdentifier;
use const_oid::db::{rfc3280, rfc4519};
use der::asn1::{Any, PrintableStringRef, SetOfVec, Utf8StringRef};
use der::{Decode, Encode, Tag, Tagged};
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::name::{Name, RdnSequence, RelativeDistinguishedName};

use super::{RosterLine, pattern};
use crate::media::shown;
use crate::request::{Control, Requested, Violation};

/// Subject attribute types that keyrite issues, with upper bounds in characters (RFC 5280 A.1).
const TYPES: [(&str, ObjectIdentifier, usize); 8] = [
    ("CN", rfc4519::CN, 64),
    ("O", rfc4519::O, 64),
    ("OU", rfc4519::OU, 64),
    ("C", rfc4519::C, 2),
    ("ST", rfc4519::ST, 128),
    ("L", rfc4519::L, 128),
    ("serialNumber", rfc4519::SERIAL_NUMBER, 64),
    ("emailAddress", rfc3280::EMAIL_ADDRESS, 255),
];

/// Maximum attributes of a subject.
pub const MOST_ATTRIBUTES: usize = 32;

/// A subject that cannot be issued.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SubjectError(pub String);

/// Returns a subject as `TYPE=value` strings in encoding order.
pub fn attributes(subject: &Name) -> Result<Vec<String>, SubjectError> {
    subject
        .iter_rdn()
        .map(|rdn| match rdn.as_ref().as_slice() {
            [one] => attribute(one),
            many => Err(SubjectError(format!(
                "subject has an RDN with {} attributes, must have exactly 1",
                many.len()
            ))),
        })
        .collect()
}

/// As [`attributes`], for a subject to be issued: each value is within its upper bound.
pub fn bounded_attributes(subject: &Name) -> Result<Vec<String>, SubjectError> {
    let attributes = attributes(subject)?;
    for (kind, value) in attributes.iter().filter_map(|text| text.split_once('=')) {
        let length = value.chars().count();
        if let Some((_, _, bound)) = TYPES.iter().find(|(short, _, bound)| *short == kind && length > *bound)
        {
            return Err(SubjectError(format!(
                "subject attribute {kind} has {length} characters, at most {bound} are allowed (RFC 5280 A.1)"
            )));
        }
    }
    Ok(attributes)
}

fn attribute(one: &AttributeTypeAndValue) -> Result<String, SubjectError> {
    let (short, _, _) = TYPES.iter().find(|(_, oid, _)| *oid == one.oid).ok_or_else(|| {
        SubjectError(format!("subject attribute {} is not one of {}", one.oid, TYPES.map(|t| t.0).join(", ")))
    })?;
    let text = match one.value.tag() {
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String => {
            std::str::from_utf8(one.value.value()).ok()
        }
        _ => None,
    };
    let text = text.ok_or_else(|| {
        SubjectError(format!("subject attribute {short} is not a UTF8String, PrintableString or IA5String"))
    })?;
    Ok(format!("{short}={text}"))
}

/// Builds a subject from `TYPE=value` strings: country as PrintableString, others as UTF8String
/// (RFC 5280 4.1.2.4), each checked against its upper bound.
///
/// # Errors
/// [`SubjectError`] names the attribute and the rule.
pub fn subject_from(attributes: &[String]) -> Result<Name, SubjectError> {
    let rdns = attributes
        .iter()
        .map(|text| {
            let pair = pair(text)?;
            let set = SetOfVec::try_from(vec![pair]).map_err(|e| SubjectError(e.to_string()))?;
            Ok(RelativeDistinguishedName::from(set))
        })
        .collect::<Result<Vec<_>, SubjectError>>()?;
    let octets = RdnSequence::from(rdns).to_der().map_err(|e| SubjectError(e.to_string()))?;
    Name::from_der(&octets).map_err(|e| SubjectError(e.to_string()))
}

fn pair(text: &str) -> Result<AttributeTypeAndValue, SubjectError> {
    let wrong = |why: String| SubjectError(format!("subject attribute {}: {why}", shown(text)));
    let (kind, value) = text.split_once('=').ok_or_else(|| wrong("is not of the form TYPE=value".into()))?;
    let (short, oid, bound) = TYPES
        .iter()
        .find(|(short, _, _)| *short == kind)
        .ok_or_else(|| wrong(format!("type is not one of {}", TYPES.map(|t| t.0).join(", "))))?;
    let length = value.chars().count();
    if value.trim().is_empty() || length > *bound {
        return Err(wrong(format!("value has {length} characters, must have 1 to {bound} (RFC 5280 A.1)")));
    }
    if value.chars().any(|c| c.is_control() || is_invisible(c)) {
        return Err(wrong("value contains control, bidirectional or invisible characters".into()));
    }
    let value = match *short {
        "C" if length == 2 && value.chars().all(|c| c.is_ascii_uppercase()) => {
            PrintableStringRef::new(value).and_then(|v| Any::encode_from(&v))
        }
        "C" => return Err(wrong("country is not two upper-case letters".into())),
        _ => Utf8StringRef::new(value).and_then(|v| Any::encode_from(&v)),
    };
    Ok(AttributeTypeAndValue { oid: *oid, value: value.map_err(|e| wrong(e.to_string()))? })
}

/// Returns a subject in RFC 4514 form.
pub fn subject_text(subject: &Name) -> String {
    // Fast path for values that need no escaping: `Name::to_string` takes longer than everything
    // else in a certificate's manifest entry.
    let plain = |text: &String| {
        text.split_once('=').is_some_and(|(kind, value)| {
            ["CN", "O", "OU", "C", "ST", "L"].contains(&kind)
                && value.bytes().all(|b| b.is_ascii_alphanumeric() || b".:-_@/".contains(&b))
        })
    };
    match attributes(subject) {
        Ok(mut list) if list.iter().all(plain) => {
            list.reverse();
            list.join(",")
        }
        _ => subject.to_string(),
    }
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{ad}')
}

/// Checks a subject against patterns: each required pattern matches exactly one attribute, and
/// every attribute matches some pattern.
pub fn check_subject(
    attributes: &[String],
    required: &[String],
    optional: &[String],
    first: Option<&str>,
) -> Vec<Violation> {
    let fits = |pattern: &String, text: &String| pattern::matches(pattern, first, text, pattern::in_subject);
    let expand = |pattern: &String| match first {
        Some(first) => pattern.replace("{1}", first),
        None => pattern.clone(),
    };
    let list = || {
        if attributes.is_empty() { "empty".to_owned() } else { shown(&attributes.join(", ")) }
    };
    let mut violations = Vec::new();
    for pattern in required {
        let found = attributes.iter().filter(|text| fits(pattern, text)).count();
        if found != 1 {
            violations.push(Violation::new(
                Control::NameSubject,
                format!("subject is {}, expected exactly one {}, found {found}", list(), expand(pattern)),
            ));
        }
    }
    for text in attributes {
        if !required.iter().chain(optional).any(|pattern| fits(pattern, text)) {
            violations.push(Violation::new(
                Control::NameSubject,
                format!("subject attribute {} is not allowed by the roster", shown(text)),
            ));
        }
    }
    violations
}

/// Checks DNS names and IP addresses against a roster line.
pub fn check_alternatives(
    requested: &Requested,
    line: &RosterLine,
    first: Option<&str>,
    attributes: &[String],
) -> Vec<Violation> {
    let subject = from_subject(line, first, attributes);
    let allowed: Vec<String> = line.dns.iter().filter_map(|pattern| bound(pattern, subject)).collect();
    let mut violations: Vec<Violation> = requested
        .other_names
        .iter()
        .map(|name| {
            Violation::new(Control::NameType, format!("name {name} is neither a DNS name nor an IP address"))
        })
        .collect();
    violations.extend(requested.dns.iter().filter_map(|dns| check_dns(dns, line, &allowed, first)));
    violations.extend(requested.ip.iter().filter_map(|ip| check_ip(*ip, line)));
    violations.extend(duplicate(
        &requested.dns.iter().map(|d| d.to_ascii_lowercase()).collect::<Vec<_>>(),
        Control::NameDns,
    ));
    violations.extend(duplicate(&requested.ip, Control::NameIp));
    violations
}

fn duplicate<T: PartialEq + std::fmt::Display>(names: &[T], control: Control) -> Option<Violation> {
    let found = names.iter().enumerate().find(|(at, name)| names.iter().take(*at).any(|n| n == *name))?;
    Some(Violation::new(control, format!("duplicate name {}", shown(&found.1.to_string()))))
}

/// Returns what the first `*` of the line's subject patterns matches in this subject.
fn from_subject<'a>(line: &RosterLine, first: Option<&str>, attributes: &'a [String]) -> Option<&'a str> {
    let with_star = line.subject.iter().find(|pattern| pattern.contains('*'))?;
    let expanded = with_star.replace("{1}", first.unwrap_or("{1}"));
    attributes
        .iter()
        .find_map(|text| pattern::capture(&expanded, text, pattern::in_subject)?.first().copied())
}

/// Replaces `{subject}` in a pattern; `None` when there is no value for it.
fn bound(pattern: &str, subject: Option<&str>) -> Option<String> {
    match (pattern.contains("{subject}"), subject) {
        (false, _) => Some(pattern.to_owned()),
        // A `*` in the subject itself would let the request choose the pattern.
        (true, subject) => {
            subject.filter(|text| !text.contains('*')).map(|text| pattern.replace("{subject}", text))
        }
    }
}

fn check_dns(dns: &str, line: &RosterLine, allowed: &[String], first: Option<&str>) -> Option<Violation> {
    let bad = |why: &str| Some(Violation::new(Control::NameDns, format!("DNS name {} {why}", shown(dns))));
    if dns.contains('*') {
        return match line
            .wildcards
            .iter()
            .any(|allowed| allowed == dns && is_host(dns.trim_start_matches("*.")))
        {
            true => None,
            false => bad("is a wildcard that the roster line does not list under wildcards"),
        };
    }
    if !is_host(dns) {
        return bad("is not in preferred name syntax (RFC 5280 4.2.1.6)");
    }
    if dns.parse::<IpAddr>().is_ok() {
        return bad("is an IP address, which belongs in iPAddress");
    }
    let lower = dns.to_ascii_lowercase();
    let allowed =
        allowed.iter().any(|p| pattern::matches(&p.to_ascii_lowercase(), first, &lower, pattern::in_label));
    if allowed { None } else { bad("is not allowed by the roster line") }
}

/// Whether a DNS name is in preferred name syntax (RFC 5280 4.2.1.6).
pub fn is_host(dns: &str) -> bool {
    dns.len() <= 253
        && dns.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        })
}

fn check_ip(ip: IpAddr, line: &RosterLine) -> Option<Violation> {
    let mapped = matches!(ip, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some());
    if mapped {
        return Some(Violation::new(
            Control::NameIp,
            format!("IP address {ip} is an IPv4-mapped IPv6 address"),
        ));
    }
    if line.ip.iter().any(|network| network.contains(&ip)) {
        return None;
    }
    Some(Violation::new(Control::NameIp, format!("IP address {ip} is not allowed by the roster line")))
}
