//! The paper script: cover, steps, exception sheets, signatures, and the plan's files verbatim.

use super::document::{Document, Part, Table};
use super::sheets;
use crate::digest::Digest;
use crate::plan::Plan;
use crate::record::{Role, Tool};

/// Number of exception sheets.
const EXCEPTIONS: usize = 2;

pub fn script(plan: &Plan, printer: &Tool) -> Document {
    let script = plan.script();
    let mut document = Document {
        title: crate::media::shown(&script.title),
        foot: format!("{}, plan {}", script.title, first_digits(&plan.digest())),
        rehearsal: false,
        parts: Vec::new(),
    };
    cover(&mut document, plan, printer);
    document.part(Part::Break);
    document.heading(2, "Steps");
    document.text("Tick the box when a step is done, and write down the time in UTC and your initials. Write any deviation from this paper on an exception sheet.");
    document.part(Part::Step(Box::new(sheets::beginning(plan))));
    for at in 0..script.step.len() {
        document.part(Part::Step(Box::new(sheets::step(plan, at))));
    }
    exceptions(&mut document);
    signatures(&mut document, plan);
    appendix(&mut document, plan);
    document
}

fn first_digits(digest: &Digest) -> String {
    digest.to_string().chars().take(16).collect()
}

fn cover(document: &mut Document, plan: &Plan, printer: &Tool) {
    let script = plan.script();
    document.heading(1, &script.title);
    document.text(&script.purpose);
    document.part(Part::Digest("Plan digest", plan.digest()));
    let names: Vec<&str> = plan.listing().iter().map(|(path, _)| *path).collect();
    document.facts([
        ("Steps", script.step.len().to_string()),
        ("The digest again", format!("sha256sum {} | sha256sum", names.join(" "))),
        ("Program", format!("keyrite {}", printer.version)),
        ("Its SHA-256", printer.sha256.to_string()),
    ]);
    let mut files = Table::new(&["File of the plan", "SHA-256"], false);
    for (path, digest) in plan.listing() {
        files.row([path, &digest.to_string()]);
    }
    document.part(Part::Table(files));
    document.heading(2, "To be filled in");
    let blank = |label| (label, String::new());
    document.facts([
        blank("Date"),
        blank("Place"),
        blank("Began, UTC"),
        blank("Ended, UTC"),
        blank("Signing machine"),
        blank("Token: model, serial"),
        blank("Program's SHA-256 there"),
    ]);
    document.part(Part::Break);
    document.heading(2, "People");
    document.text(&format!("The script requires {}.", script.people.count().text()));
    document.part(Part::Table(people(plan, &["Role", "Name", "Organisation", "Present from, to"])));
    let mut approved = Table::new(&["Plan approved by", "Function", "Date", "Signature"], true);
    (0..2).for_each(|_| approved.row([""; 4]));
    document.part(Part::Table(approved));
}

/// Returns a table with a row for each person.
fn people(plan: &Plan, head: &[&str]) -> Table {
    let roles = &plan.script().people;
    let mut table = Table::new(head, true);
    for (role, number) in roles.all() {
        let of = roles.of(role);
        let name = if of > 1 {
            format!("{} {number} of {of}", role.as_str())
        } else {
            Role::as_str(role).to_owned()
        };
        table.row(std::iter::once(name.as_str()).chain(std::iter::repeat_n("", head.len() - 1)));
    }
    table
}

fn exceptions(document: &mut Document) {
    document.part(Part::Break);
    document.heading(2, "Exceptions");
    document.text(
        "Type \"exception\" at any prompt to record one in the transcript too. Strike out unused sheets.",
    );
    for number in 1..=EXCEPTIONS {
        document.heading(3, &format!("Exception {number}"));
        let labels = [
            "Step, time (UTC)",
            "Reported by",
            "What happened",
            "",
            "",
            "Why",
            "",
            "What was done",
            "",
            "Initials of all",
        ];
        document.facts(labels.map(|label| (label, String::new())));
    }
}

fn signatures(document: &mut Document, plan: &Plan) {
    document.part(Part::Break);
    document.heading(2, "Signatures");
    document.text("I was present. The steps were performed in this order, with this plan digest, and without exceptions other than those written down.");
    let blank = |label| (label, String::new());
    let mut rows = vec![blank("Number of exceptions")];
    if plan.script().has("issue") {
        rows.extend([blank("Certificates issued"), blank("Requests refused")]);
    }
    if plan.script().has("release") {
        rows.extend([blank("Release number"), blank("Manifest SHA-256"), blank("")]);
    }
    rows.extend([blank("Head of the transcript"), blank("")]);
    document.facts(rows);
    document.part(Part::Table(people(plan, &["Role", "Name", "Date", "Signature"])));
    let mut others = Table::new(&["Others present", "Function", "Date", "Signature"], true);
    (0..2).for_each(|_| others.row([""; 4]));
    document.part(Part::Table(others));
}

fn appendix(document: &mut Document, plan: &Plan) {
    document.part(Part::Break);
    document.heading(2, "The plan's files");
    document.text("Verbatim, covered by the plan digest on the cover.");
    for (path, text) in plan.files().texts() {
        let lines: Vec<String> = text.lines().map(crate::media::shown).collect();
        document.part(Part::File(path.to_string(), lines.join("\n")));
    }
}
