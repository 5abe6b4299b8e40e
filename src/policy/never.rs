//! Detects roster lines that can never match, before a bundle is carried to the signing machine.

use super::names::is_host;
use super::{Names, ProfileFile, RosterLine, pattern, subject_from};
use crate::media::RelativePath;

/// Replaces `*` to form an example of what a pattern matches.
const EXAMPLE: &str = "x1";
/// Replaces `*` where two patterns are compared; no pattern contains it literally.
const ANYTHING: &str = "\u{1}";

/// Describes every roster line that no request can satisfy, and how to fix it.
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
                    "{what} line {} ({:?}), and a request that matches two lines is refused; narrow one of them",
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

/// Describes how the paths of two lines for the same signer overlap, if they do.
fn overlaps(one: &RosterLine, other: &RosterLine) -> Option<&'static str> {
    if one.signer != other.signer {
        return None;
    }
    let includes = |wide: &RosterLine, narrow: &RosterLine| {
        pattern::capture(&wide.path, &narrow.path.replace('*', ANYTHING), pattern::in_path).is_some()
    };
    match (includes(one, other), includes(other, one)) {
        (true, true) => Some("matches the same paths as"),
        (true, false) => Some("matches only paths of"),
        (false, true) => Some("matches all paths of"),
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
            // A country is two capital letters; no `*` in a pattern expresses that.
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
            found.push(format!("no DNS name matches {text:?} (RFC 5280 4.2.1.6); correct or remove it"));
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
            "certificate profile {} requires a name, but the line allows none; add dns, ip or wildcards",
            line.profile
        ));
    }
    found
}
