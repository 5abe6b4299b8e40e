//! Prompts as values: what is asked of somebody, and what must be typed. Their wording is presentation; the
//! record carries the value, and the audit compares values.

use std::fmt::Display;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "prompt", rename_all = "kebab-case")]
pub enum Prompt {
    /// Whether the plan is the one that was approved.
    Plan(Compared),
    /// Whether the clock is right.
    Clock(Clock),
    /// Whether a key is to be generated.
    Create(Create),
    /// What is to become of a key that was found.
    FoundKey(FoundKey),
    /// Whether the requests are those that were sent.
    Bundle(Compared),
    /// Whether what was reviewed is to be issued.
    Review(Reviewed),
    /// Whether the manifest's digest is on paper.
    Manifest(Compared),
    /// Whether the transcript is the one that people left.
    Head(Compared),
    /// Whether the token is to get the PIN of a set of shares.
    Custody(NewPin),
    /// Whether a step that asks nothing of its own is to be performed.
    GoOn(GoOn),
}

/// A digest that people compare, three words of which are typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Compared {
    /// The digest.
    pub sha256: Digest,
    /// Which words.
    pub words: Words,
}

/// Three words of a digest that follow one another: the number of the first, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "u8", into = "u8")]
pub struct Words(u8);

/// Words that are typed at a time, and words of a digest.
const TYPED: u8 = 3;
const ALL: u8 = 24;

/// A time that the clock showed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Clock {
    /// UTC.
    pub time: String,
}

/// A key that is to be generated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Create {
    /// Its name.
    pub name: String,
}

/// A key that was found after an interruption.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FoundKey {
    /// Its name.
    pub name: String,
    /// What may become of it: only a usable pair can be kept, and whoever is asked later decides as those
    /// before.
    pub options: Vec<Decision>,
}

/// What becomes of a key that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// It is kept.
    Keep,
    /// Whatever there is of it is destroyed.
    Destroy,
}

/// Requests that were reviewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reviewed {
    /// How many are to be issued.
    pub issue: u64,
    /// How many are refused.
    pub refuse: u64,
}

/// A PIN that custodians hold shares of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPin {
    /// The set of shares.
    pub set: String,
    /// How many custodians hold one.
    pub shares: usize,
}

/// A step that asks nothing of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GoOn {
    /// Its act.
    pub act: String,
}

impl Words {
    /// The words that somebody is asked for: `turn` of the parts of a digest, which begin anew after the
    /// last.
    pub fn of_turn(turn: usize) -> Self {
        let parts = usize::from(ALL / TYPED);
        Self(u8::try_from(turn % parts).unwrap_or_default() * TYPED + 1)
    }

    /// Their numbers, from 1.
    fn numbers(self) -> [u8; 3] {
        [self.0, self.0 + 1, self.0 + 2]
    }
}

impl TryFrom<u8> for Words {
    type Error = String;

    fn try_from(first: u8) -> Result<Self, String> {
        match first % TYPED == 1 && first < ALL {
            true => Ok(Self(first)),
            false => Err(format!("words {first}: they begin at 1, 4, 7 and so on to 22")),
        }
    }
}

impl From<Words> for u8 {
    fn from(words: Words) -> Self {
        words.0
    }
}

impl Compared {
    fn typed(&self) -> String {
        let all = self.sha256.words();
        let first = usize::from(self.words.0 - 1);
        all.split(' ').skip(first).take(TYPED.into()).collect::<Vec<_>>().join(" ")
    }
}

impl Decision {
    /// What is typed for it.
    pub fn typed(self, name: &str) -> String {
        match self {
            Self::Keep => format!("keep {name}"),
            Self::Destroy => format!("destroy {name}"),
        }
    }
}

impl FoundKey {
    /// What somebody decided who typed this.
    pub fn decision(&self, typed: &str) -> Option<Decision> {
        let is = |decision: &Decision| typed.eq_ignore_ascii_case(&decision.typed(&self.name));
        self.options.iter().copied().find(is)
    }
}

impl Prompt {
    /// The names of all prompts, by which an answers file answers them.
    pub const IDS: [&'static str; 10] =
        ["plan", "clock", "create", "found-key", "bundle", "review", "manifest", "head", "custody", "go-on"];

    /// Its name.
    pub fn id(&self) -> &'static str {
        match self {
            Self::Plan(_) => "plan",
            Self::Clock(_) => "clock",
            Self::Create(_) => "create",
            Self::FoundKey(_) => "found-key",
            Self::Bundle(_) => "bundle",
            Self::Review(_) => "review",
            Self::Manifest(_) => "manifest",
            Self::Head(_) => "head",
            Self::Custody(_) => "custody",
            Self::GoOn(_) => "go-on",
        }
    }

    /// A step that asks nothing of its own.
    pub fn go_on(act: &str) -> Self {
        Self::GoOn(GoOn { act: act.to_owned() })
    }

    /// The question, for people.
    pub fn question(&self) -> String {
        match self {
            Self::Plan(what) | Self::Bundle(what) | Self::Manifest(what) | Self::Head(what) => {
                question::compare(self.id(), &what.words.numbers())
            }
            Self::Clock(clock) => question::clock(&clock.time),
            Self::Create(key) => question::create(&key.name),
            Self::FoundKey(_) => {
                format!("What is to become of it? Type: {}", self.options().join(", or: "))
            }
            Self::Review(what) => question::review(what.issue, what.refuse),
            Self::Custody(new) => question::custody(new.shares, &new.set),
            Self::GoOn(step) => question::go_on(&step.act),
        }
    }

    /// What may be typed: one text, but for a key that was found.
    pub fn options(&self) -> Vec<String> {
        match self {
            Self::Plan(what) | Self::Bundle(what) | Self::Manifest(what) | Self::Head(what) => {
                vec![what.typed()]
            }
            Self::Clock(clock) => vec![clock.time.split('T').next().unwrap_or_default().to_owned()],
            Self::Create(key) => vec![key.name.clone()],
            Self::FoundKey(key) => key.options.iter().map(|option| option.typed(&key.name)).collect(),
            Self::Review(Reviewed { issue, refuse }) => vec![format!("issue {issue} refuse {refuse}")],
            Self::Custody(new) => vec![format!("set pin {}", new.set)],
            Self::GoOn(step) => vec![step.act.clone()],
        }
    }

    /// The option that was typed.
    pub fn chosen(&self, typed: &str) -> Option<String> {
        self.options().into_iter().find(|option| typed.eq_ignore_ascii_case(option))
    }

    /// What an answers file may give instead of words: the whole digest.
    pub fn whole(&self) -> Option<String> {
        match self {
            Self::Plan(what) | Self::Bundle(what) | Self::Manifest(what) | Self::Head(what) => {
                Some(what.sha256.to_string())
            }
            _ => None,
        }
    }

    /// What "accept" in an answers file stands for; nothing is destroyed by it.
    pub fn accepted(&self) -> Option<String> {
        match self {
            Self::FoundKey(key) => {
                key.options.contains(&Decision::Keep).then(|| Decision::Keep.typed(&key.name))
            }
            _ => self.options().into_iter().next(),
        }
    }
}

/// The wording of prompts, where what is asked may not be known yet, as on paper.
pub mod question {
    use super::Display;

    /// What people call a digest, by the name of its prompt.
    pub fn title(id: &str) -> &'static str {
        match id {
            "plan" => "Plan digest",
            "bundle" => "Bundle digest",
            "head" => "Head of the transcript",
            _ => "Manifest SHA-256",
        }
    }

    /// A digest, three words of which are typed.
    pub fn compare(id: &str, numbers: &[impl Display; 3]) -> String {
        let todo = match id {
            "plan" => "compare all of it with the approved digest on paper",
            "bundle" => "compare all of it with the digest that came with the requests",
            "head" => "compare all of it with what you wrote on paper when you left",
            _ => "write all of it on paper and read it back from there",
        };
        let [one, two, three] = numbers;
        format!("{todo}, then type words {one}, {two} and {three}")
    }

    /// The clock.
    pub fn clock(time: impl Display) -> String {
        format!("The clock says {time}. Compare it with another clock, and type the date in UTC (YYYY-MM-DD)")
    }

    /// Before a key is generated.
    pub fn create(name: &str) -> String {
        format!("To generate the key of {name} in the token, type: {name}")
    }

    /// Before anything is issued.
    pub fn review(issue: impl Display, refuse: impl Display) -> String {
        format!(
            "{issue} to issue, {refuse} refused. \"again\" shows them again. To go on, type: issue {issue} refuse {refuse}"
        )
    }

    /// Before the token gets its new PIN.
    pub fn custody(shares: impl Display, set: impl Display) -> String {
        format!(
            "{shares} custodians hold shares of set {set}. To give the token its new PIN, type: set pin {set}"
        )
    }

    /// In a step that asks nothing of its own.
    pub fn go_on(act: &str) -> String {
        format!("To go on with this step, type: {act}")
    }
}
