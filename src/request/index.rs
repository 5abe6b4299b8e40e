//! The index of a bundle, `bundle.json`: its requests, their cluster, and dates.
//!
//! Format `keyrite-bundle-1`, strict JSON. Approvers sign its exact octets.

use std::borrow::Cow;
use std::collections::HashMap;

use der::DateTime;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::digest::Digest;
use crate::media::{Error, RelativePath, shown};

/// Path of the index in its bundle.
pub const INDEX: &str = "bundle.json";
/// Maximum size of an index in octets, some 50,000 requests. It is held in memory.
pub const MAX_INDEX: u64 = 16 << 20;
/// Format written and read.
const FORMAT: &str = "keyrite-bundle-1";

/// Index of a bundle.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Index {
    format: Format,
    /// Cluster that the requests are for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<IndexName>,
    /// Part of the cluster that sends the bundle, such as a node, with its own sequence numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<IndexName>,
    /// Higher than in every earlier bundle of the same cluster and part.
    pub sequence: Sequence,
    /// When the bundle was made.
    pub created: Time,
    /// When the bundle must no longer be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Time>,
    /// All requests of the bundle.
    pub requests: Vec<Entry>,
}

/// A request of a bundle.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Path in the bundle.
    pub path: RelativePath,
    /// SHA-256 of the file.
    pub sha256: Digest,
    /// Certificate profile that the request is meant for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Object that contained the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<Object>,
}

/// A CertificateSigningRequest object as plain data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Object {
    /// Name of the object.
    pub name: String,
    /// Signer that the object is addressed to.
    pub signer: String,
    /// Requesting user, as authenticated by the API server.
    pub requester: String,
    /// Groups of the requesting user.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// Reason and message of the approval, as recorded by the API server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approver: Option<String>,
    /// Requested keyUsage bits and extendedKeyUsage purposes, by their names in RFC 5280.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub usages: Vec<String>,
    /// Requested validity in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiration_seconds: Option<std::num::NonZeroU32>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
enum Format {
    #[serde(rename = "keyrite-bundle-1")]
    One,
}

/// A name of 1 to 100 characters `A-Z a-z 0-9 . _ -` without a leading dot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct IndexName(String);

impl IndexName {
    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for IndexName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match RelativePath::new(&text) {
            Ok(path) if !path.as_str().contains('/') => Ok(Self(text)),
            _ => Err(format!(
                "name {:?} must be 1 to 100 of the characters A-Z a-z 0-9 . _ - without a leading dot",
                shown(&text)
            )),
        }
    }
}

impl From<IndexName> for String {
    fn from(name: IndexName) -> Self {
        name.0
    }
}

/// A sequence number from 1 to 2^53 - 1, which every JSON parser represents exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "u64", into = "u64")]
pub struct Sequence(u64);

impl Sequence {
    /// Returns the number.
    pub fn number(self) -> u64 {
        self.0
    }
}

impl TryFrom<u64> for Sequence {
    type Error = String;

    fn try_from(number: u64) -> Result<Self, String> {
        match (1..1 << 53).contains(&number) {
            true => Ok(Self(number)),
            false => Err(format!("sequence is {number}, must be 1 to 9007199254740991")),
        }
    }
}

impl From<Sequence> for u64 {
    fn from(sequence: Sequence) -> Self {
        sequence.0
    }
}

/// A time in UTC, such as `2026-11-24T10:00:00Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time(pub DateTime);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let time = text.parse().ok().map(Time).filter(|time| time.0.to_string() == text);
        time.ok_or_else(|| {
            de::Error::custom(format!("time {:?} is not of the form 2026-11-24T10:00:00Z", shown(&text)))
        })
    }
}

impl Index {
    /// Creates an index.
    pub fn new(sequence: Sequence, created: DateTime, requests: Vec<Entry>) -> Self {
        let created = Time(created);
        Self { format: Format::One, cluster: None, part: None, sequence, created, expires: None, requests }
    }

    /// Parses an index.
    ///
    /// # Errors
    /// [`Error::Refused`] unless it is strict JSON of the format, and for a path that is duplicate
    /// or the index's own.
    pub fn parse(octets: &[u8]) -> Result<Self, Error> {
        let bad = |why: String| Error::Refused(format!("{INDEX}: {why} [BUNDLE-INDEX]"));
        let index: Self = serde_json::from_slice(octets)
            .map_err(|e| bad(format!("is not an index of the format {FORMAT}: {}", shown(&e.to_string()))))?;
        if index.expires.is_some_and(|expires| expires.0 <= index.created.0) {
            return Err(bad("expires is not after created".into()));
        }
        let mut seen = std::collections::HashSet::new();
        for entry in &index.requests {
            if is_leading(entry.path.as_str()) {
                return Err(bad(format!("lists {}, which is not a request", entry.path)));
            }
            if !seen.insert(&entry.path) {
                return Err(bad(format!("duplicate path {}", entry.path)));
            }
        }
        Ok(index)
    }

    /// Encodes the index with one request per line, for readability.
    ///
    /// # Errors
    /// [`Error::Refused`] when it exceeds [`MAX_INDEX`].
    pub fn encode(&self) -> Result<Vec<u8>, Error> {
        let bad = |why: String| Error::Refused(format!("{INDEX}: {why} [BUNDLE-INDEX]"));
        let head = serde_json::to_string(&Self { requests: Vec::new(), ..self.clone() })
            .map_err(|e| bad(e.to_string()))?;
        let lines = self.requests.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>();
        let lines = lines.map_err(|e| bad(e.to_string()))?.join(",\n");
        let text = format!("{}[\n{lines}\n]}}\n", head.trim_end_matches("[]}"));
        match text.len() as u64 <= MAX_INDEX {
            true => Ok(text.into_bytes()),
            false => Err(bad(format!(
                "would have {} octets, the maximum is {MAX_INDEX}; split the requests into several bundles",
                text.len()
            ))),
        }
    }

    /// Returns the entries by path.
    pub fn into_entries(self) -> HashMap<RelativePath, Entry> {
        self.requests.into_iter().map(|entry| (entry.path.clone(), entry)).collect()
    }
}

/// Whether a path is that of the index or of a signature over it: `bundle.json.sig`,
/// `bundle.json.NAME.sig`.
pub fn is_leading(path: &str) -> bool {
    let Some(rest) = path.strip_prefix(INDEX) else { return false };
    rest.is_empty() || (rest.starts_with('.') && rest.ends_with(".sig") && !rest.contains('/'))
}

impl JsonSchema for Time {
    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "UTC",
            "type": "string",
            "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"
        })
    }
}
