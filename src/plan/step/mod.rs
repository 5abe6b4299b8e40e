//! Steps: the acts of a script. Each file defines an act's keys in the script, its prerequisites, its prompt,
//! its text on paper, and the records it must produce.

mod create_authority;
mod create_manifest_key;
mod custody;
mod import;
mod inventory;
mod issue;
mod machine;
mod open_token;
mod pause;
mod record;
mod release;
mod review;

use serde::{Deserialize, Deserializer, de};

use super::{Count, Roles};
use crate::keys::KeyRequest;
use crate::policy::{Kind, ProfileFile, RosterLine, subject_from};
use crate::record::{self as events, Event, KeyRole, Prompt, State, question};

/// Declares the acts with their names in scripts, transcripts and on screen.
macro_rules! acts {
    ($($name:literal $module:ident $Act:ident;)*) => {
        $(pub use $module::$Act;)*

        /// The act of a step.
        #[derive(Clone, Debug, Deserialize)]
        #[serde(tag = "act")]
        pub enum Act {
            $(#[doc = concat!("`", $name, "`")] #[serde(rename = $name)] $Act($Act),)*
        }

        impl Act {
            /// Returns the name of the act.
            pub fn name(&self) -> &'static str {
                match self { $(Self::$Act(_) => $name,)* }
            }

            /// Returns the rules of the act.
            pub fn rules(&self) -> &dyn Rules {
                match self { $(Self::$Act(act) => act,)* }
            }
        }
    };
}

acts! {
    "machine" machine Machine;
    "open-token" open_token OpenToken;
    "inventory" inventory Inventory;
    "custody" custody Custody;
    "record" record Record;
    "create-authority" create_authority CreateAuthority;
    "create-manifest-key" create_manifest_key CreateManifestKey;
    "import" import Import;
    "review" review Review;
    "issue" issue Issue;
    "release" release Release;
    "pause" pause Pause;
}

pub use inventory::StrangerRule;
pub use machine::NetworkRule;
pub use open_token::PinRule;
pub use review::RefusalRule;

/// A step of a script.
#[derive(Clone, Debug)]
pub struct Step {
    /// The act.
    pub act: Act,
    /// People who confirm its prompt; the default is `people.confirm`.
    pub confirm: Option<Count>,
}

impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wrong = |error: toml::de::Error| de::Error::custom(error.message());
        let mut table = toml::Table::deserialize(deserializer)?;
        let confirm = table.remove("confirm").map(Count::deserialize).transpose().map_err(wrong)?;
        let act = Act::deserialize(table).map_err(wrong)?;
        if confirm.is_some() && !act.rules().is_confirmed() {
            Err(de::Error::custom(format!("a step {} is not confirmed; remove confirm", act.name())))
        } else {
            Ok(Self { act, confirm })
        }
    }
}

/// The rules of an act. [`Act`] lists the acts; `ceremony/step` performs them.
pub trait Rules {
    /// Returns the acts that must precede it in a script.
    fn needs(&self) -> &'static [&'static str] {
        &[]
    }

    /// Whether a script may contain it more than once.
    fn may_recur(&self) -> bool {
        false
    }

    /// Whether it may follow the release.
    fn may_follow_release(&self) -> bool {
        false
    }

    /// Whether it is repeated when a ceremony is resumed: a token session and the state of the machine are not
    /// preserved across an interruption.
    fn is_performed_again(&self) -> bool {
        false
    }

    /// Returns the labels of its statements, which are keys of an answers file.
    fn labels(&self) -> Vec<&str> {
        Vec::new()
    }

    /// Checks its values in the script.
    ///
    /// # Errors
    /// The value and the requirement.
    fn check(&self, _: &Roles, _: &ProfileFile) -> Result<(), String> {
        Ok(())
    }

    /// Returns the key that it creates.
    fn key(&self) -> Option<KeySpec> {
        None
    }

    /// Returns the keys that it uses or creates, in order.
    fn keys<'s>(&'s self, _: &'s [RosterLine]) -> Vec<KeyUse<'s>> {
        Vec::new()
    }

    /// Whether people can be asked to confirm it.
    fn is_confirmed(&self) -> bool {
        true
    }

    /// Returns the name of its own prompt.
    fn asks(&self) -> Option<&'static str> {
        None
    }

    /// Whether its own prompt, in this state, is this one.
    fn is_asked(&self, _: &Prompt, _: &State) -> bool {
        false
    }

    /// Explains what happens and who has to do what, in one or two sentences.
    fn explanation(&self) -> &'static str;

    /// Returns its text in the paper script.
    fn paper(&self) -> OnPaper;

    /// Checks that an event may occur in it.
    ///
    /// # Errors
    /// How the event deviates from the script.
    fn allows(&self, event: &Event) -> Result<(), String> {
        not_asked(event)
    }

    /// Checks that the state and the events of the step, in order, are those of a completed step.
    ///
    /// # Errors
    /// What is missing.
    fn is_done(&self, _: &State, _: &[&Event]) -> Result<(), String> {
        Ok(())
    }
}

/// Rejects events that occur only in steps which ask for them.
///
/// # Errors
/// Describes the event.
pub fn not_asked(event: &Event) -> Result<(), String> {
    match event {
        Event::Statement(found) => Err(format!(
            "recorded the {} {:?} of a {}, which the script does not ask for in this step",
            found.kind.as_str(),
            found.label,
            found.role.as_str()
        )),
        Event::Custody(events::Custody::HandedOut { set, .. }) => {
            Err(format!("handed out the shares of set {set}, which the script does not ask for"))
        }
        Event::Certificate(key) => {
            Err(format!("issued the certificate of {}, which the script does not have", key.name))
        }
        _ => Ok(()),
    }
}

/// The text of a step in the paper script.
#[derive(Clone, Debug, Default)]
pub struct OnPaper {
    /// Labels and values fixed by the script; an empty value is space to write.
    pub facts: Vec<(&'static str, String)>,
    /// Actions of people.
    pub does: Vec<String>,
    /// Contents of the screen.
    pub screen: Vec<String>,
    /// Values to read aloud.
    pub aloud: Vec<String>,
}

impl OnPaper {
    fn new<const D: usize, const S: usize, const A: usize>(
        does: [String; D],
        screen: [&str; S],
        aloud: [&str; A],
    ) -> Self {
        Self {
            facts: Vec::new(),
            does: does.into(),
            screen: screen.map(str::to_owned).into(),
            aloud: aloud.map(str::to_owned).into(),
        }
    }
}

/// Placeholders for the numbers of the words to type, which are not known in advance.
pub const BLANKS: [&str; 3] = ["[a]", "[b]", "[c]"];

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
    fn uses(name: &'s str, role: KeyRole) -> Self {
        Self { name, role, makes: false }
    }

    fn makes(name: &'s str, role: KeyRole) -> Self {
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

    fn check(&self, profiles: &ProfileFile) -> Result<(), String> {
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

    fn paper(&self) -> OnPaper {
        let subject = subject_from(&self.subject);
        let facts = vec![
            ("Name", self.name.clone()),
            ("Subject", subject.map_or_else(|_| self.subject.join(", "), |name| name.to_string())),
            ("Key", self.key.to_string()),
            ("Certificate profile", self.profile.clone()),
            ("Days", self.days.to_string()),
            ("Issuer", self.issuer.clone().unwrap_or_else(|| "itself (root)".into())),
        ];
        let paper = OnPaper::new(
            [question::create(&self.name)],
            [
                "The key's attributes as the token reports them",
                "The certificate's subject, end of validity and SHA-256",
            ],
            ["The SHA-256 of the certificate; write it into the notes"],
        );
        OnPaper { facts, ..paper }
    }

    fn is_asked(&self, prompt: &Prompt) -> bool {
        matches!(prompt, Prompt::Create(key) if key.name == self.name)
    }

    fn allows(&self, event: &Event) -> Result<(), String> {
        match event {
            Event::Certificate(key) if key.name == self.name => Ok(()),
            event => not_asked(event),
        }
    }

    fn is_done(&self, state: &State) -> Result<(), String> {
        let mut made = state.keys.iter().filter(|key| key.name == self.name && !key.withdrawn);
        match made.next() {
            Some(key) if key.generated.is_none() => Err("the transcript has no generated key for it".into()),
            Some(key) if key.certificate.is_some() => Ok(()),
            _ => Err("the transcript has no certificate for it".into()),
        }
    }
}

impl Step {
    /// Returns the name of the prompt with which people confirm the step, if there is one.
    pub fn asks(&self) -> Option<&'static str> {
        self.act.rules().asks().or(self.confirm.map(|_| "go-on"))
    }

    /// Whether the step, in this state, has this prompt.
    pub fn is_asked(&self, prompt: &Prompt, state: &State) -> bool {
        match self.asks() {
            Some("go-on") => *prompt == Prompt::go_on(self.act.name()),
            _ => self.act.rules().is_asked(prompt, state),
        }
    }

    /// Returns the people who confirm the step.
    pub fn confirm<'s>(&'s self, people: &'s Roles) -> &'s Count {
        self.confirm.as_ref().unwrap_or(&people.confirm)
    }
}

/// Returns the first line of a step's screen.
pub fn step_line(steps: &[Step], at: usize) -> String {
    let act = steps.get(at).map_or("", |step| step.act.name());
    format!("Step {} of {}: {act}", at + 1, steps.len())
}

/// Returns the heading of the step at this index; the steps before `done` were completed in an earlier run.
pub fn heading(steps: &[Step], at: usize, done: usize) -> String {
    let Some(step) = steps.get(at) else { return String::new() };
    let mut later = steps.iter().enumerate().skip(at + 1);
    let next = later.find(|(later, step)| is_to_come(step, *later, done));
    let next = next.map_or("the end", |(_, step)| step.act.name());
    format!("\n{}\n  {}\n  Next: {next}\n", step_line(steps, at), step.act.rules().explanation())
}

/// Whether a step is performed if the steps before `done` were completed in an earlier run.
pub fn is_to_come(step: &Step, at: usize, done: usize) -> bool {
    at >= done || step.act.rules().is_performed_again()
}
