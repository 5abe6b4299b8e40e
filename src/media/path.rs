//! Paths on media: relative, portable, and confined to their folder.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Error, shown};

/// A relative path of at most 255 octets and 8 components of `[A-Za-z0-9._-]{1,100}`,
/// none of them starting with a dot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct RelativePath(String);

impl RelativePath {
    /// Validates a path.
    ///
    /// # Errors
    /// [`Error::Refused`] names the component and the rule.
    pub fn new(text: &str) -> Result<Self, Error> {
        if text.len() > 255 || text.split('/').count() > 8 {
            return Err(Error::Refused(format!(
                "{}: a path has at most 255 characters and 8 components [MEDIA-NAME]",
                shown(text)
            )));
        }
        if let Some(bad) = text.split('/').find(|part| !is_portable(part)) {
            return Err(Error::Refused(format!(
                "{}: component {:?} must be 1 to 100 of the characters A-Z a-z 0-9 . _ - without a leading dot; rename it [MEDIA-NAME]",
                shown(text),
                shown(bad)
            )));
        }
        Ok(Self(text.to_owned()))
    }

    /// Prepends a folder.
    ///
    /// # Errors
    /// As [`RelativePath::new`].
    pub fn below(&self, folder: &str) -> Result<Self, Error> {
        Self::new(&format!("{folder}/{}", self.0))
    }

    /// Returns the path as a string.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the path in a release of the certificate for the request at this path.
    ///
    /// # Errors
    /// As [`RelativePath::new`], when the result is too long.
    pub fn released(&self) -> Result<Self, Error> {
        self.certificate_path()?.below("certificates")
    }

    /// Returns the path of the certificate for the request at this path: a suffix `.csr`, `.req`,
    /// `.pem` or `.der` is replaced by `.crt`.
    ///
    /// # Errors
    /// As [`RelativePath::new`], when the result is too long.
    fn certificate_path(&self) -> Result<Self, Error> {
        let stem = [".csr", ".req", ".pem", ".der"]
            .iter()
            .find_map(|ending| {
                self.0.strip_suffix(ending).filter(|stem| !stem.is_empty() && !stem.ends_with('/'))
            })
            .unwrap_or(&self.0);
        Self::new(&format!("{stem}.crt"))
    }
}

fn is_portable(part: &str) -> bool {
    (1..=100).contains(&part.len())
        && !part.starts_with('.')
        && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

impl fmt::Display for RelativePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for RelativePath {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        Self::new(&text)
    }
}

impl From<RelativePath> for String {
    fn from(path: RelativePath) -> Self {
        path.0
    }
}
