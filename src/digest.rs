//! SHA-256 (FIPS 180-4) as a value: in hexadecimal for machines, in words to read aloud.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

/// A SHA-256 digest, shown as 64 lowercase hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of these octets.
    pub fn of(octets: &[u8]) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, octets).as_ref());
        Self(bytes)
    }

    /// The digest of a listing of files, one line each: digest, two spaces, path.
    ///
    /// It is what `sha256sum PATH... | sha256sum` prints for the same paths in the same order.
    pub fn of_listing<'a>(files: impl IntoIterator<Item = (&'a str, Self)>) -> Self {
        let lines: String = files.into_iter().map(|(path, digest)| format!("{digest}  {path}\n")).collect();
        Self::of(lines.as_bytes())
    }

    /// The 32 octets.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Twenty-four English words (BIP-39, whose last word carries a checksum), to be read aloud.
    pub fn words(&self) -> String {
        // Entropy of 32 octets is one of the lengths that BIP-39 defines, so this cannot fail.
        bip39::Mnemonic::from_entropy(&self.0).map(|words| words.to_string()).unwrap_or_default()
    }
}

/// Octets as lowercase hexadecimal digits.
pub fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl FromStr for Digest {
    type Err = String;

    /// Reads 64 hexadecimal digits; colons, as `openssl` prints them, are passed over.
    fn from_str(text: &str) -> Result<Self, String> {
        let digits: Vec<char> = text.chars().filter(|c| *c != ':').collect();
        let octets: Option<Vec<u8>> = digits
            .chunks(2)
            .map(|pair| match pair {
                [high, low] => Some((high.to_digit(16)? * 16 + low.to_digit(16)?) as u8),
                _ => None,
            })
            .collect();
        octets
            .and_then(|octets| octets.try_into().ok())
            .map(Self)
            .ok_or_else(|| format!("{text:?} is not a SHA-256 digest of 64 hexadecimal digits"))
    }
}

impl TryFrom<String> for Digest {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}
