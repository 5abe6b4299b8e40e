//! Serial numbers of certificates (RFC 5280 4.1.2.2).

use crate::digest::{Hasher, hex};

/// A serial number: 20 octets, positive, 152 bits of them random (RFC 5280 4.1.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Serial([u8; 20]);

impl Serial {
    /// Makes one from 19 random octets. The leading octet 01 keeps the length and the sign.
    fn new(random: [u8; 19]) -> Self {
        let mut octets = [1; 20];
        if let Some(rest) = octets.get_mut(1..) {
            rest.copy_from_slice(&random);
        }
        Self(octets)
    }

    /// Makes one for a row of the ledger: 19 octets of SHA-256 over what token and system call
    /// random, the ceremony and the row. It can be guessed only where both generators can, and no
    /// two rows of a ledger share one even where both stand still.
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

    /// The octets, most significant first.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Lowercase hexadecimal digits.
    pub fn hex(&self) -> String {
        hex(&self.0)
    }
}

impl From<[u8; 20]> for Serial {
    fn from(octets: [u8; 20]) -> Self {
        Self(octets)
    }
}
