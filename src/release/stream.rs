//! Manifests as streams: written and read entry by entry, for their lists may be long.

use std::collections::BTreeMap;
use std::io::{BufReader, Read, Write};

use serde::de::{self, DeserializeOwned, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::{Deserializer, Serialize};
use serde_json::value::RawValue;

use super::{CertificateEntry, Error, Head, RefusalEntry};

/// The two lists, in their order, after all other members.
const CERTIFICATES: &str = "certificates";
const REFUSALS: &str = "refusals";

/// Writes a manifest: the head, then one line for each certificate and each refusal.
#[derive(Debug)]
pub struct ManifestWriter<W: Write> {
    to: W,
    list: &'static str,
    empty: bool,
}

/// The JSON text of one entry.
///
/// # Errors
/// [`Error`] when it has none.
pub fn entry(value: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|e| Error(e.to_string()))
}

impl<W: Write> ManifestWriter<W> {
    /// Writes the head.
    ///
    /// # Errors
    /// [`Error`] when it cannot be written.
    pub fn new(mut to: W, head: &Head) -> Result<Self, Error> {
        let text = serde_json::to_string_pretty(head).map_err(|e| Error(e.to_string()))?;
        let open = text.strip_suffix("\n}").ok_or_else(|| Error("manifest: head has no members".into()))?;
        write!(to, "{open},\n  \"{CERTIFICATES}\": [").map_err(failed)?;
        Ok(Self { to, list: CERTIFICATES, empty: true })
    }

    /// Writes the entry of a certificate.
    ///
    /// # Errors
    /// [`Error`] when it cannot be written, or after the first refusal.
    pub fn certificate(&mut self, entry: &str) -> Result<(), Error> {
        match self.list {
            CERTIFICATES => self.line(entry),
            _ => Err(Error("manifest: certificates stand before refusals".into())),
        }
    }

    /// Writes the entry of a refusal.
    ///
    /// # Errors
    /// [`Error`] when it cannot be written.
    pub fn refusal(&mut self, entry: &str) -> Result<(), Error> {
        self.begin_refusals()?;
        self.line(entry)
    }

    /// Ends the manifest.
    ///
    /// # Errors
    /// [`Error`] when it cannot be written.
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

/// Takes what stands in a manifest, in the order in which it stands there.
pub trait Reader {
    /// The head: everything but the lists.
    ///
    /// # Errors
    /// [`Error`] ends the reading.
    fn head(&mut self, head: Head) -> Result<(), Error>;

    /// A certificate.
    ///
    /// # Errors
    /// [`Error`] ends the reading.
    fn certificate(&mut self, entry: CertificateEntry) -> Result<(), Error>;

    /// A refusal.
    ///
    /// # Errors
    /// [`Error`] ends the reading.
    fn refusal(&mut self, entry: RefusalEntry) -> Result<(), Error>;
}

/// Reads a manifest.
///
/// # Errors
/// [`Error`] when it is none: unknown, missing or doubled members, lists that are not at the end;
/// whatever `reader` returns.
pub fn read(from: impl Read, reader: &mut dyn Reader) -> Result<(), Error> {
    let mut failure = None;
    let mut deserializer = serde_json::Deserializer::from_reader(BufReader::with_capacity(1 << 16, from));
    let read = deserializer.deserialize_map(Members { reader, failure: &mut failure });
    let read = read.and_then(|()| deserializer.end());
    match (failure, read) {
        (Some(failure), _) => Err(failure),
        (None, read) => read.map_err(|e| Error(format!("{}: {e}", super::MANIFEST))),
    }
}

/// Visits the members; the first failure of the reader is kept, for serde has its own errors.
struct Members<'a> {
    reader: &'a mut dyn Reader,
    failure: &'a mut Option<Error>,
}

impl<'de> Visitor<'de> for Members<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a manifest")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { reader, failure } = self;
        let mut keep = |result: Result<(), Error>| {
            result.map_err(|e| {
                *failure = Some(e);
                de::Error::custom("stopped")
            })
        };
        let mut head: BTreeMap<String, Box<RawValue>> = BTreeMap::new();
        loop {
            let key: String = map.next_key()?.ok_or_else(|| de::Error::missing_field(CERTIFICATES))?;
            if key == CERTIFICATES {
                break;
            }
            if head.insert(key.clone(), map.next_value()?).is_some() {
                return Err(de::Error::custom(format!("duplicate field `{key}`")));
            }
        }
        // As one text again, so that what is unknown, missing or doubled in it is told.
        let text = serde_json::to_string(&head).map_err(de::Error::custom)?;
        let head: Head = serde_json::from_str(&text).map_err(de::Error::custom)?;
        keep(reader.head(head))?;
        map.next_value_seed(List(|entry| keep(reader.certificate(entry)), std::marker::PhantomData))?;
        match map.next_key::<String>()? {
            Some(key) if key == REFUSALS => {
                map.next_value_seed(List(|entry| keep(reader.refusal(entry)), std::marker::PhantomData))?;
            }
            _ => return Err(de::Error::missing_field(REFUSALS)),
        }
        match map.next_key::<String>()? {
            None => Ok(()),
            Some(key) => Err(de::Error::custom(format!("field `{key}` stands after {REFUSALS}"))),
        }
    }
}

struct List<F, T>(F, std::marker::PhantomData<T>);

impl<'de, T: DeserializeOwned, E: de::Error, F: FnMut(T) -> Result<(), E>> DeserializeSeed<'de>
    for List<F, T>
{
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, T: DeserializeOwned, E: de::Error, F: FnMut(T) -> Result<(), E>> Visitor<'de> for List<F, T> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        while let Some(entry) = list.next_element::<T>()? {
            (self.0)(entry).map_err(de::Error::custom)?;
        }
        Ok(())
    }
}
