//! Steps: the acts of a script. Each file defines an act's keys in the script, its prerequisites, its prompt,
//! its text on paper, and the records it must produce.

mod create_authority;
mod create_manifest_key;
mod custody;
mod import;
mod inventory;
mod issue;
mod key;
mod machine;
mod open_token;
mod pause;
mod record;
mod release;
mod review;

use serde::{Deserialize, Deserializer, de};

use super::{Count, Roles};
use crate::policy::{ProfileFile, RosterLine};
use crate::record::{
    self as events, Event, KeyCertificate, KeyFound, KeyGenerated, KeyIntended, KeyReserved, KeyWithdrawn,
    Prompt, State,
};

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
pub use key::{KeySpec, KeyUse};
pub use machine::MachineRule;
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
        Event::Certificate(KeyCertificate { name, .. })
        | Event::KeyIntended(KeyIntended { name, .. })
        | Event::KeyFound(KeyFound { name, .. })
        | Event::KeyWithdrawn(KeyWithdrawn { name, .. })
        | Event::KeyGenerated(KeyGenerated { name, .. })
        | Event::KeyReserved(KeyReserved { name, .. }) => {
            Err(format!("has records of the key {name}, which the script does not create in this step"))
        }
        Event::Begin(_)
        | Event::Resume(_)
        | Event::Present(_)
        | Event::Step(_)
        | Event::Done(_)
        | Event::Machine(_)
        | Event::Login(_)
        | Event::TokenOpen(_)
        | Event::Inventory(_)
        | Event::Custody(_)
        | Event::KeyProved(_)
        | Event::Import(_)
        | Event::Refused(_)
        | Event::Review(_)
        | Event::Reserved(_)
        | Event::Signed(_)
        | Event::Issued(_)
        | Event::Seal(_)
        | Event::Sealed(_)
        | Event::Released(_)
        | Event::Confirmed(_)
        | Event::Mistyped(_)
        | Event::Exception(_)
        | Event::Left(_)
        | Event::Interrupted(_)
        | Event::Abandoned(_)
        | Event::End(_)
        | Event::Upgraded(_) => Ok(()),
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
