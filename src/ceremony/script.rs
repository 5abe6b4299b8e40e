//! The script: a strict TOML file. Unknown keys are errors; nothing in it belongs to a token.

use crate::failure::Failure;
use serde::{Deserialize, Serialize};

use super::record;
use super::seats::{Count, Role, Seats};
use crate::policy::{Kind, ProfileFile, RosterLine, check_line, subject_from};
use crate::request::{Approvals, IndexName};
use crate::token::KeyRequest;

/// A script has at most so many steps: nobody stays in the room for more.
const MOST_STEPS: usize = 500;

/// A ceremony's script.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// What people call the ceremony.
    pub title: String,
    /// What it is for.
    pub purpose: String,
    /// The cluster that it signs for; a bundle whose index names another is refused.
    pub cluster: Option<IndexName>,
    /// Who must be there.
    #[serde(default)]
    pub people: Seats,
    /// Who must approve a bundle.
    pub approvals: Option<Approvals>,
    /// Files of certificate profiles, relative to the script.
    #[serde(default)]
    pub profiles: Vec<String>,
    /// The acts, in order.
    pub step: Vec<Step>,
    /// Which requests may become which certificates.
    #[serde(default)]
    pub roster: Vec<RosterLine>,
}

/// One act.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "act", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Step {
    /// Look at the machine and confirm the clock.
    Machine {
        /// What a network interface that is up means.
        #[serde(default)]
        network: NetworkRule,
        /// Who confirms; without it as `people.confirm` says.
        confirm: Option<Count>,
    },
    /// Log in to the token.
    OpenToken {
        /// How its PIN comes in.
        #[serde(default)]
        pin: PinRule,
        /// Who confirms; without it as `people.confirm` says.
        confirm: Option<Count>,
    },
    /// List what is on it, and prove the ledger's keys.
    Inventory {
        /// What an object means that neither the ledger nor an earlier ceremony knows.
        #[serde(default)]
        strangers: StrangerRule,
        /// Who confirms; without it as `people.confirm` says.
        confirm: Option<Count>,
    },
    /// Give the token a random PIN, and each custodian a share of it.
    Custody {
        /// How many shares open the token, 2 to 9.
        threshold: usize,
        /// How many custodians get one.
        shares: usize,
        /// Who confirms; without it as `people.confirm` says.
        confirm: Option<Count>,
    },
    /// Write down what somebody says, reads off or measured.
    Record {
        /// What it is.
        kind: record::Kind,
        /// Of what.
        label: String,
        /// What that person is to do; without it, what the kind asks for.
        ask: Option<String>,
        /// Who says it.
        #[serde(default = "operator")]
        by: Role,
    },
    /// Generate an authority's key and issue its certificate.
    CreateAuthority {
        /// Its name in scripts, its label in the token.
        name: String,
        /// Its certificate profile.
        profile: String,
        /// Its subject, attribute by attribute.
        subject: Vec<String>,
        /// Its key.
        key: KeyRequest,
        /// Its validity in days.
        days: u32,
        /// The authority above it; none for a root.
        issuer: Option<String>,
        /// Who confirms; without it as `people.confirm` says.
        confirm: Option<Count>,
    },
    /// Generate the key that signs manifests, ECDSA P-256, and issue its certificate.
    CreateManifestKey {
        /// Its name.
        name: String,
        /// Its certificate profile.
        profile: String,
        /// Its subject.
        subject: Vec<String>,
        /// Its validity in days.
        days: u32,
        /// The authority that issues it.
        issuer: String,
        /// Who confirms; without it as `people.confirm` says.
        confirm: Option<Count>,
    },
    /// Take in the bundles.
    Import {
        /// Who confirms; without it as `people.confirm` says.
        confirm: Option<Count>,
    },
    /// Show what would be issued and what is refused.
    Review {
        /// What a refusal means for the rest.
        #[serde(default)]
        refusals: RefusalRule,
        /// Who confirms; without it as `people.confirm` says.
        confirm: Option<Count>,
    },
    /// Sign what was approved.
    Issue {
        /// Who confirms; without it as `people.confirm` says.
        confirm: Option<Count>,
    },
    /// Make the release.
    Release {
        /// The key that signs its manifest.
        #[serde(default = "default_manifest_key")]
        manifest_key: String,
        /// Who confirms; without it as `people.confirm` says.
        confirm: Option<Count>,
    },
}

fn operator() -> Role {
    Role::Operator
}

fn default_manifest_key() -> String {
    "manifest".to_owned()
}

/// What a network interface that is up means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkRule {
    /// The ceremony does not start; a rehearsal only reports it.
    #[default]
    Refuse,
    /// It is written down.
    Report,
}

/// How the PIN comes in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PinRule {
    /// Somebody types it, or the token's own pad takes it.
    #[default]
    Typed,
    /// Custodians type their shares of it.
    Shares,
}

/// What an object on the token means that is not of this ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StrangerRule {
    /// The ceremony stops, unless an earlier ceremony of the ledger noted it.
    #[default]
    Refuse,
    /// It is shown and noted.
    Report,
}

/// What a refusal means for the requests that are approved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RefusalRule {
    /// They are issued, the refusal is listed.
    #[default]
    List,
    /// Nothing is issued.
    Stop,
}

impl Step {
    /// Whether it makes keys, certificates or a release; the others are done again after an
    /// interruption.
    pub fn makes(&self) -> bool {
        match self {
            Self::Machine { .. } | Self::OpenToken { .. } | Self::Inventory { .. } => false,
            Self::Import { .. } | Self::Review { .. } | Self::Record { .. } => false,
            Self::CreateAuthority { .. } | Self::CreateManifestKey { .. } | Self::Custody { .. } => true,
            Self::Issue { .. } | Self::Release { .. } => true,
        }
    }

    /// The name of the key that it creates.
    pub fn creates(&self) -> Option<&str> {
        match self {
            Self::CreateAuthority { name, .. } | Self::CreateManifestKey { name, .. } => Some(name),
            _ => None,
        }
    }

    /// The act's name in scripts, transcripts and on the screen.
    pub fn act(&self) -> &'static str {
        match self {
            Self::Machine { .. } => "machine",
            Self::OpenToken { .. } => "open-token",
            Self::Inventory { .. } => "inventory",
            Self::Custody { .. } => "custody",
            Self::Record { .. } => "record",
            Self::CreateAuthority { .. } => "create-authority",
            Self::CreateManifestKey { .. } => "create-manifest-key",
            Self::Import { .. } => "import",
            Self::Review { .. } => "review",
            Self::Issue { .. } => "issue",
            Self::Release { .. } => "release",
        }
    }

    /// Acts of which one must have gone before.
    fn needs(&self) -> &'static [&'static str] {
        match self {
            Self::Machine { .. } | Self::Record { .. } => &[],
            Self::OpenToken { .. } => &["machine"],
            Self::Inventory { .. } | Self::Custody { .. } => &["open-token"],
            Self::CreateAuthority { .. } | Self::CreateManifestKey { .. } | Self::Import { .. } => {
                &["open-token", "inventory"]
            }
            Self::Review { .. } => &["import"],
            Self::Issue { .. } => &["review"],
            Self::Release { .. } => &["open-token", "inventory"],
        }
    }

    /// Whether a script has the act at most once.
    fn is_single(&self) -> bool {
        !matches!(
            self,
            Self::Inventory { .. }
                | Self::CreateAuthority { .. }
                | Self::CreateManifestKey { .. }
                | Self::Record { .. }
        )
    }
}

impl Script {
    /// Reads a script.
    ///
    /// # Errors
    /// [`Failure::usage`] names the line and the key.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let script: Self =
            toml::from_str(text).map_err(|e| Failure::usage(e.to_string().trim_end().to_owned()))?;
        match script.step.len() {
            0..=MOST_STEPS => Ok(script),
            count => Err(Failure::usage(format!(
                "step: there are {count}, at most {MOST_STEPS} are performed; split the script"
            ))),
        }
    }

    /// Whether it has this act.
    pub fn has(&self, act: &str) -> bool {
        self.step.iter().any(|step| step.act() == act)
    }

    /// Checks the order of steps, the names and the profiles.
    ///
    /// # Errors
    /// [`Failure::usage`] names each step and key, and what is required, a line each.
    pub fn check(&self, profiles: &ProfileFile) -> Result<(), Failure> {
        match self.problems(profiles) {
            problems if problems.is_empty() => Ok(()),
            problems => Err(Failure::usage(problems.join("\n"))),
        }
    }

    fn problems(&self, profiles: &ProfileFile) -> Vec<String> {
        let mut found: Vec<String> =
            profiles.iter().filter_map(|(name, profile)| profile.check(name).err()).map(|e| e.0).collect();
        found.extend(self.people.check().err().map(|message| format!("people: {message}")));
        found.extend(self.order_problems());
        let mut names = Vec::new();
        for (at, step) in self.step.iter().enumerate() {
            let people = step.check_people(&self.people).err();
            let own = step.check(profiles, &mut names).err();
            let place = |message| format!("step {} ({}): {message}", at + 1, step.act());
            found.extend(people.into_iter().chain(own).map(place));
        }
        found.extend(record::check_labels(&self.step).err());
        found.extend(self.roster.iter().filter_map(|line| check_line(line, profiles).err()).map(|e| e.0));
        if let Some(approvals) = &self.approvals {
            found.extend(approvals.check().err());
            if !self.has("import") {
                found.push("approvals are for bundles, and the script imports none".into());
            }
        }
        if self.has("issue") == self.roster.is_empty() {
            found.push("a roster is needed for the step issue, and only for it".into());
        }
        found
    }

    fn order_problems(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (at, step) in self.step.iter().enumerate() {
            let mut wrong = |what: String| found.push(format!("step {} ({}): {what}", at + 1, step.act()));
            let before: Vec<&str> = self.step.iter().take(at).map(Step::act).collect();
            for missing in step.needs().iter().filter(|act| !before.contains(act)) {
                wrong(format!("needs the step {missing} before it"));
            }
            if step.is_single() && before.contains(&step.act()) {
                wrong("stands there twice".into());
            }
            if before.contains(&"release") && step.act() != "record" {
                wrong("comes after the release; only record may follow it".into());
            }
        }
        if self.has("import") && !self.has("issue") {
            found.push("step import: nothing is issued after it".into());
        }
        if self.has("issue") && !self.has("release") {
            found.push("step issue: no release follows, so the certificates would go nowhere".into());
        }
        found
    }
}

impl Step {
    fn check<'a>(&'a self, profiles: &ProfileFile, names: &mut Vec<&'a str>) -> Result<(), String> {
        let (name, profile, subject, days, kind) = match self {
            Self::CreateAuthority { name, profile, subject, days, issuer, .. } => {
                let kind = if issuer.is_some() { Kind::Intermediate } else { Kind::Root };
                (name, profile, subject, *days, kind)
            }
            Self::CreateManifestKey { name, profile, subject, days, .. } => {
                (name, profile, subject, *days, Kind::Manifest)
            }
            _ => return Ok(()),
        };
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if name.is_empty() || name.len() > 32 || !name.bytes().all(plain) {
            return Err(format!("name {name:?} is not 1 to 32 of a-z, 0-9 and -"));
        }
        if names.contains(&name.as_str()) {
            return Err(format!("name {name} stands there twice"));
        }
        names.push(name);
        let found = profiles
            .get(profile)
            .ok_or_else(|| format!("certificate profile {profile:?} is in no file that the script names"))?;
        if found.kind != kind {
            return Err(format!(
                "certificate profile {profile} is of kind {:?}, required is {kind:?}",
                found.kind
            ));
        }
        if days == 0 || days > found.days {
            return Err(format!("days is {days}, certificate profile {profile} allows 1 to {}", found.days));
        }
        if subject.is_empty() {
            return Err("subject is empty".into());
        }
        subject_from(subject).map(|_| ()).map_err(|e| e.0)
    }
}
