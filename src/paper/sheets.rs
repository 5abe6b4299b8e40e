//! What stands on paper of each step: what people do, see, read aloud and confirm.

use super::document::Sheet;
use crate::ceremony::{Plan, Step, wording};
use crate::media::shown;
use crate::policy::subject_from;

/// Stand for the numbers of the words that are typed: nobody knows them beforehand.
const BLANKS: [&str; 3] = ["[a]", "[b]", "[c]"];

/// The beginning: people sign in, and compare the plan digest.
pub fn beginning(plan: &Plan) -> Sheet {
    let seats = &plan.script().people;
    Sheet {
        heading: "Beginning: sign in".into(),
        explanation: "Everybody signs in by name, and the plan digest is compared with this paper.".into(),
        does: vec![
            format!("Sign in, in this order: {}", seats.count().text()),
            wording::words(&wording::PLAN, &BLANKS),
        ],
        screen: vec![
            "Title, purpose, number of the ceremony and the ledger's folder".into(),
            format!("{} in groups of digits and in 24 numbered words", wording::PLAN.title),
        ],
        aloud: vec!["The plan digest, from the screen; a witness follows on this paper".into()],
        confirm: seats.confirm.text(),
        ..Sheet::default()
    }
}

/// The step at this index.
pub fn step(plan: &Plan, at: usize) -> Sheet {
    let steps = &plan.script().step;
    let Some(step) = steps.get(at) else { return Sheet::default() };
    let mut sheet = Sheet {
        heading: wording::step_line(steps, at),
        explanation: step.explanation().to_owned(),
        facts: facts(step).into_iter().map(|(label, value)| (label.to_owned(), shown(&value))).collect(),
        confirm: confirm(plan, step),
        ..Sheet::default()
    };
    fill(&mut sheet, step);
    if step.prompt() == Some("go-on") {
        sheet.does.push(wording::go_on(step.act()));
    }
    for lines in [&mut sheet.does, &mut sheet.screen, &mut sheet.aloud] {
        lines.iter_mut().for_each(|line| *line = shown(line));
    }
    sheet
}

/// Who confirms, where the step asks people anything.
fn confirm(plan: &Plan, step: &Step) -> String {
    match step.confirm() {
        Some(confirm) => confirm.text(),
        None if step.prompt().is_some() => plan.script().people.confirm.text(),
        None => String::new(),
    }
}

/// A subject as screens, reports and certificates name it (RFC 4514: the last attribute first).
fn named(subject: &[String]) -> String {
    subject_from(subject).map_or_else(|_| subject.join(", "), |name| name.to_string())
}

/// What the script fixes.
fn facts(step: &Step) -> Vec<(&'static str, String)> {
    match step {
        Step::CreateAuthority { name, profile, subject, key, days, issuer, .. } => vec![
            ("Name", name.clone()),
            ("Subject", named(subject)),
            ("Key", key.to_string()),
            ("Certificate profile", profile.clone()),
            ("Days", days.to_string()),
            ("Issuer", issuer.clone().unwrap_or_else(|| "itself: a root".into())),
        ],
        Step::CreateManifestKey { name, profile, subject, days, issuer, .. } => vec![
            ("Name", name.clone()),
            ("Subject", named(subject)),
            ("Key", "ecdsa-p256".into()),
            ("Certificate profile", profile.clone()),
            ("Days", days.to_string()),
            ("Issuer", issuer.clone()),
        ],
        Step::Custody { threshold, shares, .. } => {
            vec![("Shares", format!("{threshold} of {shares} open the token"))]
        }
        Step::Release { manifest_key, .. } => vec![("Signed by the key", manifest_key.clone())],
        Step::Record { kind, label, by, .. } => vec![
            ("What", format!("{} of {label}", kind.as_str())),
            ("Said by", by.as_str().to_owned()),
            ("As it was said", String::new()),
            ("", String::new()),
        ],
        _ => Vec::new(),
    }
}

fn fill(sheet: &mut Sheet, step: &Step) {
    let lines = |list: &[&str]| list.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
    let (does, screen, aloud): (Vec<String>, Vec<String>, Vec<String>) = match step {
        Step::Machine { .. } => (
            vec!["See that no network cable is in and no radio is on".into(), wording::clock("[time]")],
            lines(&[
                "Kernel, network interfaces that are up, swap, locked memory, loader variables, the clock",
            ]),
            lines(&["Date and time in UTC"]),
        ),
        Step::OpenToken { .. } => (
            lines(&[
                "Compare label and serial with the token in front of you",
                "Type what opens it; it is not shown",
            ]),
            lines(&["Label, serial, manufacturer and model of the token"]),
            lines(&["The token's serial"]),
        ),
        Step::Inventory { .. } => (
            lines(&["Compare the list with the one of the last ceremony"]),
            lines(&[
                "Each object of the token; what the ledger does not know is marked",
                "The keys that were proved",
            ]),
            lines(&["How many objects there are, and any that nobody knows"]),
        ),
        Step::Custody { shares, .. } => (
            vec![
                "Each custodian alone writes the share down, types it back, and seals it".to_owned(),
                wording::custody(shares, "[set]"),
            ],
            lines(&["One share at a time, to one custodian"]),
            lines(&["The number of each seal"]),
        ),
        Step::CreateAuthority { name, .. } | Step::CreateManifestKey { name, .. } => (
            vec![wording::create(name)],
            lines(&[
                "The key's attributes as the token reports them",
                "The certificate's subject, end of validity and SHA-256",
            ]),
            lines(&["The SHA-256 of the certificate; write it into the notes"]),
        ),
        Step::Import { .. } => (
            vec![wording::words(&wording::BUNDLE, &BLANKS)],
            vec![
                "How many requests came in, and what their indexes say".into(),
                format!("{} in groups of digits and in words", wording::BUNDLE.title),
            ],
            lines(&["The bundle digest"]),
        ),
        Step::Review { .. } => (
            vec![
                "Read what will be issued and what is refused, and why".into(),
                wording::review("[n]", "[m]"),
            ],
            lines(&[
                "Each request with its certificate profile, authority, subject and names, or its refusal",
            ]),
            lines(&["How many are issued and how many refused"]),
        ),
        Step::Issue { .. } => (
            lines(&["Wait"]),
            lines(&["Progress, then how many certificates were issued"]),
            lines(&["How many certificates were issued"]),
        ),
        Step::Release { .. } => (
            vec![
                wording::words(&wording::MANIFEST_DIGEST, &BLANKS),
                "Unmount the medium and take it out once the screen says that the release is complete".into(),
            ],
            vec![
                "Number and place of the release".into(),
                format!("{} in groups of digits and in words", wording::MANIFEST_DIGEST.title),
            ],
            lines(&["The manifest's SHA-256"]),
        ),
        Step::Record { kind, ask, .. } => (
            vec![ask.clone().unwrap_or_else(|| kind.question().to_owned())],
            lines(&["What was written down"]),
            lines(&["The same"]),
        ),
    };
    (sheet.does, sheet.screen, sheet.aloud) = (does, screen, aloud);
}
