//! Documents as self-contained HTML: it loads no resources, and prints on A4 and Letter.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::document::{Document, Listed, Part, Sheet, Table, grouped, groups, words};
use crate::digest::Digest;

const STYLE: &str = include_str!("style.css");

pub fn html(document: &Document) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                title { (document.title) }
                style { (PreEscaped(STYLE)) (PreEscaped(foot(document))) }
            }
            body {
                @if document.rehearsal { p.mark { "REHEARSAL" } }
                @for part in &document.parts { (self::part(part)) }
            }
        }
    };
    page.into_string()
}

/// Returns the page footer as CSS: a string in which all characters except plain text are escaped.
fn foot(document: &Document) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || " .,:-".contains(c);
    let escaped = |c: char| if plain(c) { c.to_string() } else { format!("\\{:x} ", u32::from(c)) };
    let text: String = crate::media::shown(&document.foot).chars().map(escaped).collect();
    format!("@page {{ @bottom-left {{ content: \"{text}\"; }} }}")
}

fn part(part: &Part) -> Markup {
    match part {
        Part::Heading(1, text) => html! { h1 { (text) } },
        Part::Heading(2, text) => html! { h2 { (text) } },
        Part::Heading(_, text) => html! { h3 { (text) } },
        Part::Text(text) => html! { p { (text) } },
        Part::Facts(list) => facts(list),
        Part::Digest(label, value) => digest(label, value),
        Part::Table(value) => table(value),
        Part::Certificates(list) => certificates(list),
        Part::Step(sheet) => step(sheet),
        Part::File(name, text) => html! {
            h3 { (name) }
            pre.file { @for line in text.lines() { code { (line) } "\n" } }
        },
        Part::Break => html! { div.break {} },
    }
}

fn facts(list: &[(String, String)]) -> Markup {
    html! {
        table.facts {
            @for (label, value) in list {
                tr {
                    th scope="row" { (label) }
                    @if value.is_empty() { td.room {} } @else { td { (value) } }
                }
            }
        }
    }
}

fn digest(label: &str, value: &Digest) -> Markup {
    html! {
        section.digest {
            h3 { (label) }
            p.hex { @for group in groups(value) { span { (group) } " " } }
            ol.words { @for word in words(value) { li { (word) } } }
        }
    }
}

fn table(table: &Table) -> Markup {
    html! {
        table.list.room[table.room] {
            thead { tr { @for cell in &table.head { th scope="col" { (cell) } } } }
            tbody {
                @for row in &table.rows { tr { @for cell in row { td.time[is_time(cell)] { (self::cell(cell)) } } } }
            }
        }
    }
}

/// Each digest is on one line of fixed width.
fn certificates(list: &[Listed]) -> Markup {
    html! {
        @for one in list {
            section.certificate {
                p { b { (cell(&one.name)) } " " (one.text) }
                p.small { "serial  " (grouped(&one.serial).join(" ")) "   valid to " (one.not_after) }
                p.small { "SHA-256 " (groups(&one.sha256).join(" ")) }
            }
        }
    }
}

/// Paths break after slashes, not within names.
fn cell(text: &str) -> Markup {
    /// Longer names may break anywhere; otherwise the table would be wider than the page.
    const LONGEST: usize = 32;
    let path = text.contains('/') && !text.contains(' ');
    if !path || text.split('/').any(|name| name.chars().count() > LONGEST) {
        return html! { (text) };
    }
    html! { @for name in text.split_inclusive('/') { span.name { (name) } wbr; } }
}

fn step(sheet: &Sheet) -> Markup {
    html! {
        section.step {
            header {
                @if sheet.events.is_none() { span.box {} }
                h3 { (sheet.heading) }
                @if sheet.events.is_none() {
                    span.write { "time" span.line {} "initials" span.line {} }
                }
            }
            @if !sheet.explanation.is_empty() { p { (sheet.explanation) } }
            @if !sheet.facts.is_empty() { (facts(&sheet.facts)) }
            (list("Do", &sheet.does))
            (list("Screen", &sheet.screen))
            (list("Read aloud", &sheet.aloud))
            @if !sheet.confirm.is_empty() { p.confirm { b { "Confirms: " } (sheet.confirm) } }
            @match &sheet.events {
                None => { p.note { "Notes" } }
                Some(events) => {
                    table.happened {
                        @for (time, text) in events { tr { th scope="row" { (time) } td { (text) } } }
                        @if events.is_empty() { tr { th {} td { "did not run" } } }
                    }
                }
            }
        }
    }
}

/// Whether a cell is a time in UTC, which is not broken.
fn is_time(cell: &str) -> bool {
    cell.len() == 20 && cell.ends_with('Z') && cell.contains('T')
}

fn list(title: &str, lines: &[String]) -> Markup {
    html! {
        @if !lines.is_empty() {
            div.todo {
                b { (title) }
                ul { @for line in lines { li { (line) } } }
            }
        }
    }
}
