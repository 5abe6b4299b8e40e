//! The roster: which request may become which certificate under which authority.

use std::collections::HashMap;

use ipnet::IpNet;
use serde::Deserialize;

use super::{Error, ExtendedUse, Kind, Names, ProfileFile, Use, pattern};
use crate::media::{RelativePath, shown};
use crate::request::{Control, Violation};

/// A line of a script's roster.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RosterLine {
    /// Pattern of the request's path in the bundle.
    pub path: String,
    /// Name of the certificate profile.
    pub profile: String,
    /// Name of the issuing authority.
    pub authority: String,
    /// Required subject attributes, each matching exactly one of the request's: `CN=system:node:*`.
    #[serde(default)]
    pub subject: Vec<String>,
    /// Optional subject attributes.
    #[serde(default)]
    pub subject_optional: Vec<String>,
    /// Patterns of allowed DNS names.
    #[serde(default)]
    pub dns: Vec<String>,
    /// Networks of allowed IP addresses.
    #[serde(default)]
    pub ip: Vec<IpNet>,
    /// Allowed wildcard DNS names, verbatim: `*.apps.example`.
    #[serde(default)]
    pub wildcards: Vec<String>,
    /// Validity in days, when shorter than the profile's.
    pub days: Option<u32>,
    /// Whether a key may be certified again.
    #[serde(default)]
    pub reuse_key: bool,
    /// Whether the line makes the key's holder an authority; must be stated explicitly.
    #[serde(default)]
    pub delegate: bool,
    /// Signer of objects that this line applies to; `None` for requests without an object.
    pub signer: Option<String>,
    /// Patterns of allowed requesters of an object, `{CN}` being the subject's; empty allows
    /// anyone.
    #[serde(default)]
    pub requester: Vec<String>,
    /// Usages that an object must request. Others are allowed if the certificate profile has them.
    #[serde(default)]
    pub usages: Vec<String>,
}

impl RosterLine {
    /// Returns what each `*` of the path pattern matched, or `None`.
    pub fn captures<'t>(&self, path: &'t str) -> Option<Vec<&'t str>> {
        pattern::capture(&self.path, path, pattern::in_path)
    }

    /// Whether the line applies to objects of this signer, or to requests without an object.
    pub fn is_for(&self, signer: Option<&str>) -> bool {
        self.signer.as_deref() == signer
    }
}

/// The lines of a roster, indexed by path; only lines with a `*` are searched.
#[derive(Debug)]
pub struct Roster {
    lines: Vec<RosterLine>,
    exact: HashMap<String, Vec<usize>>,
    patterns: Vec<usize>,
}

/// A roster line with what the first `*` of its path matched.
pub type Found<'l, 'p> = (&'l RosterLine, Option<&'p str>);

impl Roster {
    pub fn new(lines: &[RosterLine]) -> Self {
        let mut exact: HashMap<String, Vec<usize>> = HashMap::new();
        let mut patterns = Vec::new();
        for (at, line) in lines.iter().enumerate() {
            match line.path.contains('*') {
                true => patterns.push(at),
                false => exact.entry(line.path.clone()).or_default().push(at),
            }
        }
        Self { lines: lines.to_vec(), exact, patterns }
    }

    pub fn lines(&self) -> impl Iterator<Item = &RosterLine> {
        self.lines.iter()
    }

    fn matching<'l, 'p>(&'l self, path: &'p RelativePath) -> impl Iterator<Item = Found<'l, 'p>> {
        let exact = self.exact.get(path.as_str()).into_iter().flatten();
        exact.chain(&self.patterns).filter_map(|at| {
            let line = self.lines.get(*at)?;
            Some((line, line.captures(path.as_str())?.into_iter().next()))
        })
    }

    /// Whether a key at this path may be certified again.
    pub fn reuses_keys(&self, path: &RelativePath) -> bool {
        let mut lines = self.matching(path).peekable();
        lines.peek().is_some() && lines.all(|(line, _)| line.reuse_key)
    }

    /// Returns the one line for this path and this signer (`None`: requests without an object).
    pub fn line<'l, 'p>(
        &'l self,
        path: &'p RelativePath,
        signer: Option<&str>,
    ) -> Result<Found<'l, 'p>, Violation> {
        let mut found = self.matching(path).filter(|(line, _)| line.is_for(signer));
        let bad = |message: String| Violation::new(Control::RosterLine, message);
        match (found.next(), found.next()) {
            (Some(line), None) => Ok(line),
            (None, _) => {
                Err(bad(format!("no roster line matches the path {path}{}", self.other(path, signer))))
            }
            (Some(one), Some(two)) => Err(bad(format!(
                "roster lines {:?} and {:?} both match the path {path}",
                one.0.path, two.0.path
            ))),
        }
    }

    /// Describes the lines for the path that are for other signers.
    fn other(&self, path: &RelativePath, signer: Option<&str>) -> String {
        let signers: Vec<&str> =
            self.matching(path).map(|(line, _)| line.signer.as_deref().unwrap_or("none")).collect();
        match (signer, signers.is_empty()) {
            (None, true) => String::new(),
            (None, false) => format!(
                " for a request without an object; lines for this path have the signers {}",
                signers.join(", ")
            ),
            (Some(signer), true) => format!(" and the signer {}", shown(signer)),
            (Some(signer), false) => {
                format!(
                    " and the signer {}; lines for this path have the signers {}",
                    shown(signer),
                    signers.join(", ")
                )
            }
        }
    }
}

/// Checks a line against its certificate profile.
///
/// # Errors
/// [`Error`] names line, key and requirement.
pub fn check(line: &RosterLine, profiles: &ProfileFile) -> Result<(), Error> {
    let at = |message: String| Error(format!("roster line {:?}: {message}", line.path));
    let profile = profiles.get(&line.profile).ok_or_else(|| {
        at(format!("certificate profile {:?} is not in any file that the script names", line.profile))
    })?;
    match profile.kind {
        Kind::Leaf if line.delegate => {
            return Err(at(format!("delegate is true, but certificate profile {} is a leaf", line.profile)));
        }
        Kind::Leaf => {}
        Kind::Delegated => check_delegation(line).map_err(at)?,
        _ => return Err(at(format!("certificate profile {} is neither leaf nor delegated", line.profile))),
    }
    if line.days.is_some_and(|days| days == 0 || days > profile.days) {
        return Err(at(format!(
            "days is not between 1 and {}, the maximum of certificate profile {}",
            profile.days, line.profile
        )));
    }
    let named = !(line.dns.is_empty() && line.ip.is_empty() && line.wildcards.is_empty());
    if profile.names == Names::Forbidden && named {
        return Err(at(format!(
            "certificate profile {} allows no names, so dns, ip and wildcards must be absent",
            line.profile
        )));
    }
    let mut texts = line.subject.iter().chain(&line.subject_optional).chain(&line.dns);
    if !line.path.contains('*') && texts.any(|text| text.contains("{1}")) {
        return Err(at("{1} refers to the * in path, and path has no *".into()));
    }
    if line.dns.iter().any(|text| text.contains("{subject}"))
        && !line.subject.iter().any(|text| text.contains('*'))
    {
        return Err(at("{subject} refers to the * in subject, and subject has no *".into()));
    }
    if line.signer.is_none() && !(line.requester.is_empty() && line.usages.is_empty()) {
        return Err(at("requester and usages apply to objects, so signer is required".into()));
    }
    let bits = profile.key_usage.iter().copied().map(Use::name);
    let given: Vec<&str> =
        bits.chain(profile.extended_key_usage.iter().copied().map(ExtendedUse::name)).collect();
    match line.usages.iter().find(|usage| !given.contains(&usage.as_str())) {
        None => Ok(()),
        Some(usage) => Err(at(format!(
            "usage {usage:?} is not in certificate profile {}, which has {}",
            line.profile,
            given.join(", ")
        ))),
    }
}

/// A delegated authority must be intended: exactly one request, one subject, a new key.
fn check_delegation(line: &RosterLine) -> Result<(), String> {
    let open = |texts: &[String]| texts.iter().any(|text| text.contains(['*', '{']));
    let rules = [
        (line.delegate, "certificate profile is delegated, so delegate = true is required"),
        (!line.path.contains('*'), "delegate is for one request, so path must not contain *"),
        (
            !line.subject.is_empty() && !open(&line.subject),
            "delegate requires an exact subject, without * and {1}",
        ),
        (
            line.subject_optional.is_empty(),
            "delegate requires an exact subject, so subject_optional must be absent",
        ),
        (!line.reuse_key, "delegate is for a new key, so reuse_key must be absent"),
        (line.signer.is_none(), "delegate is not for objects, so signer must be absent"),
    ];
    match rules.into_iter().find(|(satisfied, _)| !satisfied) {
        None => Ok(()),
        Some((_, message)) => Err(message.to_owned()),
    }
}
