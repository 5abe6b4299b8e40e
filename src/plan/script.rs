//! The script: a strict TOML file, independent of any particular token. Unknown keys are errors.

use serde::Deserialize;

use super::step::{Machine, PinRule, RefusalRule};
use super::{Act, KeyUse, Roles, Step};
use crate::failure::Failure;
use crate::media::{RelativePath, shown};
use crate::policy::{ProfileFile, Reserved, RosterLine, check_line};
use crate::request::{Approvals, Entry, Index, IndexName};

/// Maximum number of steps: more than people stay in the room for.
const MOST_STEPS: usize = 500;

/// A ceremony's script.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// Title of the ceremony.
    pub title: String,
    /// Purpose of the ceremony.
    pub purpose: String,
    /// Cluster for which certificates are issued; a bundle whose index names another is refused.
    pub cluster: Option<IndexName>,
    /// Folders with one subfolder for each part of a cluster, such as `nodes/{part}`.
    #[serde(default)]
    pub parts: Vec<PartFolders>,
    /// People who must be present.
    #[serde(default)]
    pub people: Roles,
    /// Approvals required for a bundle.
    pub approvals: Option<Approvals>,
    /// Paths of certificate profile files, relative to the script.
    #[serde(default)]
    pub profiles: Vec<String>,
    /// The steps, in order.
    pub step: Vec<Step>,
    /// Names that only some certificate profiles may have.
    #[serde(default)]
    pub reserved: Vec<Reserved>,
    /// Maps requests to the certificates that may be issued for them.
    #[serde(default)]
    pub roster: Vec<RosterLine>,
}

/// A folder with one subfolder for each part, named after the part.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct PartFolders(String);

impl TryFrom<String> for PartFolders {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let parent = text.strip_suffix("/{part}").filter(|parent| RelativePath::new(parent).is_ok());
        match parent {
            Some(parent) => Ok(Self(format!("{parent}/"))),
            None => Err(format!("{text:?} is not a folder followed by /{{part}}, such as nodes/{{part}}")),
        }
    }
}

impl PartFolders {
    /// Returns the part to which a path belongs.
    fn owner<'p>(&self, path: &'p RelativePath) -> Option<&'p str> {
        let below = path.as_str().strip_prefix(&self.0)?;
        Some(below.split_once('/').map_or(below, |(part, _)| part))
    }
}

impl Script {
    /// Returns the roster and the reserved names.
    pub fn rules(&self) -> (&[RosterLine], &[Reserved]) {
        (&self.roster, &self.reserved)
    }

    /// Checks that a bundle of one part has no request in the folder of another.
    ///
    /// # Errors
    /// The path, its part, and that of the bundle.
    pub fn check_part(&self, index: &Index) -> Result<(), String> {
        let Some(part) = index.part.as_ref().map(IndexName::as_str) else { return Ok(()) };
        for Entry { path, .. } in &index.requests {
            let mut owners = self.parts.iter().filter_map(|folders| folders.owner(path));
            if let Some(owner) = owners.find(|owner| *owner != part) {
                return Err(format!(
                    "{path} belongs to part {}, but the bundle is of part {part}; send it with that part's bundle [BUNDLE-PART]",
                    shown(owner)
                ));
            }
        }
        Ok(())
    }

    /// Parses a script.
    ///
    /// # Errors
    /// [`Failure::usage`] names line and key.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let script: Self =
            toml::from_str(text).map_err(|e| Failure::usage(e.to_string().trim_end().to_owned()))?;
        match script.step.len() {
            0..=MOST_STEPS => Ok(script),
            count => Err(Failure::usage(format!(
                "step: {count} steps, must be at most {MOST_STEPS}; split the script"
            ))),
        }
    }

    /// Whether a step has this act.
    pub fn has(&self, act: &str) -> bool {
        self.step.iter().any(|step| step.act.name() == act)
    }

    /// Returns the step that examines the machine, if there is one.
    pub fn machine(&self) -> Option<&Machine> {
        self.step.iter().find_map(|step| match &step.act {
            Act::Machine(machine) => Some(machine),
            _ => None,
        })
    }

    /// Whether a refused request prevents all issuance.
    pub fn stops_at_refusal(&self) -> bool {
        let stops = |step: &Step| matches!(&step.act, Act::Review(act) if act.refusals == RefusalRule::Stop);
        self.step.iter().any(stops)
    }

    /// Whether the token is opened with custodians' shares.
    pub fn opens_by_shares(&self) -> bool {
        self.step.iter().any(|step| matches!(&step.act, Act::OpenToken(act) if act.pin == PinRule::Shares))
    }

    /// Returns the step with this number, from 1.
    pub fn step(&self, number: usize) -> Option<&Step> {
        self.step.get(number.checked_sub(1)?)
    }

    /// Returns the keys that the steps use or create, in order.
    pub fn keys(&self) -> Vec<KeyUse<'_>> {
        self.step.iter().flat_map(|step| step.act.rules().keys(&self.roster)).collect()
    }

    /// Returns the names of the script's prompts, in order and without duplicates.
    pub fn prompts(&self) -> Vec<&'static str> {
        let mut ids = vec!["plan"];
        for id in self.step.iter().filter_map(Step::asks) {
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        ids
    }

    /// Checks the order of steps, names and profiles.
    ///
    /// # Errors
    /// [`Failure::usage`] has one line per problem, which names step, key and requirement.
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
        for (at, step) in self.step.iter().enumerate() {
            let people = step.confirm.as_ref().and_then(|confirm| self.people.check_confirm(confirm).err());
            let own = step.act.rules().check(&self.people, profiles).err();
            let place = |message| format!("step {} ({}): {message}", at + 1, step.act.name());
            found.extend(people.into_iter().chain(own).map(place));
        }
        found.extend(self.duplicates());
        found.extend(self.roster.iter().filter_map(|line| check_line(line, profiles).err()).map(|e| e.0));
        found.extend(self.reserved.iter().filter_map(|names| names.check(profiles).err()).map(|e| e.0));
        if let Some(approvals) = &self.approvals {
            found.extend(approvals.check().err());
            if !self.has("import") {
                found.push("approvals require an import step".into());
            }
        }
        if self.has("issue") == self.roster.is_empty() {
            found.push("a roster is required with an issue step, and allowed only with one".into());
        }
        found
    }

    /// Returns the problems with duplicate names of keys and labels of statements.
    fn duplicates(&self) -> Vec<String> {
        let mut seen: Vec<(&str, &str)> = Vec::new();
        let mut found = Vec::new();
        for (at, step) in self.step.iter().enumerate() {
            let rules = step.act.rules();
            let made =
                rules.keys(&self.roster).into_iter().filter(|key| key.makes).map(|key| ("name", key.name));
            for one in rules.labels().into_iter().map(|label| ("label", label)).chain(made) {
                if seen.contains(&one) {
                    let (what, name) = one;
                    found.push(format!("step {} ({}): duplicate {what} {name:?}", at + 1, step.act.name()));
                }
                seen.push(one);
            }
        }
        found
    }

    fn order_problems(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (at, step) in self.step.iter().enumerate() {
            let (act, rules) = (step.act.name(), step.act.rules());
            let mut wrong = |what: String| found.push(format!("step {} ({act}): {what}", at + 1));
            let before: Vec<&str> = self.step.iter().take(at).map(|step| step.act.name()).collect();
            for missing in rules.needs().iter().filter(|act| !before.contains(act)) {
                wrong(format!("requires an earlier {missing} step"));
            }
            if !rules.may_recur() && before.contains(&act) {
                wrong(format!("duplicate step {act}"));
            }
            if before.contains(&"release") && !rules.may_follow_release() {
                wrong("follows the release, after which only steps that sign nothing are allowed".into());
            }
        }
        if self.has("import") && !self.has("issue") {
            found.push("step import: no issue step follows".into());
        }
        if self.has("issue") && !self.has("release") {
            found
                .push("step issue: no release step follows, so the certificates would not be written".into());
        }
        found
    }
}
