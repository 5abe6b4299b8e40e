//! Certificate serial numbers (RFC 5280 4.1.2.2).

use crate::digest::{Hasher, hex};

/// A serial number: positive, 20 octets, of which 152 bits are random (RFC 5280 4.1.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Serial([u8; 20]);

impl Serial {
    /// Builds one from 19 random octets. The leading octet 01 fixes the length and the sign.
    fn new(random: [u8; 19]) -> Self {
        let mut octets = [1; 20];
        if let Some(rest) = octets.get_mut(1..) {
            rest.copy_from_slice(&random);
        }
        Self(octets)
    }

    /// Derives the serial number of a ledger row: 19 octets of the SHA-256 of the token's random
    /// octets, the system's random octets, and the numbers of ceremony and row. It is predictable
    /// only if both generators are, and unique within a ledger even if both repeat their output.
    pub fn derive(token: &[u8], system: &[u8; 32], ceremony: i64, row: i64) -> Self {
        let mut hasher = Hasher::default();
        hasher.update(token);
        hasher.update(system);
        hasher.update(&ceremony.to_be_bytes());
        hasher.update(&row.to_be_bytes());
        let mut random = [0; 19];
        random.iter_mut().zip(hasher.finish().as_bytes()).for_each(|(to, from)| *to = *from);
        Self::new(random)
    }

    /// Returns the octets, most significant first.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns lowercase hexadecimal digits.
    pub fn hex(&self) -> String {
        hex(&self.0)
    }
}

impl From<[u8; 20]> for Serial {
    fn from(octets: [u8; 20]) -> Self {
        Self(octets)
    }
}
