//! The annotated script: the paper script with what happened at each step, who was there, what
//! was written down as an exception, and what was issued and refused.

use serde_json::Value;

use super::document::{Document, Part, Sheet, Table};
use super::happened::{self, Sum};
use super::sheets;
use crate::ceremony::Plan;
use crate::digest::Digest;
use crate::media::{RelativePath, shown};
use crate::release::{CertificateEntry, Record, RefusalEntry, chain_head};

/// What a report is made of, as it is read.
#[derive(Debug, Default)]
pub struct Report {
    source: String,
    plan: Option<Plan>,
    begin: Option<Record>,
    resumed: usize,
    first: String,
    last: String,
    head: String,
    lines: usize,
    rehearsal: bool,
    unattended: bool,
    released: Option<Value>,
    people: Vec<[String; 3]>,
    exceptions: Vec<[String; 4]>,
    statements: Vec<[String; 5]>,
    /// What happened: before the first step, and in each.
    steps: Vec<Taken>,
    sum: Sum,
    issued: Vec<[String; 4]>,
    listed: bool,
    refused: Vec<[String; 2]>,
}

/// What a report shows of a certificate.
#[derive(Debug)]
pub struct Issued {
    /// Where its request was in the bundle.
    pub request_path: RelativePath,
    /// Subject, as RFC 4514 writes it.
    pub subject: String,
    /// DNS names, then IP addresses.
    pub names: Vec<String>,
    /// Certificate profile.
    pub profile: String,
    /// Name of the issuing authority.
    pub authority: String,
    /// Whether it is the certificate of an authority outside the token.
    pub delegated: bool,
    /// Serial number, hexadecimal digits.
    pub serial: String,
    /// SHA-256 over its DER.
    pub sha256: Digest,
    /// Last second of validity.
    pub not_after: String,
}

impl From<CertificateEntry> for Issued {
    fn from(entry: CertificateEntry) -> Self {
        Self {
            request_path: entry.request_path,
            subject: entry.subject,
            names: entry.dns.into_iter().chain(entry.ip).collect(),
            profile: entry.profile,
            authority: entry.authority,
            delegated: entry.delegated,
            serial: entry.serial,
            sha256: entry.sha256,
            not_after: entry.not_after,
        }
    }
}

#[derive(Debug, Default)]
struct Taken {
    number: usize,
    act: String,
    happened: Vec<(String, String)>,
}

impl Report {
    /// A report of this source; the plan, when it is known.
    pub fn new(source: String) -> Self {
        Self { source, steps: vec![Taken::default()], ..Self::default() }
    }

    /// The plan digest that the transcript names.
    pub fn plan_digest(&self) -> Option<&str> {
        self.begin.as_ref()?.data.get("plan")?.get("sha256")?.as_str()
    }

    /// Gives the report its plan.
    pub fn with_plan(&mut self, plan: Plan) {
        self.plan = Some(plan);
    }

    /// What was issued and refused is told by [`Report::certificate`] and [`Report::refusal`].
    pub fn with_lists(&mut self) {
        self.listed = true;
        self.refused.clear();
    }

    /// Takes in the next line of the transcript.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn line(&mut self, line: &str) -> Result<(), String> {
        self.lines += 1;
        let record: Record = serde_json::from_str(line).map_err(|e| format!("record {}: {e}", self.lines))?;
        self.head = chain_head(line);
        if self.first.is_empty() {
            self.first.clone_from(&record.time);
        }
        self.last.clone_from(&record.time);
        let text = |key: &str| happened::text(&record.data, key);
        match record.event.as_str() {
            "step" => {
                let number = record.data.get("number").and_then(Value::as_u64).unwrap_or_default();
                let number = usize::try_from(number).unwrap_or_default();
                self.step(number, text("act"));
            }
            "present" => self.people.push([text("role"), text("name"), record.time.clone()]),
            "exception" => {
                let step = text("step");
                self.exceptions.push([record.time.clone(), step, text("by"), text("text")]);
            }
            "statement" => self.statements.push([
                record.time.clone(),
                text("kind"),
                text("label"),
                text("value"),
                text("by"),
            ]),
            "refused" => self.refusals(&record.data),
            "released" => self.released = Some(record.data.clone()),
            _ => {}
        }
        self.happens(&record);
        if matches!(record.event.as_str(), "begin" | "resume") {
            self.began(record);
        }
        Ok(())
    }

    fn began(&mut self, record: Record) {
        let is = |key: &str| record.data.get(key) == Some(&Value::Bool(true));
        self.rehearsal |= is("rehearsal");
        self.unattended |= is("unattended");
        match self.begin {
            None => self.begin = Some(record),
            Some(_) => self.resumed += 1,
        }
    }

    fn step(&mut self, number: usize, act: String) {
        if !self.steps.iter().any(|step| step.number == number) {
            self.steps.push(Taken { number, act, happened: Vec::new() });
        }
        // What is repeated after an interruption stands with the step that it repeats.
        self.steps.sort_by_key(|step| step.number);
        self.sum = Sum::at(number);
    }

    fn happens(&mut self, record: &Record) {
        // An interruption returns to the beginning: people sign in again.
        if record.event == "resume" {
            self.sum = Sum::at(0);
        }
        let number = self.sum.step();
        let Some(step) = self.steps.iter_mut().find(|step| step.number == number) else { return };
        if let Some(text) = self.sum.take(record) {
            match text {
                happened::Told::New(text) => step.happened.push((record.time.clone(), shown(&text))),
                happened::Told::Instead(text) => {
                    step.happened.pop();
                    step.happened.push((record.time.clone(), shown(&text)));
                }
            }
        }
    }

    fn refusals(&mut self, data: &Value) {
        if self.listed {
            return;
        }
        let list = data.get("requests").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        for one in list {
            let reasons = one.get("reasons").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            let reasons = reasons.iter().map(|reason| {
                format!("{} [{}]", happened::text(reason, "message"), happened::text(reason, "control"))
            });
            let row = [happened::text(one, "path"), reasons.collect::<Vec<_>>().join("; ")];
            if !self.refused.contains(&row) {
                self.refused.push(row);
            }
        }
    }

    /// Takes in a certificate that was issued.
    pub fn certificate(&mut self, issued: Issued) {
        let names = issued.names.join(" ");
        let names = if names.is_empty() { names } else { format!(" [{names}]") };
        let outside = if issued.delegated { ", AN AUTHORITY OUTSIDE THE TOKEN" } else { "" };
        self.issued.push([
            issued.request_path.to_string(),
            format!("{}{names}: {} under {}{outside}", issued.subject, issued.profile, issued.authority),
            format!("{} {}", issued.serial, issued.sha256),
            issued.not_after,
        ]);
    }

    /// Takes in a request that was refused.
    pub fn refusal(&mut self, entry: &RefusalEntry) {
        let reasons = entry.reasons.iter().map(|reason| format!("{} [{}]", reason.message, reason.control));
        self.refused.push([entry.request_path.to_string(), reasons.collect::<Vec<_>>().join("; ")]);
    }

    /// The report as a document.
    pub fn document(self) -> Document {
        let title = self.begin.as_ref().map(|begin| happened::text(&begin.data, "title")).unwrap_or_default();
        let digest = self.plan_digest().unwrap_or_default().to_owned();
        let mut document = Document {
            title: shown(&format!("Report: {title}")),
            foot: format!("Report: {title}, plan {}", digest.chars().take(16).collect::<String>()),
            rehearsal: self.rehearsal,
            parts: Vec::new(),
        };
        document.heading(1, &format!("Report: {title}"));
        self.cover(&mut document, &digest);
        self.lists(&mut document);
        document.part(Part::Break);
        document.heading(2, "Steps");
        for step in self.sheets() {
            document.part(Part::Step(Box::new(step)));
        }
        self.tables(&mut document);
        self.signatures(&mut document);
        document
    }

    fn cover(&self, document: &mut Document, digest: &str) {
        let begin = self.begin.as_ref();
        let inside = |outer: &str, key: &str| {
            begin
                .and_then(|begin| begin.data.get(outer))
                .map(|value| happened::text(value, key))
                .unwrap_or_default()
        };
        if let Some(plan) = &self.plan {
            document.text(&plan.script().purpose);
            document.part(Part::Digest("Plan digest", plan.digest()));
        }
        let yes = |yes| if yes { "yes" } else { "no" };
        let told = |value: String| if value.is_empty() { "not told".to_owned() } else { value };
        let release = self.released.as_ref();
        let release = release.map_or_else(
            || "none, or after this transcript was sealed".to_owned(),
            |data| {
                format!(
                    "{}, manifest SHA-256 {}",
                    happened::text(data, "sequence"),
                    happened::text(data, "manifest_sha256")
                )
            },
        );
        document.facts([
            ("Source", self.source.clone()),
            ("Began, UTC", told(self.first.clone())),
            ("Last record, UTC", told(self.last.clone())),
            ("Interruptions", self.resumed.to_string()),
            ("Plan digest", told(digest.to_owned())),
            ("Program", format!("keyrite {}", inside("tool", "version"))),
            ("Its SHA-256", inside("tool", "sha256")),
            (
                "HSM profile",
                format!("{}, SHA-256 {}", inside("hsm_profile", "name"), inside("hsm_profile", "sha256")),
            ),
            (
                "PKCS#11 module",
                format!("{}, SHA-256 {}", inside("module", "path"), inside("module", "sha256")),
            ),
            ("Rehearsal", yes(self.rehearsal).to_owned()),
            ("A file answered", yes(self.unattended).to_owned()),
            ("Release", release),
            ("Records", self.lines.to_string()),
            ("Head of the transcript", self.head.clone()),
        ]);
        document.text("This report repeats what the transcript says; it proves nothing by itself. Whether the transcript is whole and as it was signed, keyrite audit tells.");
    }

    fn lists(&self, document: &mut Document) {
        let mut people = Table::new(&["Role", "Name", "Signed in, UTC"], false);
        self.people.iter().for_each(|row| people.row(row));
        titled(document, "People", people, "Nobody signed in.");
        let mut exceptions = Table::new(&["Time, UTC", "Step", "Reported by", "What and why"], false);
        self.exceptions.iter().for_each(|row| exceptions.row(row));
        titled(document, "Exceptions", exceptions, "None was written down.");
        if !self.statements.is_empty() {
            let mut statements = Table::new(&["Time, UTC", "Kind", "Of", "Value", "By"], false);
            self.statements.iter().for_each(|row| statements.row(row));
            titled(document, "Statements and numbers", statements, "");
        }
    }

    /// The steps of the plan, or those that ran where the plan is not known.
    fn sheets(&self) -> Vec<Sheet> {
        let happened = |number: usize| {
            let step = self.steps.iter().find(|step| step.number == number);
            Some(step.map(|step| step.happened.clone()).unwrap_or_default())
        };
        if let Some(plan) = &self.plan {
            let first = Sheet { happened: happened(0), ..sheets::beginning(plan) };
            let steps = (0..plan.script().step.len())
                .map(|at| Sheet { happened: happened(at + 1), ..sheets::step(plan, at) });
            return std::iter::once(first).chain(steps).map(brief).collect();
        }
        let sheet = |step: &Taken| Sheet {
            heading: match step.number {
                0 => "Beginning: sign in".to_owned(),
                number => shown(&format!("Step {number}: {}", step.act)),
            },
            happened: Some(step.happened.clone()),
            ..Sheet::default()
        };
        self.steps.iter().map(sheet).collect()
    }

    fn tables(&self, document: &mut Document) {
        let head =
            ["Request", "Subject, names: profile, authority", "Serial number, SHA-256", "Valid to, UTC"];
        let mut issued = Table::new(&head, false);
        self.issued.iter().for_each(|row| issued.row(row));
        let none = match self.listed {
            true => "None.",
            false => {
                "A transcript tells certificates by numbers and digests only; name the release or the ledger for this list."
            }
        };
        titled(
            document,
            &format!(
                "Issued: {}",
                if self.listed { self.issued.len().to_string() } else { "see the steps".into() }
            ),
            issued,
            none,
        );
        let mut refused = Table::new(&["Request", "Why it was refused"], false);
        self.refused.iter().for_each(|row| refused.row(row));
        titled(document, &format!("Refused: {}", self.refused.len()), refused, "None.");
    }

    fn signatures(&self, document: &mut Document) {
        // On a page of its own: a heading without its table below it is signed by nobody.
        document.part(Part::Break);
        document.heading(2, "Signatures");
        document.text("I was there, and this report says what happened.");
        let mut table = Table::new(&["Role", "Name", "Date", "Signature"], true);
        let mut seen: Vec<(&str, &str)> = Vec::new();
        for [role, name, _] in &self.people {
            if !seen.contains(&(role, name)) {
                seen.push((role, name));
                table.row([role.as_str(), name.as_str(), "", ""]);
            }
        }
        (0..2).for_each(|_| table.row([""; 4]));
        document.part(Part::Table(table));
    }
}

/// What happened takes the place of what the screen was to show.
fn brief(mut sheet: Sheet) -> Sheet {
    // Room to write is for the paper of the day.
    sheet.facts.retain(|(_, value)| !value.is_empty());
    Sheet { screen: Vec::new(), aloud: Vec::new(), ..sheet }
}

fn titled(document: &mut Document, title: &str, table: Table, none: &str) {
    document.heading(2, title);
    match table.rows.is_empty() {
        true => document.text(none),
        false => document.part(Part::Table(table)),
    }
}
