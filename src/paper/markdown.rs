//! Documents as Markdown (CommonMark with tables), for version control.

use std::fmt::Write;

use super::document::{Document, Listed, Part, Sheet, Table, grouped, groups, words};

/// Space to write.
const BLANK: &str = "____________";

pub fn markdown(document: &Document) -> String {
    let mut text = String::new();
    if document.rehearsal {
        text.push_str("**REHEARSAL**\n\n");
    }
    for part in &document.parts {
        self::part(&mut text, part);
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = text.write_fmt(line);
}

fn part(text: &mut String, part: &Part) {
    match part {
        Part::Heading(level, heading) => {
            line(text, format_args!("{} {}\n\n", "#".repeat(usize::from(*level)), escaped(heading)));
        }
        Part::Text(paragraph) => line(text, format_args!("{}\n\n", escaped(paragraph))),
        Part::Facts(list) => facts(text, list),
        Part::Digest(label, digest) => {
            line(text, format_args!("**{label}**\n\n"));
            let rows: Vec<String> = groups(digest).chunks(4).map(|row| row.join(" ")).collect();
            line(text, format_args!("    {}\n\n", rows.join("\n    ")));
            let numbered: Vec<String> = words(digest)
                .iter()
                .enumerate()
                .map(|(at, word)| format!("{:>2} {word:<9}", at + 1))
                .collect();
            let rows: Vec<String> =
                numbered.chunks(6).map(|row| row.join(" ").trim_end().to_owned()).collect();
            line(text, format_args!("    {}\n\n", rows.join("\n    ")));
        }
        Part::Table(table) => self::table(text, table),
        Part::Certificates(list) => certificates(text, list),
        Part::Step(sheet) => step(text, sheet),
        Part::File(name, content) => {
            line(text, format_args!("### {}\n\n", escaped(name)));
            for row in content.lines() {
                line(text, format_args!("{}\n", format!("    {row}").trim_end()));
            }
            text.push('\n');
        }
        Part::Break => text.push_str("---\n\n"),
    }
}

fn facts(text: &mut String, list: &[(String, String)]) {
    text.push_str("| | |\n|---|---|\n");
    for (label, value) in list {
        line(text, format_args!("| {} | {} |\n", escaped(label), cell(value)));
    }
    text.push('\n');
}

fn table(text: &mut String, table: &Table) {
    let row = |cells: &[String]| cells.iter().map(|one| cell(one)).collect::<Vec<_>>().join(" | ");
    line(text, format_args!("| {} |\n|{}\n", row(&table.head), "---|".repeat(table.head.len())));
    for cells in &table.rows {
        line(text, format_args!("| {} |\n", row(cells)));
    }
    text.push('\n');
}

fn certificates(text: &mut String, list: &[Listed]) {
    for one in list {
        let (name, what) = (escaped(&one.name), escaped(&one.text));
        line(text, format_args!("- **{name}** {what}\n\n"));
        let serial = grouped(&one.serial).join(" ");
        line(text, format_args!("      serial  {serial}   valid to {}\n", one.not_after));
        line(text, format_args!("      SHA-256 {}\n\n", groups(&one.sha256).join(" ")));
    }
}

fn step(text: &mut String, sheet: &Sheet) {
    line(text, format_args!("### {}\n\n", escaped(&sheet.heading)));
    if !sheet.explanation.is_empty() {
        line(text, format_args!("{}\n\n", escaped(&sheet.explanation)));
    }
    if !sheet.facts.is_empty() {
        facts(text, &sheet.facts);
    }
    for (title, lines) in [("Do", &sheet.does), ("Screen", &sheet.screen), ("Read aloud", &sheet.aloud)] {
        for one in lines {
            line(text, format_args!("- {title}: {}\n", escaped(one)));
        }
    }
    if !sheet.confirm.is_empty() {
        line(text, format_args!("- Confirms: {}\n", escaped(&sheet.confirm)));
    }
    match &sheet.events {
        None => line(text, format_args!("- [ ] done, time {BLANK} initials {BLANK}\n\n")),
        Some(events) => {
            if !text.ends_with("\n\n") {
                text.push('\n');
            }
            text.push_str("| time | event |\n|---|---|\n");
            for (time, what) in events {
                line(text, format_args!("| {} | {} |\n", cell(time), cell(what)));
            }
            if events.is_empty() {
                text.push_str("| | did not run |\n");
            }
            text.push('\n');
        }
    }
}

fn cell(text: &str) -> String {
    if text.is_empty() { BLANK.to_owned() } else { escaped(text).into_owned() }
}

/// Escapes all characters with a meaning in Markdown or HTML.
fn escaped(text: &str) -> std::borrow::Cow<'_, str> {
    let special = |c: char| "\\`*_{}[]<>#|~!&".contains(c);
    if !text.contains(special) {
        return text.into();
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if special(c) {
            safe.push('\\');
        }
        safe.push(c);
    }
    safe.into()
}
