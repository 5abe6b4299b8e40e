//! Checks a CertificateSigningRequest object against roster and certificate profile. Objects are
//! plain data here; the script defines which signers exist.

use super::{CertificateProfile, RosterLine, pattern};
use crate::media::shown;
use crate::request::{Control, Object, Violation};

/// Returns all violations of an object. `attributes` are those of the subject, as `TYPE=value`.
pub fn check(
    object: &Object,
    line: &RosterLine,
    profile: &CertificateProfile,
    attributes: &[String],
) -> Vec<Violation> {
    let mut violations: Vec<Violation> = requester(object, line, attributes).into_iter().collect();
    violations.extend(usages(object, line, profile));
    violations
}

/// `{CN}` in a pattern is the subject's common name.
fn requester(object: &Object, line: &RosterLine, attributes: &[String]) -> Option<Violation> {
    if line.requester.is_empty() {
        return None;
    }
    let common_name = attributes.iter().find_map(|text| text.strip_prefix("CN="));
    let fits = |wanted: &String| match wanted == "{CN}" {
        true => common_name == Some(object.requester.as_str()),
        false => pattern::capture(wanted, &object.requester, pattern::in_subject).is_some(),
    };
    if line.requester.iter().any(fits) {
        return None;
    }
    Some(Violation::new(
        Control::ObjectRequester,
        format!(
            "object {} was requested by {}, but the roster line allows only {} (the subject's CN is {})",
            shown(&object.name),
            shown(&object.requester),
            line.requester.join(", "),
            common_name.map_or_else(|| "absent".to_owned(), shown)
        ),
    ))
}

fn usages(object: &Object, line: &RosterLine, profile: &CertificateProfile) -> Option<Violation> {
    let bits = profile.key_usage.iter().map(|bit| bit.name());
    let given: Vec<&str> = bits.chain(profile.extended_key_usage.iter().map(|use_| use_.name())).collect();
    let beyond: Vec<String> =
        object.usages.iter().filter(|asked| !given.contains(&asked.as_str())).map(|u| shown(u)).collect();
    let missing: Vec<&str> =
        line.usages.iter().filter(|needed| !object.usages.contains(needed)).map(String::as_str).collect();
    let list = |items: &[String]| if items.is_empty() { "none".to_owned() } else { shown(&items.join(", ")) };
    let why = match (beyond.is_empty(), missing.is_empty()) {
        (true, true) => return None,
        (false, _) => format!(
            "requests {}, but certificate profile {} allows only {}",
            beyond.join(", "),
            line.profile,
            given.join(", ")
        ),
        (true, false) => {
            format!(
                "requests {}, but the roster line also requires {}",
                list(&object.usages),
                missing.join(", ")
            )
        }
    };
    Some(Violation::new(Control::ObjectUsages, format!("object {} {why}", shown(&object.name))))
}

/// Returns an object in one line, for display.
pub fn described(object: &Object) -> String {
    let groups = match object.groups.is_empty() {
        true => String::new(),
        false => format!(" ({})", object.groups.join(", ")),
    };
    let approver = object.approver.as_deref().unwrap_or("the server does not say by whom");
    let Object { name, signer, requester, .. } = object;
    format!("object {name} for {signer}, asked by {requester}{groups}, approved ({approver})")
}
