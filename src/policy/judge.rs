//! Judges a request: every control is run, and a refusal lists all that failed.

use std::collections::HashMap;
use std::sync::Arc;

use der::Encode;
use x509_cert::name::Name;

use super::approval::Kept;
use super::{
    Approval, CertificateProfile, Error, Judgement, Kind, NamedProfile, Names, Objection, ProfileFile,
    Reserved, Roster, RosterLine, names, object, roster,
};
use crate::digest::Digest;
use crate::keys::{KeyKind, PublicKey};
use crate::media::{RelativePath, shown};
use crate::request::{CertificationRequest, Contents, Control, Entry, Requested, Violation};

/// Result of checking path and names of a request.
struct Examined<'a> {
    line: Option<&'a RosterLine>,
    subject: Option<Name>,
    violations: Vec<Violation>,
}

/// Certificate profiles and roster of a script, and the keys that no request may have.
#[derive(Debug)]
pub struct Policy {
    profiles: HashMap<String, Arc<NamedProfile>>,
    roster: Roster,
    reserved: Vec<Reserved>,
    authorities: HashMap<String, Arc<str>>,
    own_keys: HashMap<Digest, String>,
}

impl Policy {
    /// Creates a policy and checks the roster against the profiles. `own_keys` maps the SHA-256 of
    /// the SubjectPublicKeyInfo of each key in the token to its name.
    ///
    /// # Errors
    /// [`Error`] names the roster line and describes the problem.
    pub fn new(
        profiles: &ProfileFile,
        (roster, reserved): (&[RosterLine], &[Reserved]),
        own_keys: HashMap<Digest, String>,
    ) -> Result<Self, Error> {
        roster.iter().try_for_each(|line| roster::check(line, profiles))?;
        reserved.iter().try_for_each(|names| names.check(profiles))?;
        let named = |(name, profile): (&String, &CertificateProfile)| {
            (name.clone(), Arc::new(NamedProfile { name: name.clone(), profile: profile.clone() }))
        };
        Ok(Self {
            profiles: profiles.iter().map(named).collect(),
            roster: Roster::new(roster),
            reserved: reserved.to_vec(),
            authorities: roster
                .iter()
                .map(|line| (line.authority.clone(), line.authority.as_str().into()))
                .collect(),
            own_keys,
        })
    }

    /// Returns each certificate profile that the roster can issue, with the name of the authority.
    pub fn issues(&self) -> impl Iterator<Item = (&NamedProfile, &str)> {
        self.roster.lines().filter_map(|line| {
            self.profiles.get(&line.profile).map(|profile| (profile.as_ref(), line.authority.as_str()))
        })
    }

    /// Judges one file of a bundle on its own, together with its index entry.
    pub fn judge(&self, path: RelativePath, octets: &[u8], entry: Option<&Entry>) -> Judgement {
        match CertificationRequest::from_file(octets) {
            Ok(request) => {
                let key = request.key().digest();
                let digest = request.digest();
                let outcome = self.decide(&path, request, key, entry);
                Judgement { path, request: digest, key: Some(key), outcome }
            }
            Err(mut rejection) => {
                if let Some(contents) = &rejection.contents {
                    rejection.violations.extend(self.examine(&path, contents, entry).violations);
                }
                let request = Digest::of(octets);
                Judgement { path, request, key: None, outcome: Err(rejection.violations) }
            }
        }
    }

    /// Returns the violation for an objection, or `None` where the roster line permits it.
    pub fn object(&self, path: &RelativePath, objection: &Objection) -> Option<Violation> {
        let (control, message) = match objection {
            Objection::Collision(output) => (
                Control::Collision,
                format!("other requests would produce {output} too, or a folder of this name"),
            ),
            Objection::SamePath => {
                (Control::Collision, "two bundles contain a file with this path".to_owned())
            }
            Objection::KeyTwice(other, holders) => (
                Control::KeyTwice,
                format!(
                    "has the same key as {other}; {holders} requests in this ceremony share it, but each must have its own"
                ),
            ),
            Objection::Answered(place) => {
                (Control::Replay, format!("the same request was already answered by {place}"))
            }
            Objection::Certified(_) if self.roster.reuses_keys(path) => return None,
            Objection::Certified(place) => (
                Control::KeyReuse,
                format!(
                    "the key was certified by {place}; generate a new one, or set reuse_key in the roster line"
                ),
            ),
        };
        Some(Violation::new(control, message))
    }

    /// Restores an approval that the ledger stored.
    ///
    /// # Errors
    /// [`Error`] when the approval does not belong to this script.
    pub fn restore(
        &self,
        path: RelativePath,
        request: Digest,
        key: PublicKey,
        kept: &str,
    ) -> Result<Approval, Error> {
        let wrong = |what: &str| Error(format!("{path}: the ledger's approval {what}"));
        let kept = Kept::read(kept).map_err(|e| wrong(&e.0))?;
        let profile = self.profiles.get(&kept.profile).ok_or_else(|| wrong("has an unknown profile"))?;
        let authority =
            self.authorities.get(&kept.authority).ok_or_else(|| wrong("has an unknown authority"))?;
        let (profile, authority) = (Arc::clone(profile), Arc::clone(authority));
        kept.approval(path, request, profile, authority, key)
    }

    fn decide(
        &self,
        path: &RelativePath,
        request: CertificationRequest,
        key: Digest,
        entry: Option<&Entry>,
    ) -> Result<Approval, Vec<Violation>> {
        let Examined { line, subject, violations: by_names } = self.examine(path, request.contents(), entry);
        let own = self.own_keys.get(&key);
        let own = own.map(|name| {
            Violation::new(Control::KeyAuthority, format!("the key is that of {name} in the token"))
        });
        let weak = line.and_then(|line| self.check_signer(&line.profile, request.key().kind()));
        let violations: Vec<Violation> = own.into_iter().chain(weak).chain(by_names).collect();
        match (line, subject) {
            (Some(line), Some(subject)) if violations.is_empty() => {
                self.approve(path, request, line, &subject, entry)
            }
            _ => Err(violations),
        }
    }

    /// A key that signs certificates must outlast them, and every verifier must support it.
    fn check_signer(&self, profile: &str, key: KeyKind) -> Option<Violation> {
        let delegated = self.profiles.get(profile).is_some_and(|named| named.profile.kind == Kind::Delegated);
        let fit = match key {
            KeyKind::P256 | KeyKind::P384 | KeyKind::P521 => true,
            KeyKind::Rsa(bits) => bits >= 3072,
            KeyKind::Ed25519 => false,
        };
        (delegated && !fit).then(|| {
            Violation::new(
                Control::CaDelegate,
                format!(
                    "the key is {key}, a delegated authority requires ECDSA or RSA of at least 3072 bits"
                ),
            )
        })
    }

    /// Checks path and names against the roster.
    fn examine(&self, path: &RelativePath, contents: &Contents, entry: Option<&Entry>) -> Examined<'_> {
        // Otherwise what was signed could not be released.
        let unreleasable = path.released().err().map(|error| {
            Violation::new(Control::Collision, format!("its certificate has no place in a release: {error}"))
        });
        let mut violations: Vec<Violation> = unreleasable.into_iter().collect();
        let object = entry.and_then(|entry| entry.object.as_ref());
        let line = self
            .roster
            .line(path, object.map(|object| object.signer.as_str()))
            .map_err(|violation| violations.push(violation))
            .ok();
        // Before anything is matched with them.
        let attributes = names::bounded_attributes(&contents.subject).map_err(subject_violation);
        let attributes = attributes.map_err(|violation| violations.push(violation)).ok();
        if let Some((line, _)) = &line {
            violations.extend(entry.and_then(|entry| check_profile(entry, line)));
        }
        let too_many = self.check_counts(contents, line.map(|(line, _)| line));
        let countable = too_many.is_empty();
        violations.extend(too_many);
        if let (Some((line, first)), Some(attributes), true) = (&line, &attributes, countable) {
            violations.extend(self.check_names(&contents.requested, line, *first, attributes));
            if let (Some(object), Some(named)) = (object, self.profiles.get(&line.profile)) {
                violations.extend(object::check(object, line, &named.profile, attributes));
            }
        }
        let subject =
            attributes.map(|attributes| names::subject_from(&attributes).map_err(subject_violation));
        let subject =
            subject.and_then(|subject| subject.map_err(|violation| violations.push(violation)).ok());
        Examined { line: line.map(|(line, _)| line), subject, violations }
    }

    /// Checks how much there is to match, before anything is matched.
    fn check_counts(&self, contents: &Contents, line: Option<&RosterLine>) -> Vec<Violation> {
        let attributes = contents.subject.iter_rdn().map(|rdn| rdn.as_ref().len()).sum();
        let asked = &contents.requested;
        let names = asked.dns.len() + asked.ip.len() + asked.other_names.len();
        let profile = line.and_then(|line| self.profiles.get(&line.profile));
        let most = profile.map_or(usize::MAX, |named| named.profile.most_names());
        let counts =
            [("subject attributes", attributes, names::MOST_ATTRIBUTES), ("alternative names", names, most)];
        let too_many = counts.into_iter().filter(|(_, count, most)| count > most);
        too_many
            .map(|(what, count, most)| {
                Violation::new(
                    Control::NameCount,
                    format!("{count} {what} are requested, at most {most} are allowed"),
                )
            })
            .collect()
    }

    fn check_names(
        &self,
        asked: &Requested,
        line: &RosterLine,
        first: Option<&str>,
        attributes: &[String],
    ) -> Vec<Violation> {
        let Some(profile) = self.profiles.get(&line.profile).map(|named| &named.profile) else {
            return Vec::new();
        };
        // Both lists apply: a roster line may narrow what its profile requires, never widen it.
        let mut required = profile.subject.clone();
        required.extend(line.subject.iter().filter(|pattern| !profile.subject.contains(pattern)).cloned());
        let mut violations = names::check_subject(attributes, &required, &line.subject_optional, first);
        violations.extend(self.reserved.iter().flat_map(|names| names.violations(asked, &line.profile)));
        let count = asked.dns.len() + asked.ip.len() + asked.other_names.len();
        match profile.names {
            Names::Forbidden if count > 0 => violations.push(Violation::new(
                Control::NameType,
                format!(
                    "alternative names are requested ({count}), but certificate profile {} allows none",
                    line.profile
                ),
            )),
            Names::Required if count == 0 => violations.push(Violation::new(
                Control::NameMissing,
                format!(
                    "no DNS name or IP address is requested, but certificate profile {} requires one",
                    line.profile
                ),
            )),
            _ if attributes.is_empty() && count == 0 => violations.push(Violation::new(
                Control::NameMissing,
                "subject is empty and no alternative name is requested (RFC 5280 4.1.2.6)",
            )),
            _ => violations.extend(names::check_alternatives(asked, line, first, attributes)),
        }
        violations
    }

    fn approve(
        &self,
        path: &RelativePath,
        request: CertificationRequest,
        line: &RosterLine,
        subject: &Name,
        entry: Option<&Entry>,
    ) -> Result<Approval, Vec<Violation>> {
        let object = entry.and_then(|entry| entry.object.as_ref());
        let profile = self.profiles.get(&line.profile).ok_or_else(Vec::new)?;
        let authority = self.authorities.get(&line.authority).ok_or_else(Vec::new)?;
        let longest = u64::from(line.days.unwrap_or(profile.profile.days)) * 86_400;
        let asked = object.and_then(|object| object.expiration_seconds).map(|asked| u64::from(asked.get()));
        let digest = request.digest();
        let (Requested { dns, ip, overridden, .. }, key) = request.into_parts();
        Ok(Approval {
            path: path.clone(),
            request: digest,
            profile: Arc::clone(profile),
            authority: Arc::clone(authority),
            subject: subject
                .to_der()
                .map_err(|e| vec![Violation::new(Control::NameSubject, e.to_string())])?,
            dns,
            ip,
            key,
            seconds: asked.map_or(longest, |asked| asked.min(longest)),
            notes: overridden,
            object: object.map(object::described),
        })
    }
}

fn check_profile(entry: &Entry, line: &RosterLine) -> Option<Violation> {
    let named = entry.profile.as_ref().filter(|named| **named != line.profile)?;
    Some(Violation::new(
        Control::IndexProfile,
        format!(
            "the bundle's index names certificate profile {}, the roster line has {}",
            shown(named),
            line.profile
        ),
    ))
}

fn subject_violation(error: names::SubjectError) -> Violation {
    Violation::new(Control::NameSubject, error.0)
}
