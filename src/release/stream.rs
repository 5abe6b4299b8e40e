//! Manifests as streams, written and read entry by entry because their lists may be long.

use std::io::{BufRead, BufReader, Read, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{CertificateEntry, Error, Head, RefusalEntry};

/// Names of the two lists, which follow all other members in this order.
const CERTIFICATES: &str = "certificates";
const REFUSALS: &str = "refusals";

/// Writes a manifest: the head, followed by one line for each certificate and each refusal.
#[derive(Debug)]
pub struct ManifestWriter<W: Write> {
    to: W,
    list: &'static str,
    empty: bool,
}

/// Serializes an entry as JSON.
///
/// # Errors
/// [`Error`] if it cannot be serialized.
pub fn entry(value: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|e| Error(e.to_string()))
}

impl<W: Write> ManifestWriter<W> {
    /// Writes the head.
    ///
    /// # Errors
    /// [`Error`] if writing fails.
    pub fn new(mut to: W, head: &Head) -> Result<Self, Error> {
        let text = serde_json::to_string_pretty(head).map_err(|e| Error(e.to_string()))?;
        let open = text.strip_suffix("\n}").ok_or_else(|| Error("manifest: head has no members".into()))?;
        write!(to, "{open},\n  \"{CERTIFICATES}\": [").map_err(failed)?;
        Ok(Self { to, list: CERTIFICATES, empty: true })
    }

    /// Writes a certificate's entry.
    ///
    /// # Errors
    /// [`Error`] if writing fails, or after the first refusal.
    pub fn certificate(&mut self, entry: &str) -> Result<(), Error> {
        match self.list {
            CERTIFICATES => self.line(entry),
            _ => Err(Error("manifest: certificates must precede refusals".into())),
        }
    }

    /// Writes a refusal's entry.
    ///
    /// # Errors
    /// [`Error`] if writing fails.
    pub fn refusal(&mut self, entry: &str) -> Result<(), Error> {
        self.begin_refusals()?;
        self.line(entry)
    }

    /// Ends the manifest.
    ///
    /// # Errors
    /// [`Error`] if writing fails.
    pub fn finish(mut self) -> Result<W, Error> {
        self.begin_refusals()?;
        let end = if self.empty { "]\n}\n" } else { "\n  ]\n}\n" };
        self.to.write_all(end.as_bytes()).and_then(|()| self.to.flush()).map_err(failed)?;
        Ok(self.to)
    }

    fn begin_refusals(&mut self) -> Result<(), Error> {
        if self.list == REFUSALS {
            return Ok(());
        }
        let end = if self.empty { "]" } else { "\n  ]" };
        (self.list, self.empty) = (REFUSALS, true);
        write!(self.to, "{end},\n  \"{REFUSALS}\": [").map_err(failed)
    }

    fn line(&mut self, entry: &str) -> Result<(), Error> {
        let before: &[u8] = if self.empty { b"\n    " } else { b",\n    " };
        self.empty = false;
        self.to.write_all(before).and_then(|()| self.to.write_all(entry.as_bytes())).map_err(failed)
    }
}

fn failed(error: std::io::Error) -> Error {
    Error(format!("manifest: {error}"))
}

/// Receives the contents of a manifest in their order.
pub trait Reader {
    /// Receives the head: everything except the lists.
    ///
    /// # Errors
    /// [`Error`] ends reading.
    fn head(&mut self, head: Head) -> Result<(), Error>;

    /// Receives a certificate.
    ///
    /// # Errors
    /// [`Error`] ends reading.
    fn certificate(&mut self, entry: CertificateEntry) -> Result<(), Error>;

    /// Receives a refusal.
    ///
    /// # Errors
    /// [`Error`] ends reading.
    fn refusal(&mut self, entry: RefusalEntry) -> Result<(), Error>;
}

/// As [`Reader`], for decoding entries in other threads with [`decode`].
pub trait TextReader {
    /// As [`Reader::head`].
    ///
    /// # Errors
    /// [`Error`] ends reading.
    fn head(&mut self, head: Head) -> Result<(), Error>;

    /// Receives the JSON text of a certificate's entry.
    ///
    /// # Errors
    /// [`Error`] ends reading.
    fn certificate(&mut self, text: &str) -> Result<(), Error>;

    /// Receives the JSON text of a refusal's entry.
    ///
    /// # Errors
    /// [`Error`] ends reading.
    fn refusal(&mut self, text: &str) -> Result<(), Error>;
}

/// Decodes entries while they are read.
struct Decoding<'a>(&'a mut dyn Reader);

impl TextReader for Decoding<'_> {
    fn head(&mut self, head: Head) -> Result<(), Error> {
        self.0.head(head)
    }

    fn certificate(&mut self, text: &str) -> Result<(), Error> {
        self.0.certificate(decode(text)?)
    }

    fn refusal(&mut self, text: &str) -> Result<(), Error> {
        self.0.refusal(decode(text)?)
    }
}

/// Decodes the JSON text of an entry.
///
/// # Errors
/// [`Error`] if it is malformed: unknown, missing or duplicate members.
pub fn decode<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(malformed)
}

/// Reads a manifest. It must have exactly the lines that [`ManifestWriter`] writes, so that signed octets have
/// only one interpretation.
///
/// # Errors
/// [`Error`] if it is malformed: unknown, missing or duplicate members, lists not at the end, entries not on
/// one line each. Also any error of `reader`.
pub fn read(from: impl Read, reader: &mut dyn Reader) -> Result<(), Error> {
    read_texts(from, &mut Decoding(reader))
}

/// As [`read`], with entries as JSON text.
///
/// # Errors
/// As [`read`], except that entries are not decoded.
pub fn read_texts(from: impl Read, reader: &mut dyn TextReader) -> Result<(), Error> {
    let mut lines = Lines { from: BufReader::with_capacity(1 << 17, from), octets: Vec::new(), number: 0 };
    let mut head = String::new();
    let empty = loop {
        let line = lines.next()?;
        match opening(line, CERTIFICATES) {
            Some(empty) => break empty,
            None => head.push_str(line),
        }
        if head.len() > MANIFEST_LINE {
            return Err(lines.unexpected());
        }
    };
    let head = head.trim_end().strip_suffix(',').ok_or_else(|| lines.unexpected())?;
    reader.head(decode(&format!("{head}}}"))?)?;
    lines.list(empty, "],", &mut |text| reader.certificate(text))?;
    let empty = opening(lines.next()?, REFUSALS).ok_or_else(|| lines.unexpected())?;
    lines.list(empty, "]", &mut |text| reader.refusal(text))?;
    let end = lines.next()? == "}\n";
    if end && lines.fill()? == 0 { Ok(()) } else { Err(lines.unexpected()) }
}

/// Returns, if the line opens this list, whether it also closes it.
fn opening(line: &str, list: &str) -> Option<bool> {
    let rest = line.strip_prefix("  \"")?.strip_prefix(list)?.strip_prefix("\": [")?;
    match rest.trim_end_matches([',', '\n']) {
        "" => Some(false),
        "]" => Some(true),
        _ => None,
    }
}

/// Maximum length of a line and of the head, in octets.
const MANIFEST_LINE: usize = 16 << 20;

struct Lines<R> {
    from: BufReader<R>,
    octets: Vec<u8>,
    number: u64,
}

impl<R: Read> Lines<R> {
    fn fill(&mut self) -> Result<usize, Error> {
        self.octets.clear();
        self.number += 1;
        (&mut self.from).take(MANIFEST_LINE as u64).read_until(b'\n', &mut self.octets).map_err(failed)
    }

    /// Returns the next line, with its line feed.
    fn next(&mut self) -> Result<&str, Error> {
        self.fill()?;
        match std::str::from_utf8(&self.octets) {
            Ok(line) if line.ends_with('\n') => Ok(line),
            _ => Err(self.unexpected()),
        }
    }

    /// Reads the entries of a list, one per line, up to the line that closes it.
    fn list(
        &mut self,
        empty: bool,
        close: &str,
        each: &mut dyn FnMut(&str) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut more = !empty;
        while more {
            let line = self.next()?.trim_end_matches('\n');
            let entry = line.strip_prefix("    ").filter(|text| text.starts_with('{'));
            let Some(entry) = entry else { return Err(self.unexpected()) };
            let (entry, follows) = entry.strip_suffix(',').map_or((entry, false), |entry| (entry, true));
            each(entry)?;
            more = follows;
        }
        let closed =
            empty || self.next()?.strip_prefix("  ").map(|line| line.trim_end_matches('\n')) == Some(close);
        if closed { Ok(()) } else { Err(self.unexpected()) }
    }

    fn unexpected(&self) -> Error {
        Error(format!(
            "{}: line {} is not as keyrite writes it; the file was modified or truncated",
            super::MANIFEST,
            self.number
        ))
    }
}

fn malformed(error: serde_json::Error) -> Error {
    Error(format!("{}: {error}", super::MANIFEST))
}
