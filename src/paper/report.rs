//! The report: the paper script annotated with the events of each step, the people present, exceptions,
//! issued certificates and refused requests.

use super::document::{Document, Listed, Part, Sheet, Table};
use super::sheets;
use crate::digest::Digest;
use crate::media::{RelativePath, shown};
use crate::plan::Plan;
use crate::record::{Described, Description, Event, Facts, KeyCertificate, Record, RefusedRequests, State};
use crate::release::{CertificateEntry, RefusalEntry};
use crate::request::Reason;

/// Collects the contents of a report while its source is read.
#[derive(Debug, Default)]
pub struct Report {
    source: String,
    plan: Option<Plan>,
    state: State,
    first: String,
    head: Option<Digest>,
    lines: usize,
    people: Vec<[String; 3]>,
    exceptions: Vec<[String; 4]>,
    statements: Vec<[String; 5]>,
    /// Events before the first step, and in each step.
    steps: Vec<StepLog>,
    description: Description,
    issued: Vec<Listed>,
    listed: bool,
    refused: Vec<[String; 2]>,
}

/// An issued certificate in a report.
#[derive(Debug)]
pub struct Issued {
    /// Path of its request in the bundle.
    pub request_path: RelativePath,
    /// Subject (RFC 4514).
    pub subject: String,
    /// DNS names, followed by IP addresses.
    pub names: Vec<String>,
    pub profile: String,
    /// Name of the issuing authority.
    pub authority: String,
    /// Whether the subject is an authority outside the token.
    pub delegated: bool,
    /// Serial number in hexadecimal.
    pub serial: String,
    /// SHA-256 of its DER.
    pub sha256: Digest,
    /// notAfter, UTC.
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
struct StepLog {
    number: usize,
    act: String,
    events: Vec<(String, String)>,
}

impl Report {
    pub fn new(source: String) -> Self {
        Self { source, steps: vec![StepLog::default()], ..Self::default() }
    }

    /// Returns the plan digest from the transcript.
    pub fn plan_digest(&self) -> Option<Digest> {
        self.begin().map(|begin| begin.plan.sha256)
    }

    fn begin(&self) -> Option<&Facts> {
        self.state.begin.as_deref()
    }

    pub fn with_plan(&mut self, plan: Plan) {
        self.plan = Some(plan);
    }

    /// Takes issued certificates and refusals from [`Report::certificate`] and [`Report::refusal`] instead of the
    /// transcript.
    pub fn with_lists(&mut self) {
        self.listed = true;
        self.refused.clear();
    }

    /// Adds the next line of the transcript.
    pub fn line(&mut self, line: &str) -> Result<(), String> {
        self.lines += 1;
        let wrong = |e: String| format!("record {}: {e}", self.lines);
        let record = Record::read(line).map_err(wrong)?;
        // Consistency with earlier records is checked by the audit.
        let _ = self.state.apply(&record);
        self.head = Some(Digest::of(line.as_bytes()));
        if self.first.is_empty() {
            self.first.clone_from(&record.time);
        }
        let time = record.time.clone();
        match &record.event {
            Event::Step(step) => self.step(step.number, step.act.clone()),
            Event::Present(person) => {
                self.people.push([person.role.as_str().to_owned(), person.name.clone(), time]);
            }
            Event::Exception(one) => {
                self.exceptions.push([time, one.step.to_string(), one.by.clone(), one.text.clone()]);
            }
            Event::Statement(one) => self.statements.push([
                time,
                one.kind.as_str().to_owned(),
                one.label.clone(),
                one.value.clone(),
                one.by.clone(),
            ]),
            Event::Refused(refused) => self.refusals(refused),
            _ => {}
        }
        self.describe(&record);
        Ok(())
    }

    fn step(&mut self, number: usize, act: String) {
        if !self.steps.iter().any(|step| step.number == number) {
            self.steps.push(StepLog { number, act, events: Vec::new() });
        }
        // Events of a step repeated after an interruption are listed under that step.
        self.steps.sort_by_key(|step| step.number);
        self.description = Description::at(number);
    }

    fn describe(&mut self, record: &Record) {
        // A resumed ceremony starts over with signing in.
        if matches!(record.event, Event::Resume(_)) {
            self.description = Description::at(0);
        }
        let number = self.description.step();
        let Some(step) = self.steps.iter_mut().find(|step| step.number == number) else { return };
        if let Some(text) = self.description.take(record) {
            match text {
                Described::New(text) => step.events.push((record.time.clone(), shown(&text))),
                Described::Replace(text) => {
                    step.events.pop();
                    step.events.push((record.time.clone(), shown(&text)));
                }
            }
        }
    }

    fn refusals(&mut self, refused: &RefusedRequests) {
        if self.listed {
            return;
        }
        for one in &refused.requests {
            let row = [one.path.to_string(), reasons(&one.reasons)];
            if !self.refused.contains(&row) {
                self.refused.push(row);
            }
        }
    }

    pub fn certificate(&mut self, issued: Issued) {
        let names = issued.names.join(" ");
        let names = if names.is_empty() { names } else { format!(" [{names}]") };
        let outside = if issued.delegated { ", AN AUTHORITY OUTSIDE THE TOKEN" } else { "" };
        self.issued.push(Listed {
            name: shown(issued.request_path.as_str()),
            text: shown(&format!(
                "{}{names}: {} under {}{outside}",
                issued.subject, issued.profile, issued.authority
            )),
            not_after: issued.not_after,
            serial: issued.serial,
            sha256: issued.sha256,
        });
    }

    pub fn refusal(&mut self, entry: &RefusalEntry) {
        self.refused.push([entry.request_path.to_string(), reasons(&entry.reasons)]);
    }

    pub fn document(self) -> Document {
        let title = self.begin().map(|begin| begin.title.clone()).unwrap_or_default();
        let digest = self.plan_digest().map(|digest| digest.to_string()).unwrap_or_default();
        let mut document = Document {
            title: shown(&format!("Report: {title}")),
            foot: format!("Report: {title}, plan {}", digest.chars().take(16).collect::<String>()),
            rehearsal: self.begin().is_some_and(|begin| begin.rehearsal),
            parts: Vec::new(),
        };
        document.heading(1, &format!("Report: {title}"));
        self.cover(&mut document, &digest);
        self.lists(&mut document);
        document.heading(2, "Steps");
        for step in self.sheets() {
            document.part(Part::Step(Box::new(step)));
        }
        self.tables(&mut document);
        self.signatures(&mut document);
        document
    }

    fn cover(&self, document: &mut Document, digest: &str) {
        if let Some(plan) = &self.plan {
            document.text(&plan.script().purpose);
            document.part(Part::Digest("Plan digest", plan.digest()));
        }
        let yes = |yes| if yes { "yes" } else { "no" };
        let known = |value: String| if value.is_empty() { "unknown".to_owned() } else { value };
        let release = self.state.sealed.released.map_or_else(
            || "none, or after this transcript was sealed".to_owned(),
            |one| format!("{}, manifest SHA-256 {}", one.sequence, one.manifest_sha256),
        );
        let begin = |text: fn(&Facts) -> String| self.begin().map(text).unwrap_or_default();
        document.facts([
            ("Source", self.source.clone()),
            ("Began, UTC", known(self.first.clone())),
            ("Last record, UTC", known(self.state.time.clone())),
            ("Interruptions", self.state.resumed.to_string()),
            ("Plan digest", known(digest.to_owned())),
            ("Program", begin(|facts| format!("keyrite {}", facts.tool.version))),
            ("Its SHA-256", begin(|facts| facts.tool.sha256.to_string())),
            (
                "HSM profile",
                begin(|facts| format!("{}, SHA-256 {}", facts.hsm_profile.name, facts.hsm_profile.sha256)),
            ),
            (
                "PKCS#11 module",
                begin(|facts| format!("{}, SHA-256 {}", facts.module.path.display(), facts.module.sha256)),
            ),
            ("Rehearsal", yes(self.begin().is_some_and(|begin| begin.rehearsal)).to_owned()),
            ("Answered from a file", yes(self.state.unattended).to_owned()),
            ("Release", release),
            ("Records", self.lines.to_string()),
            ("Head of the transcript", self.head.map(|head| head.to_string()).unwrap_or_default()),
        ]);
        document.text("This report repeats the transcript and proves nothing by itself; verify the transcript with keyrite audit.");
    }

    fn lists(&self, document: &mut Document) {
        let mut people = Table::new(&["Role", "Name", "Signed in, UTC"], false);
        self.people.iter().for_each(|row| people.row(row));
        titled(document, "People", people, "Nobody signed in.");
        let mut exceptions = Table::new(&["Time, UTC", "Step", "Reported by", "What and why"], false);
        self.exceptions.iter().for_each(|row| exceptions.row(row));
        titled(document, "Exceptions", exceptions, "None was reported.");
        if !self.statements.is_empty() {
            let mut statements = Table::new(&["Time, UTC", "Kind", "Of", "Value", "By"], false);
            self.statements.iter().for_each(|row| statements.row(row));
            titled(document, "Statements and numbers", statements, "");
        }
    }

    /// Returns the steps of the plan or, if the plan is not known, those that ran.
    fn sheets(&self) -> Vec<Sheet> {
        let events = |number: usize| {
            let step = self.steps.iter().find(|step| step.number == number);
            Some(step.map(|step| step.events.clone()).unwrap_or_default())
        };
        if let Some(plan) = &self.plan {
            let first = Sheet { events: events(0), ..sheets::beginning(plan) };
            let steps = (0..plan.script().step.len())
                .map(|at| Sheet { events: events(at + 1), ..sheets::step(plan, at) });
            return std::iter::once(first).chain(steps).map(brief).collect();
        }
        let sheet = |step: &StepLog| Sheet {
            heading: match step.number {
                0 => "Beginning: sign in".to_owned(),
                number => shown(&format!("Step {number}: {}", step.act)),
            },
            events: Some(step.events.clone()),
            ..Sheet::default()
        };
        self.steps.iter().map(sheet).collect()
    }

    fn tables(&self, document: &mut Document) {
        let key = |key: &KeyCertificate| Listed {
            name: shown(&key.name),
            text: shown(&format!(
                "{} {}: {} under {}",
                key.role.title(),
                key.subject,
                key.profile,
                key.issuer
            )),
            not_after: key.not_after.clone(),
            serial: key.serial.clone(),
            sha256: key.sha256,
        };
        let keys: Vec<Listed> = self.state.certificates().map(key).collect();
        listed(document, &format!("Keys created: {}", keys.len()), keys, "None.");
        let (count, none) = if self.listed {
            (self.issued.len().to_string(), "None.")
        } else {
            (
                "see the steps".to_owned(),
                "A transcript has only counts and digests of certificates; name the release or the ledger for this list.",
            )
        };
        listed(document, &format!("Issued: {count}"), self.issued.clone(), none);
        let mut refused = Table::new(&["Request", "Reasons"], false);
        self.refused.iter().for_each(|row| refused.row(row));
        titled(document, &format!("Refused: {}", self.refused.len()), refused, "None.");
    }

    fn signatures(&self, document: &mut Document) {
        document.heading(2, "Signatures");
        document.text("I was present, and this report says what happened.");
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

fn reasons(reasons: &[Reason]) -> String {
    let reason = |reason: &Reason| format!("{} [{}]", reason.message, reason.control);
    reasons.iter().map(reason).collect::<Vec<_>>().join("; ")
}

/// Removes what only the paper script needs: space to write, and contents of the screen.
fn brief(mut sheet: Sheet) -> Sheet {
    sheet.facts.retain(|(_, value)| !value.is_empty());
    Sheet { screen: Vec::new(), aloud: Vec::new(), ..sheet }
}

fn titled(document: &mut Document, title: &str, table: Table, none: &str) {
    document.heading(2, title);
    if table.rows.is_empty() {
        document.text(none);
    } else {
        document.part(Part::Table(table));
    }
}

fn listed(document: &mut Document, title: &str, list: Vec<Listed>, none: &str) {
    document.heading(2, title);
    if list.is_empty() {
        document.text(none);
    } else {
        document.part(Part::Certificates(list));
    }
}
