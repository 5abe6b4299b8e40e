//! What a screen says before each step: which it is, who has to do what, and what comes next.

use super::Step;
use super::script::PinRule;
use super::wording::step_line;

impl Step {
    /// Whether it is done again when a ceremony is resumed after it.
    pub fn is_repeated(&self) -> bool {
        matches!(self, Self::Machine { .. } | Self::OpenToken { .. } | Self::Inventory { .. })
    }

    /// The prompt by which people confirm it, if they do.
    pub fn prompt(&self) -> Option<&'static str> {
        match self {
            Self::Machine { .. } => Some("clock"),
            Self::CreateAuthority { .. } | Self::CreateManifestKey { .. } => Some("create"),
            Self::Import { .. } => Some("bundle"),
            Self::Review { .. } => Some("review"),
            Self::Release { .. } => Some("manifest"),
            Self::Custody { .. } => Some("custody"),
            Self::OpenToken { .. } | Self::Inventory { .. } | Self::Issue { .. } => {
                self.confirm().map(|_| "go-on")
            }
            Self::Record { .. } => None,
        }
    }

    /// What happens in it, and who has to do what: one or two sentences.
    pub fn explanation(&self) -> &'static str {
        match self {
            Self::Machine { .. } => {
                "Shows the machine's state. Compare the clock with another clock and type the date."
            }
            Self::OpenToken { pin: PinRule::Typed, .. } => {
                "Opens the token. Whoever holds the PIN types it; it is not shown."
            }
            Self::OpenToken { pin: PinRule::Shares, .. } => {
                "Opens the token. Custodians type their shares of the PIN, one after another."
            }
            Self::Inventory { .. } => {
                "Lists what is on the token and proves its keys. Look for what you do not know."
            }
            Self::Custody { .. } => {
                "Makes a new PIN. Each custodian alone sees one share, writes it down and types it back."
            }
            Self::CreateAuthority { .. } => {
                "Makes an authority's key in the token and issues its certificate. Read the name aloud and type it."
            }
            Self::CreateManifestKey { .. } => {
                "Makes the key that signs manifests, and its certificate. Read the name aloud and type it."
            }
            Self::Import { .. } => {
                "Counts the requests that came in and shows their digest. Compare it with the one on paper."
            }
            Self::Review { .. } => {
                "Shows what will be issued and what is refused. Read it through and type the numbers."
            }
            Self::Issue { .. } => "Signs what was reviewed. Nobody has to do anything; it may take a while.",
            Self::Release { .. } => {
                "Signs the manifest and writes the release. Write its digest on paper and compare it."
            }
            Self::Record { .. } => "Writes down what one of you says or reads off.",
        }
    }
}

/// The heading of the step at this index, where the steps before `done` were done before.
pub fn heading(steps: &[Step], at: usize, done: usize) -> String {
    let Some(step) = steps.get(at) else { return String::new() };
    let mut later = steps.iter().enumerate().skip(at + 1);
    let next = later.find(|(later, step)| is_to_come(step, *later, done));
    let next = next.map_or("the end", |(_, step)| step.act());
    format!("\n{}\n  {}\n  Next: {next}\n", step_line(steps, at), step.explanation())
}

/// Whether a step is performed when those before `done` were done before: a token session does not
/// outlive an interruption, and neither does a look at the machine.
pub fn is_to_come(step: &Step, at: usize, done: usize) -> bool {
    at >= done || step.is_repeated()
}
