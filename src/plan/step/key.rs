//! Keys that steps use, and the rules of the two acts that create one.

use super::{OnPaper, not_asked};
use crate::keys::KeyRequest;
use crate::policy::{Kind, ProfileFile, subject_from};
use crate::record::{
    Event, KeyFound, KeyGenerated, KeyReserved, KeyRole, KeyWithdrawn, Prompt, State, question,
};

/// A key that a step uses or creates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyUse<'s> {
    /// Name of the key.
    pub name: &'s str,
    /// Purpose of the key.
    pub role: KeyRole,
    /// Whether the step creates the key.
    pub makes: bool,
}

impl<'s> KeyUse<'s> {
    pub(super) fn uses(name: &'s str, role: KeyRole) -> Self {
        Self { name, role, makes: false }
    }

    pub(super) fn makes(name: &'s str, role: KeyRole) -> Self {
        Self { name, role, makes: true }
    }
}

/// A key in the token that a step creates, with its certificate.
#[derive(Clone, Debug)]
pub struct KeySpec {
    /// Name in scripts, and label in the token.
    pub name: String,
    /// Purpose of the key.
    pub role: KeyRole,
    /// Name of the certificate profile.
    pub profile: String,
    /// Subject, one attribute per string.
    pub subject: Vec<String>,
    /// Kind of key.
    pub key: KeyRequest,
    /// Validity of the certificate, in days.
    pub days: u32,
    /// Name of the issuing authority; none for a root.
    pub issuer: Option<String>,
}

impl KeySpec {
    /// Returns the name of the authority that issues its certificate.
    pub fn issuer(&self) -> &str {
        self.issuer.as_deref().unwrap_or(&self.name)
    }

    pub(super) fn check(&self, profiles: &ProfileFile) -> Result<(), String> {
        let kind = match (self.role, &self.issuer) {
            (KeyRole::Manifest, _) => Kind::Manifest,
            (KeyRole::Authority, Some(_)) => Kind::Intermediate,
            (KeyRole::Authority, None) => Kind::Root,
        };
        let (name, profile, days) = (&self.name, &self.profile, self.days);
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if name.is_empty() || name.len() > 32 || !name.bytes().all(plain) {
            return Err(format!("name {name:?} must be 1 to 32 characters of a-z, 0-9 and -"));
        }
        let found = profiles.get(profile).ok_or_else(|| {
            format!("certificate profile {profile:?} is not in any file that the script names")
        })?;
        if found.kind != kind {
            return Err(format!("certificate profile {profile} has kind {:?}, must be {kind:?}", found.kind));
        }
        if days == 0 || days > found.days {
            return Err(format!("days is {days}, certificate profile {profile} allows 1 to {}", found.days));
        }
        if self.subject.is_empty() {
            return Err("subject is empty".into());
        }
        subject_from(&self.subject).map(|_| ()).map_err(|e| e.0)
    }

    pub(super) fn paper(&self) -> OnPaper {
        let subject = subject_from(&self.subject);
        let facts = vec![
            ("Name", self.name.clone()),
            ("Subject", subject.map_or_else(|_| self.subject.join(", "), |name| name.to_string())),
            ("Key", self.key.to_string()),
            ("Certificate profile", self.profile.clone()),
            ("Days", self.days.to_string()),
            ("Issuer", self.issuer.clone().unwrap_or_else(|| "itself (root)".into())),
            ("Certificate SHA-256", String::new()),
        ];
        let paper = OnPaper::new(
            [question::create(&self.name)],
            [
                "The key's attributes as the token reports them",
                "The certificate's subject, end of validity and SHA-256",
            ],
            ["The SHA-256 of the certificate; write it down above, and read it back"],
        );
        OnPaper { facts, ..paper }
    }

    pub(super) fn is_asked(&self, prompt: &Prompt) -> bool {
        matches!(prompt, Prompt::Create(key) if key.name == self.name)
    }

    pub(super) fn allows(&self, event: &Event) -> Result<(), String> {
        let (name, made) = match event {
            Event::KeyIntended(key) => {
                let made = (key.role, key.profile.as_str(), key.issuer.as_str());
                (&key.name, Some(made).filter(|_| key.key == self.key))
            }
            Event::Certificate(key) => {
                (&key.name, Some((key.role, key.profile.as_str(), key.issuer.as_str())))
            }
            Event::KeyFound(KeyFound { name, .. })
            | Event::KeyWithdrawn(KeyWithdrawn { name, .. })
            | Event::KeyGenerated(KeyGenerated { name, .. })
            | Event::KeyReserved(KeyReserved { name, .. }) => (name, Some(self.expected())),
            event => return not_asked(event),
        };
        match made {
            _ if *name != self.name => not_asked(event),
            Some(made) if made == self.expected() => Ok(()),
            _ => Err(format!(
                "has a record of the key {name} with another kind, role, profile or issuer than the script specifies"
            )),
        }
    }

    fn expected(&self) -> (KeyRole, &str, &str) {
        (self.role, &self.profile, self.issuer())
    }

    pub(super) fn is_done(&self, state: &State) -> Result<(), String> {
        let mut made = state.keys.iter().filter(|key| key.name == self.name && !key.withdrawn);
        match made.next() {
            Some(key) if key.generated.is_none() => Err("the transcript has no generated key for it".into()),
            Some(key) if key.certificate.is_some() => Ok(()),
            _ => Err("the transcript has no certificate for it".into()),
        }
    }
}
