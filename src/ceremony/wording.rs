//! The words of prompts: the screen and the paper script say the same.

use std::fmt::Display;

use super::Step;
use crate::digest::Digest;

/// A digest that people compare.
#[derive(Debug)]
pub struct Compared {
    /// The prompt's name in an answers file.
    pub id: &'static str,
    /// What it is the digest of.
    pub title: &'static str,
    /// What is done with it.
    pub todo: &'static str,
}

/// The plan digest.
pub const PLAN: Compared = Compared {
    id: "plan",
    title: "Plan digest",
    todo: "compare all of it with the approved digest on paper",
};
/// The bundle digest.
pub const BUNDLE: Compared = Compared {
    id: "bundle",
    title: "Bundle digest",
    todo: "compare all of it with the digest that came with the requests",
};
/// The digest of the manifest.
pub const MANIFEST_DIGEST: Compared = Compared {
    id: "manifest",
    title: "Manifest SHA-256",
    todo: "write all of it on paper and read it back from there",
};

/// A number of things: "1 key", "2 keys".
pub fn count(number: u64, thing: &str) -> String {
    let end = match number {
        1 => "",
        _ if thing.ends_with('s') => "es",
        _ => "s",
    };
    format!("{number} {thing}{end}")
}

/// What is asked of a digest, three words of which are typed.
pub fn words(what: &Compared, numbers: &[impl Display; 3]) -> String {
    let [one, two, three] = numbers;
    format!("{}, then type words {one}, {two} and {three}", what.todo)
}

/// The words that a question asks for, when it is one that is asked of this digest: three that
/// follow one another, the first of them in an order that changes from one time to the next.
pub fn asked(what: &Compared, digest: &Digest, question: &str) -> Option<String> {
    let all = digest.words();
    let all: Vec<&str> = all.split(' ').collect();
    let mut parts = all.chunks(3).zip((1..).step_by(3));
    let (part, _) = parts.find(|(_, from)| words(what, &[*from, from + 1, from + 2]) == question)?;
    Some(part.join(" "))
}

/// The time of which a question asks whether it is right.
pub fn clock_of(question: &str) -> Option<&str> {
    let (time, _) = question.strip_prefix("The clock says ")?.split_once(". ")?;
    (clock(time) == question).then_some(time)
}

/// What is asked of the clock.
pub fn clock(now: impl Display) -> String {
    format!("The clock says {now}. Compare it with another clock, and type the date in UTC (YYYY-MM-DD)")
}

/// What is asked before a key is generated.
pub fn create(name: &str) -> String {
    format!("To generate the key of {name} in the token, type: {name}")
}

/// What is typed to keep what was found of a key.
pub fn keep(name: &str) -> String {
    format!("keep {name}")
}

/// What is typed to destroy what was found of a key.
pub fn destroy(name: &str) -> String {
    format!("destroy {name}")
}

/// What may be typed about what was found of a key: only a usable pair can be kept.
pub fn found_options(name: &str, usable: bool) -> Vec<String> {
    let keep = usable.then(|| keep(name));
    keep.into_iter().chain([destroy(name)]).collect()
}

/// What is asked about what was found of a key after an interruption.
pub fn found(name: &str, usable: bool) -> String {
    format!("What is to become of it? Type: {}", found_options(name, usable).join(", or: "))
}

/// What is asked before anything is issued.
pub fn review(issue: impl Display, refuse: impl Display) -> String {
    format!(
        "{issue} to issue, {refuse} refused. \"again\" shows them again. To go on, type: issue {issue} refuse {refuse}"
    )
}

/// What is asked before the token gets its new PIN.
pub fn custody(count: impl Display, set: impl Display) -> String {
    format!("{count} custodians hold shares of set {set}. To give the token its new PIN, type: set pin {set}")
}

/// What is asked in a step that asks nothing of its own.
pub fn go_on(act: &str) -> String {
    format!("To go on with this step, type: {act}")
}

/// The first line of a step's screen.
pub fn step_line(steps: &[Step], at: usize) -> String {
    let act = steps.get(at).map_or("", Step::act);
    format!("Step {} of {}: {act}", at + 1, steps.len())
}
