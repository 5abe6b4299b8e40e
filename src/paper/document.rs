//! The document model, independent of the output format: headings, tables, steps.

use crate::digest::Digest;
use crate::media::shown;

/// A printable document.
#[derive(Clone, Debug)]
pub struct Document {
    pub title: String,
    /// Page footer.
    pub foot: String,
    pub rehearsal: bool,
    pub parts: Vec<Part>,
}

/// Part of a document. Texts are escaped for display.
#[derive(Clone, Debug)]
pub enum Part {
    /// Level 1 to 3, and text.
    Heading(u8, String),
    Text(String),
    /// Labels and values; an empty value leaves space to write in.
    Facts(Vec<(String, String)>),
    /// Label, and a digest to be compared.
    Digest(&'static str, Digest),
    /// An empty cell leaves space to write in.
    Table(Table),
    Certificates(Vec<Listed>),
    Step(Box<Sheet>),
    /// Name and verbatim text of a file.
    File(String, String),
    /// A page break.
    Break,
}

#[derive(Clone, Debug, Default)]
pub struct Table {
    pub head: Vec<String>,
    pub rows: Vec<Vec<String>>,
    /// Whether rows are tall enough to write in.
    pub room: bool,
}

impl Table {
    pub fn new(head: &[&str], room: bool) -> Self {
        Self { head: head.iter().map(|text| (*text).to_owned()).collect(), rows: Vec::new(), room }
    }

    pub fn row<T: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = T>) {
        self.rows.push(cells.into_iter().map(|cell| shown(cell.as_ref())).collect());
    }
}

/// A certificate in a list. Texts are escaped for display.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Path of its request, or name of its key.
    pub name: String,
    /// Summary of its contents.
    pub text: String,
    /// notAfter, UTC.
    pub not_after: String,
    /// Serial number in hexadecimal.
    pub serial: String,
    /// SHA-256 of its DER.
    pub sha256: Digest,
}

/// A step on paper.
#[derive(Clone, Debug, Default)]
pub struct Sheet {
    /// First line of the screen: number, number of steps, act.
    pub heading: String,
    /// Explanation on the screen.
    pub explanation: String,
    /// Labels and values fixed by the script.
    pub facts: Vec<(String, String)>,
    /// What people do.
    pub does: Vec<String>,
    /// Contents of the screen.
    pub screen: Vec<String>,
    /// Values to read aloud.
    pub aloud: Vec<String>,
    /// People who confirm.
    pub confirm: String,
    /// Events with their times; a script has blank space instead.
    pub events: Option<Vec<(String, String)>>,
}

impl Document {
    pub fn heading(&mut self, level: u8, text: &str) {
        self.parts.push(Part::Heading(level, shown(text)));
    }

    pub fn text(&mut self, text: &str) {
        self.parts.push(Part::Text(shown(text)));
    }

    pub fn facts<'a>(&mut self, facts: impl IntoIterator<Item = (&'a str, String)>) {
        let facts = facts.into_iter().map(|(label, value)| (label.to_owned(), shown(&value)));
        self.parts.push(Part::Facts(facts.collect()));
    }

    pub fn part(&mut self, part: Part) {
        self.parts.push(part);
    }
}

/// Returns the digits of a digest in groups of eight.
pub fn groups(digest: &Digest) -> Vec<String> {
    grouped(&digest.to_string())
}

/// Splits digits into groups of eight.
pub fn grouped(digits: &str) -> Vec<String> {
    let digits: Vec<char> = digits.chars().collect();
    digits.chunks(8).map(|group| group.iter().collect()).collect()
}

pub fn words(digest: &Digest) -> Vec<String> {
    digest.words().split(' ').map(str::to_owned).collect()
}
