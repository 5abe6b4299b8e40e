//! The decision: every control is run, and a refusal lists all that failed.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use x509_cert::name::Name;

use super::{CertificateProfile, Error, Kind, Names, ProfileFile, RosterLine, names};
use crate::digest::Digest;
use crate::keys::PublicKey;
use crate::media::RelativePath;
use crate::request::{Bundle, CertificationRequest, Control, Requested, Violation, Wishes};

/// What was promised before; the ledger knows.
pub trait History {
    /// Whose key this is, when it belongs to an authority or a manifest signer.
    fn authority_with_key(&self, key: Digest) -> Option<String>;
    /// Where this key was certified before: ceremony number and path.
    fn certified_key(&self, key: Digest) -> Option<String>;
    /// Where this request was answered with a certificate before.
    fn answered_request(&self, request: Digest) -> Option<String>;
}

/// Policy said yes: what the certificate will say, but for serial number and time.
#[derive(Clone, Debug)]
pub struct Approval {
    pub(crate) path: RelativePath,
    pub(crate) request: Digest,
    pub(crate) profile_name: String,
    pub(crate) profile: CertificateProfile,
    pub(crate) authority: String,
    pub(crate) subject: Name,
    pub(crate) dns: Vec<String>,
    pub(crate) ip: Vec<IpAddr>,
    pub(crate) key: PublicKey,
    pub(crate) days: u32,
    pub(crate) notes: Vec<String>,
}

impl Approval {
    /// The request's path.
    pub fn path(&self) -> &RelativePath {
        &self.path
    }

    /// The certificate profile's name.
    pub fn profile_name(&self) -> &str {
        &self.profile_name
    }

    /// The issuing authority's name.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The subject to be certified.
    pub fn subject(&self) -> &Name {
        &self.subject
    }

    /// What the request asked for and does not get.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// DNS names and addresses, to be shown.
    pub fn names(&self) -> Vec<String> {
        self.dns.iter().cloned().chain(self.ip.iter().map(IpAddr::to_string)).collect()
    }
}

/// Policy said no.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The request's path.
    pub path: RelativePath,
    /// SHA-256 over the file.
    pub request: Digest,
    /// Everything that stands against it.
    pub violations: Vec<Violation>,
}

/// A bundle after judgement, both in the order of paths.
#[derive(Clone, Debug, Default)]
pub struct Judged {
    /// What may be issued.
    pub approvals: Vec<Approval>,
    /// What may not.
    pub refusals: Vec<Refusal>,
}

/// What path and names of a request amount to.
struct Examined<'a> {
    line: Option<&'a RosterLine>,
    subject: Option<Name>,
    violations: Vec<Violation>,
}

/// Certificate profiles and roster of one script.
#[derive(Debug)]
pub struct Policy<'a> {
    profiles: &'a ProfileFile,
    roster: &'a [RosterLine],
}

impl<'a> Policy<'a> {
    /// Checks that the roster fits the profiles.
    ///
    /// # Errors
    /// [`Error`] names the roster line and what is wrong with it.
    pub fn new(profiles: &'a ProfileFile, roster: &'a [RosterLine]) -> Result<Self, Error> {
        for line in roster {
            let at = |message: String| Error(format!("roster line {:?}: {message}", line.path));
            let profile = profiles.get(&line.profile).ok_or_else(|| {
                at(format!("certificate profile {:?} is in no file that the script names", line.profile))
            })?;
            if profile.kind != Kind::Leaf {
                return Err(at(format!("certificate profile {} is no leaf", line.profile)));
            }
            if line.days.is_some_and(|days| days == 0 || days > profile.days) {
                return Err(at(format!(
                    "days is not between 1 and the {} of certificate profile {}",
                    profile.days, line.profile
                )));
            }
            if profile.names == Names::Forbidden
                && !(line.dns.is_empty() && line.ip.is_empty() && line.wildcards.is_empty())
            {
                return Err(at(format!(
                    "certificate profile {} has no names, so dns, ip and wildcards must be absent",
                    line.profile
                )));
            }
            let texts = line.subject.iter().chain(&line.subject_optional).chain(&line.dns);
            if !line.path.contains('*') && texts.clone().any(|text| text.contains("{1}")) {
                return Err(at("{1} stands for what * of path matched, and path has no *".into()));
            }
        }
        Ok(Self { profiles, roster })
    }

    /// Judges every file of a bundle.
    pub fn judge(&self, bundle: &Bundle, history: &dyn History) -> Judged {
        let requests = bundle.requests();
        let digests: BTreeMap<&RelativePath, Digest> =
            bundle.files().map(|(path, octets)| (path, Digest::of(octets))).collect();
        let mut holders: HashMap<Digest, usize> = HashMap::new();
        for request in requests.iter().filter_map(|(_, parsed)| parsed.as_ref().ok()) {
            *holders.entry(request.key().digest()).or_default() += 1;
        }
        let mut judged = Judged::default();
        for (path, parsed) in requests {
            let digest = digests.get(&path).copied().unwrap_or_else(|| Digest::of(&[]));
            let decided = match parsed {
                Ok(request) => {
                    let holders = holders.get(&request.key().digest()).copied().unwrap_or_default();
                    self.decide(&path, &request, holders, history)
                }
                Err(mut rejection) => {
                    if let Some(wishes) = &rejection.wishes {
                        rejection.violations.extend(self.examine(&path, wishes).violations);
                    }
                    Err(rejection.violations)
                }
            };
            match decided {
                Ok(approval) => judged.approvals.push(approval),
                Err(violations) => judged.refusals.push(Refusal { path, request: digest, violations }),
            }
        }
        judged
    }

    fn decide(
        &self,
        path: &RelativePath,
        request: &CertificationRequest,
        holders: usize,
        history: &dyn History,
    ) -> Result<Approval, Vec<Violation>> {
        let Examined { line, subject, violations: by_names } = self.examine(path, request.wishes());
        let mut violations = Vec::new();
        if holders > 1 {
            violations.push(Violation::new(
                Control::KeyTwice,
                format!(
                    "{holders} requests of this ceremony carry the same key, required is a key of its own for each"
                ),
            ));
        }
        violations.extend(check_history(request, line.is_some_and(|line| line.reuse_key), history));
        violations.extend(by_names);
        match (line, subject) {
            (Some(line), Some(subject)) if violations.is_empty() => {
                self.approve(path, request, line, subject)
            }
            _ => Err(violations),
        }
    }

    /// Holds path and names against the roster.
    fn examine(&self, path: &RelativePath, wishes: &Wishes) -> Examined<'_> {
        let mut violations = Vec::new();
        let line = self.line(path).map_err(|violation| violations.push(violation)).ok();
        let attributes = names::attributes(&wishes.subject).map_err(subject_violation);
        let attributes = attributes.map_err(|violation| violations.push(violation)).ok();
        if let (Some((line, first)), Some(attributes)) = (&line, &attributes) {
            violations.extend(self.check_names(&wishes.requested, line, first.as_deref(), attributes));
        }
        let subject =
            attributes.map(|attributes| names::subject_from(&attributes).map_err(subject_violation));
        let subject =
            subject.and_then(|subject| subject.map_err(|violation| violations.push(violation)).ok());
        Examined { line: line.map(|(line, _)| line), subject, violations }
    }

    fn line(&self, path: &RelativePath) -> Result<(&RosterLine, Option<String>), Violation> {
        let mut found = self
            .roster
            .iter()
            .filter_map(|line| Some((line, line.captures(path.as_str())?.into_iter().next())));
        let bad = |message: String| Violation::new(Control::RosterLine, message);
        match (found.next(), found.next()) {
            (Some(line), None) => Ok(line),
            (None, _) => Err(bad(format!("no roster line matches the path {path}"))),
            (Some(one), Some(two)) => Err(bad(format!(
                "roster lines {:?} and {:?} both match the path {path}",
                one.0.path, two.0.path
            ))),
        }
    }

    fn check_names(
        &self,
        asked: &Requested,
        line: &RosterLine,
        first: Option<&str>,
        attributes: &[String],
    ) -> Vec<Violation> {
        let Some(profile) = self.profiles.get(&line.profile) else { return Vec::new() };
        // Both lists bind: a roster line may narrow what its profile demands, never widen it.
        let mut required = profile.subject.clone();
        required.extend(line.subject.iter().filter(|pattern| !profile.subject.contains(pattern)).cloned());
        let mut violations = names::check_subject(attributes, &required, &line.subject_optional, first);
        let count = asked.dns.len() + asked.ip.len() + asked.other_names.len();
        match profile.names {
            Names::Forbidden if count > 0 => violations.push(Violation::new(
                Control::NameType,
                format!(
                    "{count} alternative names are asked for, certificate profile {} has none",
                    line.profile
                ),
            )),
            Names::Required if count == 0 => violations.push(Violation::new(
                Control::NameMissing,
                format!(
                    "no DNS name or IP address is asked for, certificate profile {} requires one",
                    line.profile
                ),
            )),
            _ if attributes.is_empty() && count == 0 => violations.push(Violation::new(
                Control::NameMissing,
                "subject is empty and no alternative name is asked for (RFC 5280 4.1.2.6)",
            )),
            _ => violations.extend(names::check_alternatives(asked, line, first)),
        }
        violations
    }

    fn approve(
        &self,
        path: &RelativePath,
        request: &CertificationRequest,
        line: &RosterLine,
        subject: Name,
    ) -> Result<Approval, Vec<Violation>> {
        let profile = self.profiles.get(&line.profile).ok_or_else(Vec::new)?;
        let requested = &request.wishes().requested;
        Ok(Approval {
            path: path.clone(),
            request: request.digest(),
            profile_name: line.profile.clone(),
            profile: profile.clone(),
            authority: line.authority.clone(),
            subject,
            dns: requested.dns.clone(),
            ip: requested.ip.clone(),
            key: request.key().clone(),
            days: line.days.unwrap_or(profile.days),
            notes: requested.overridden.clone(),
        })
    }
}

fn subject_violation(error: names::SubjectError) -> Violation {
    Violation::new(Control::NameSubject, error.0)
}

fn check_history(request: &CertificationRequest, reuse: bool, history: &dyn History) -> Vec<Violation> {
    let key = request.key().digest();
    let mut violations = Vec::new();
    if let Some(name) = history.authority_with_key(key) {
        violations.push(Violation::new(Control::KeyAuthority, format!("the key is that of {name} itself")));
    }
    if let Some(place) = history.answered_request(request.digest()) {
        violations
            .push(Violation::new(Control::Replay, format!("this very request was answered by {place}")));
    } else if let Some(place) = history.certified_key(key).filter(|_| !reuse) {
        violations.push(Violation::new(
            Control::KeyReuse,
            format!("the key was certified by {place}; make a new one, or set reuse_key in the roster line"),
        ));
    }
    violations
}
