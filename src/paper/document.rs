//! A document for people, whatever it is written as: headings, tables, steps with room to write.

use crate::digest::Digest;
use crate::media::shown;

/// A document.
#[derive(Clone, Debug)]
pub struct Document {
    /// Its title.
    pub title: String,
    /// What stands at the foot of each page.
    pub foot: String,
    /// Whether it is of a rehearsal.
    pub rehearsal: bool,
    /// What it consists of.
    pub parts: Vec<Part>,
}

/// One part of a document. Texts are safe to show.
#[derive(Clone, Debug)]
pub enum Part {
    /// A heading of level 1 to 3.
    Heading(u8, String),
    /// A paragraph.
    Text(String),
    /// Labels with their values; an empty value is room to write.
    Facts(Vec<(String, String)>),
    /// A digest, to be compared.
    Digest(&'static str, Digest),
    /// A table; an empty cell is room to write.
    Table(Table),
    /// Certificates.
    Certificates(Vec<Listed>),
    /// A step.
    Step(Box<Sheet>),
    /// The text of a file, as it is.
    File(String, String),
    /// What follows begins a page.
    Break,
}

/// A table.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// The heads of its columns.
    pub head: Vec<String>,
    /// Its rows.
    pub rows: Vec<Vec<String>>,
    /// Whether its rows are high enough to write in.
    pub room: bool,
}

impl Table {
    /// A table without rows.
    pub fn new(head: &[&str], room: bool) -> Self {
        Self { head: head.iter().map(|text| (*text).to_owned()).collect(), rows: Vec::new(), room }
    }

    /// Adds a row.
    pub fn row<T: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = T>) {
        self.rows.push(cells.into_iter().map(|cell| shown(cell.as_ref())).collect());
    }
}

/// A certificate in a list. Texts are safe to show.
#[derive(Clone, Debug)]
pub struct Listed {
    /// What it is known by: its request, or its key.
    pub name: String,
    /// What it says.
    pub text: String,
    /// Its last second, UTC.
    pub not_after: String,
    /// Serial number, in hexadecimal.
    pub serial: String,
    /// SHA-256 over its DER.
    pub sha256: Digest,
}

/// What stands on paper of one step.
#[derive(Clone, Debug, Default)]
pub struct Sheet {
    /// The first line of its screen: number, how many there are, act.
    pub heading: String,
    /// What the screen says of it.
    pub explanation: String,
    /// What the script fixes for it.
    pub facts: Vec<(String, String)>,
    /// What people do.
    pub does: Vec<String>,
    /// What the screen shows.
    pub screen: Vec<String>,
    /// What is read aloud.
    pub aloud: Vec<String>,
    /// Who confirms.
    pub confirm: String,
    /// What happened: time and text. On a script there is none, but room to write.
    pub happened: Option<Vec<(String, String)>>,
}

impl Document {
    /// Adds a heading.
    pub fn heading(&mut self, level: u8, text: &str) {
        self.parts.push(Part::Heading(level, shown(text)));
    }

    /// Adds a paragraph.
    pub fn text(&mut self, text: &str) {
        self.parts.push(Part::Text(shown(text)));
    }

    /// Adds labels with their values.
    pub fn facts<'a>(&mut self, facts: impl IntoIterator<Item = (&'a str, String)>) {
        let facts = facts.into_iter().map(|(label, value)| (label.to_owned(), shown(&value)));
        self.parts.push(Part::Facts(facts.collect()));
    }

    /// Adds anything else.
    pub fn part(&mut self, part: Part) {
        self.parts.push(part);
    }
}

/// The digits of a digest in groups of eight.
pub fn groups(digest: &Digest) -> Vec<String> {
    grouped(&digest.to_string())
}

/// Digits in groups of eight.
pub fn grouped(digits: &str) -> Vec<String> {
    let digits: Vec<char> = digits.chars().collect();
    digits.chunks(8).map(|group| group.iter().collect()).collect()
}

/// The words of a digest.
pub fn words(digest: &Digest) -> Vec<String> {
    digest.words().split(' ').map(str::to_owned).collect()
}
