//! Roster lines that can never match: found before anyone travels.

use super::names::is_host;
use super::{Names, ProfileFile, RosterLine, pattern, subject_from};
use crate::media::RelativePath;

/// What stands for a star where a pattern is taken for an example of what it matches.
const EXAMPLE: &str = "x1";
/// Stands for a star where two patterns are compared; no literal of a pattern is the same.
const ANYTHING: &str = "\u{1}";

/// Every roster line that no request can satisfy, with what stands against it and what to do.
pub fn never_matching(roster: &[RosterLine], profiles: &ProfileFile) -> Vec<String> {
    let mut found = Vec::new();
    for (at, line) in roster.iter().enumerate() {
        let mut bad = |what: String| found.push(format!("roster line {} ({:?}): {what}", at + 1, line.path));
        if let Err(error) = RelativePath::new(&line.path.replace('*', EXAMPLE)) {
            bad(format!("no file of a bundle can have this path: {error}"));
        }
        for (number, other) in roster.iter().take(at).enumerate() {
            if let Some(what) = overlaps(other, line) {
                bad(format!(
                    "{what} line {} ({:?}), and a request that two lines match is refused; narrow one of them",
                    number + 1,
                    other.path
                ));
            }
        }
        subjects(line).into_iter().for_each(&mut bad);
        names(line, profiles).into_iter().for_each(&mut bad);
    }
    found
}

/// Whether every path of one line is one of the other, for the same kind of request.
fn overlaps(one: &RosterLine, other: &RosterLine) -> Option<&'static str> {
    if one.signer != other.signer {
        return None;
    }
    let holds = |wide: &RosterLine, narrow: &RosterLine| {
        pattern::capture(&wide.path, &narrow.path.replace('*', ANYTHING), pattern::in_path).is_some()
    };
    match (holds(one, other), holds(other, one)) {
        (true, true) => Some("has the same path as"),
        (true, false) => Some("every path of it is also one of"),
        (false, true) => Some("holds every path of"),
        (false, false) => None,
    }
}

fn example(text: &str) -> String {
    text.replace("{1}", EXAMPLE).replace("{subject}", EXAMPLE).replace('*', EXAMPLE)
}

fn subjects(line: &RosterLine) -> Vec<String> {
    let texts = line.subject.iter().chain(&line.subject_optional);
    texts
        .filter_map(|text| {
            // A country has two capital letters, which no star shows.
            let shown = match text.strip_prefix("C=") {
                Some(value) if value.contains('*') => "C=XX".to_owned(),
                _ => example(text),
            };
            let wrong = subject_from(&[shown]).err()?;
            Some(format!("no subject can have {text:?}: {}", wrong.0))
        })
        .collect()
}

fn names(line: &RosterLine, profiles: &ProfileFile) -> Vec<String> {
    let mut found = Vec::new();
    for text in &line.dns {
        if !is_host(&example(text)) {
            found.push(format!("no DNS name can be {text:?} (RFC 5280 4.2.1.6); correct or remove it"));
        }
    }
    for text in &line.wildcards {
        if !text.strip_prefix("*.").is_some_and(is_host) {
            found.push(format!(
                "{text:?} is not a wildcard name of the form *.example.com; correct or remove it"
            ));
        }
    }
    let none = line.dns.is_empty() && line.ip.is_empty() && line.wildcards.is_empty();
    if profiles.get(&line.profile).is_some_and(|profile| profile.names == Names::Required) && none {
        found.push(format!(
            "certificate profile {} requires a name and the line allows none; add dns, ip or wildcards",
            line.profile
        ));
    }
    found
}
