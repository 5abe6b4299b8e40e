//! SHA-256 digests (FIPS 180-4), as hexadecimal digits and as words to read aloud.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, BufReader, Read};
use std::str::FromStr;

use aws_lc_rs::digest::{Context, SHA256, digest};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A SHA-256 digest, shown as 64 lowercase hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

/// An incremental SHA-256 computation.
#[derive(Clone)]
pub struct Hasher(Context);

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hasher")
    }
}

impl Default for Hasher {
    fn default() -> Self {
        Self(Context::new(&SHA256))
    }
}

impl Hasher {
    /// Hashes the next octets.
    pub fn update(&mut self, octets: &[u8]) {
        self.0.update(octets);
    }

    /// Hashes one line of a file listing: digest, two spaces, path, line feed.
    pub fn list(&mut self, path: &str, digest: &Digest) {
        let mut digits = [0; 64];
        self.update(digest.digits(&mut digits).as_bytes());
        self.update(b"  ");
        self.update(path.as_bytes());
        self.update(b"\n");
    }

    /// Returns the digest of everything hashed.
    pub fn finish(self) -> Digest {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.0.finish().as_ref());
        Digest(bytes)
    }
}

impl io::Write for Hasher {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.update(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Digest {
    /// All zeros; no known input has this digest.
    pub const ZERO: Self = Self([0; 32]);

    /// Computes the digest of `octets`.
    pub fn of(octets: &[u8]) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, octets).as_ref());
        Self(bytes)
    }

    /// Computes the digest of a reader's contents in constant memory.
    ///
    /// # Errors
    /// Any error of `from`.
    pub fn of_all(from: impl Read) -> io::Result<Self> {
        let mut hasher = Hasher::default();
        io::copy(&mut BufReader::with_capacity(1 << 16, from), &mut hasher)?;
        Ok(hasher.finish())
    }

    /// Computes the digest of a file listing, one line per file: digest, two spaces, path.
    ///
    /// It is what `sha256sum PATH... | sha256sum` prints for the same paths in the same order.
    pub fn of_listing<'a>(files: impl IntoIterator<Item = (&'a str, Self)>) -> Self {
        let mut hasher = Hasher::default();
        files.into_iter().for_each(|(path, digest)| hasher.list(path, &digest));
        hasher.finish()
    }

    fn digits<'a>(&self, buffer: &'a mut [u8; 64]) -> &'a str {
        // The buffer has two digits per octet, so encoding cannot fail.
        base16ct::lower::encode_str(&self.0, buffer).unwrap_or_default()
    }

    /// Returns the 32 octets.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns 24 English words (BIP-39) to read aloud; the last one includes a checksum.
    pub fn words(&self) -> String {
        // BIP-39 defines entropy of 32 octets, so this cannot fail.
        bip39::Mnemonic::from_entropy(&self.0).map(|words| words.to_string()).unwrap_or_default()
    }
}

/// Encodes octets as lowercase hexadecimal digits.
pub fn hex(octets: &[u8]) -> String {
    base16ct::lower::encode_string(octets)
}

/// Decodes hexadecimal digits of either case.
pub fn unhex(digits: &str) -> Option<Vec<u8>> {
    base16ct::mixed::decode_vec(digits).ok()
}

impl From<[u8; 32]> for Digest {
    fn from(octets: [u8; 32]) -> Self {
        Self(octets)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.digits(&mut [0; 64]))
    }
}

impl FromStr for Digest {
    type Err = String;

    /// Parses 64 hexadecimal digits; colons, which `openssl` prints, are ignored.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut octets = [0; 32];
        let plain;
        let digits = if text.contains(':') {
            plain = text.replace(':', "");
            &plain
        } else {
            text
        };
        match base16ct::mixed::decode(digits, &mut octets) {
            Ok(read) if read.len() == 32 => Ok(Self(octets)),
            _ => Err(format!("{text:?} is not a SHA-256 digest of 64 hexadecimal digits")),
        }
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.digits(&mut [0; 64]))
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Digits;
        impl de::Visitor<'_> for Digits {
            type Value = Digest;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("64 hexadecimal digits")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Digest, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Digits)
    }
}

impl JsonSchema for Digest {
    fn schema_name() -> Cow<'static, str> {
        "Digest".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "description": "SHA-256", "type": "string", "pattern": "^[0-9a-f]{64}$" })
    }
}
