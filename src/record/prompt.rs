//! Prompts as values: what is asked and what must be typed. The wording is presentation: the record contains
//! the values, and the audit compares values.

use std::fmt::Display;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// A prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "prompt", rename_all = "kebab-case")]
pub enum Prompt {
    /// Asks whether the plan is the approved one.
    Plan(Compared),
    /// Asks whether the clock is correct.
    Clock(Clock),
    /// Asks before a key is generated.
    Create(Create),
    /// Asks whether to keep or destroy a key that was found.
    FoundKey(FoundKey),
    /// Asks whether the imported requests are those that were sent.
    Bundle(Compared),
    /// Asks before the reviewed certificates are issued.
    Review(Reviewed),
    /// Asks whether the digest of the manifest is on paper.
    Manifest(Compared),
    /// Asks whether the transcript is unchanged since people left.
    Head(Compared),
    /// Asks before the token's PIN is changed to that of a set of shares.
    Custody(NewPin),
    /// Asks before certificates are released that have expired since they were signed.
    Expired(Expired),
    /// Asks before a step is performed that has no prompt of its own.
    GoOn(GoOn),
}

/// A digest that people compare; they type three of its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Compared {
    /// The digest.
    pub sha256: Digest,
    /// The words to type.
    pub words: Words,
}

/// Three consecutive words of a digest, given by the number of the first, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "u8", into = "u8")]
pub struct Words(u8);

/// Number of words that are typed at a time.
const TYPED: u8 = 3;
/// Number of words of a digest.
const ALL: u8 = 24;

/// The time shown by the clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Clock {
    /// The time, UTC.
    pub time: String,
}

/// A key to be generated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Create {
    /// Name of the key.
    pub name: String,
}

/// A key that was found after an interruption.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FoundKey {
    /// Name of the key.
    pub name: String,
    /// The possible decisions: only a usable pair can be kept, and later confirmers can only repeat the first
    /// decision.
    pub options: Vec<Decision>,
}

/// The decision on a key that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// Keeps the pair.
    Keep,
    /// Destroys all objects of the key.
    Destroy,
}

/// The numbers of a review.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reviewed {
    /// Number of certificates to issue.
    pub issue: u64,
    /// Number of refused requests.
    pub refuse: u64,
}

/// A PIN of which custodians have shares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPin {
    /// Identifier of the set of shares.
    pub set: String,
    /// Number of shares, which is that of custodians.
    pub shares: usize,
}

/// Certificates of the ceremony that have expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expired {
    /// Number of expired certificates.
    pub expired: u64,
    /// Number of all certificates.
    pub issued: u64,
}

/// A step that has no prompt of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GoOn {
    /// The step's act.
    pub act: String,
}

impl Words {
    /// Returns the words to ask for at this turn; turns cycle through the digest.
    pub fn of_turn(turn: usize) -> Self {
        let parts = usize::from(ALL / TYPED);
        Self(u8::try_from(turn % parts).unwrap_or_default() * TYPED + 1)
    }

    /// Returns the numbers of the words, from 1.
    fn numbers(self) -> [u8; 3] {
        [self.0, self.0 + 1, self.0 + 2]
    }
}

impl TryFrom<u8> for Words {
    type Error = String;

    fn try_from(first: u8) -> Result<Self, String> {
        if first % TYPED == 1 && first < ALL {
            Ok(Self(first))
        } else {
            Err(format!("words {first}: must be 1, 4, 7 and so on to 22"))
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
    /// Returns the text to type for this decision.
    pub fn typed(self, name: &str) -> String {
        match self {
            Self::Keep => format!("keep {name}"),
            Self::Destroy => format!("destroy {name}"),
        }
    }
}

impl FoundKey {
    /// Returns the decision that was typed.
    pub fn decision(&self, typed: &str) -> Option<Decision> {
        let is = |decision: &Decision| typed.eq_ignore_ascii_case(&decision.typed(&self.name));
        self.options.iter().copied().find(is)
    }
}

impl Prompt {
    /// The names of all prompts, which are keys of an answers file.
    pub const IDS: [&'static str; 11] = [
        "plan",
        "clock",
        "create",
        "found-key",
        "bundle",
        "review",
        "manifest",
        "head",
        "custody",
        "expired",
        "go-on",
    ];

    /// Returns the name of the prompt.
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
            Self::Expired(_) => "expired",
            Self::GoOn(_) => "go-on",
        }
    }

    /// Creates the prompt of a step that has none of its own.
    pub fn go_on(act: &str) -> Self {
        Self::GoOn(GoOn { act: act.to_owned() })
    }

    /// Returns the question to display.
    pub fn question(&self) -> String {
        match self {
            Self::Plan(what) | Self::Bundle(what) | Self::Manifest(what) | Self::Head(what) => {
                question::compare(self.id(), &what.words.numbers())
            }
            Self::Clock(clock) => question::clock(&clock.time),
            Self::Create(key) => question::create(&key.name),
            Self::FoundKey(_) => {
                format!("Decide what happens to the key. Type: {}", self.options().join(", or: "))
            }
            Self::Review(what) => question::review(what.issue, what.refuse),
            Self::Custody(new) => question::custody(new.shares, &new.set),
            Self::Expired(what) => question::expired(what.expired, what.issued),
            Self::GoOn(step) => question::go_on(&step.act),
        }
    }

    /// Returns the accepted inputs: one, except for a key that was found.
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
            Self::Expired(what) => vec![format!("release {} expired", what.expired)],
            Self::GoOn(step) => vec![step.act.clone()],
        }
    }

    /// Returns the option that was typed.
    pub fn chosen(&self, typed: &str) -> Option<String> {
        self.options().into_iter().find(|option| typed.eq_ignore_ascii_case(option))
    }

    /// Returns the full digest, which an answers file may contain instead of the words.
    pub fn whole(&self) -> Option<String> {
        match self {
            Self::Plan(what) | Self::Bundle(what) | Self::Manifest(what) | Self::Head(what) => {
                Some(what.sha256.to_string())
            }
            _ => None,
        }
    }

    /// Returns the input for which "accept" in an answers file stands; it never destroys a key and never
    /// releases expired certificates.
    pub fn accepted(&self) -> Option<String> {
        match self {
            Self::FoundKey(key) => {
                key.options.contains(&Decision::Keep).then(|| Decision::Keep.typed(&key.name))
            }
            Self::Expired(_) => None,
            _ => self.options().into_iter().next(),
        }
    }
}

/// The wording of prompts. Values may be placeholders, because on paper they are not known yet.
pub mod question {
    use super::Display;

    /// Returns the title of a digest by the name of its prompt.
    pub fn title(id: &str) -> &'static str {
        match id {
            "plan" => "Plan digest",
            "bundle" => "Bundle digest",
            "head" => "Head of the transcript",
            _ => "Manifest SHA-256",
        }
    }

    /// Asks to compare a digest and type three of its words.
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

    /// Asks to compare the clock.
    pub fn clock(time: impl Display) -> String {
        format!("The clock says {time}. Compare it with another clock, and type the date in UTC (YYYY-MM-DD)")
    }

    /// Asks before a key is generated.
    pub fn create(name: &str) -> String {
        format!("To generate the key of {name} in the token, type: {name}")
    }

    /// Asks before certificates are issued.
    pub fn review(issue: impl Display, refuse: impl Display) -> String {
        format!(
            "{issue} to issue, {refuse} refused. \"again\" shows them again. To go on, type: issue {issue} refuse {refuse}"
        )
    }

    /// Asks before the token's PIN is changed.
    pub fn custody(shares: impl Display, set: impl Display) -> String {
        format!(
            "{shares} custodians hold shares of set {set}. To give the token its new PIN, type: set pin {set}"
        )
    }

    /// Asks before expired certificates are released.
    pub fn expired(expired: impl Display, issued: impl Display) -> String {
        format!(
            "{expired} of {issued} certificates have expired since they were signed. To release them all the same, type: release {expired} expired"
        )
    }

    /// Asks in a step that has no prompt of its own.
    pub fn go_on(act: &str) -> String {
        format!("To go on with this step, type: {act}")
    }
}
