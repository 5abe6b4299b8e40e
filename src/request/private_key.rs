//! Recognises private keys in the formats that tools write, so that none travels with requests.
//!
//! Compressed and encrypted containers are not opened.

use base64ct::{Base64Unpadded, Encoding};
use memchr::memmem;

/// Texts found only in files with a private key, and the names of the formats.
const TEXTS: [(&[u8], &str); 12] = [
    // Also OpenSSH's, and encrypted ones.
    (b"PRIVATE KEY-", "PEM"),
    (b"PRIVATE KEY BLOCK-", "OpenPGP"),
    (b"PRIVATE KEY --", "ssh.com"),
    (b"SSH PRIVATE KEY FILE FORMAT", "SSH 1"),
    (b"PuTTY-User-Key-File-", "PuTTY"),
    (b"client-key-data", "kubeconfig"),
    (b"Private-key-format: ", "BIND"),
    (b"AGE-SECRET-KEY-", "age"),
    (b"<RSAKeyValue", "XML"),
    // "PRIVATE KEY" in Base64, at each of the three offsets.
    (b"UFJJVkFURSBLRV", "PEM in Base64"),
    (b"BSSVZBVEUgS0VZ", "PEM in Base64"),
    (b"QUklWQVRFIEtFW", "PEM in Base64"),
];

/// First octets of Java key stores: JKS and JCEKS.
const KEY_STORES: [&[u8]; 2] = [&[0xfe, 0xed, 0xfe, 0xed], &[0xce, 0xce, 0xce, 0xce]];

const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const SEQUENCE: u8 = 0x30;

/// Returns the format of the private key in these octets, if there is one.
pub fn form_of_private_key(octets: &[u8]) -> Option<&'static str> {
    if KEY_STORES.iter().any(|magic| octets.starts_with(magic)) {
        return Some("Java key store");
    }
    if octets.first() == Some(&SEQUENCE) {
        return in_der(octets).or_else(|| in_text(octets));
    }
    // UTF-16 and UTF-32 of ASCII text, in either byte order.
    let narrow: Vec<u8>;
    let text = if octets.contains(&0) {
        narrow = octets.iter().copied().filter(|octet| *octet != 0).collect();
        &narrow
    } else {
        octets
    };
    in_text(text).or_else(|| decoded(text).as_deref().and_then(in_der))
}

fn in_text(text: &[u8]) -> Option<&'static str> {
    let has = |needle: &[u8]| memmem::find(text, needle).is_some();
    let known = TEXTS.iter().find(|(needle, _)| has(needle)).map(|(_, form)| *form);
    // JSON Web Key (RFC 7517 4.1, RFC 7518 6).
    known.or_else(|| (has(b"\"kty\"") && (has(b"\"d\"") || has(b"\"k\""))).then_some("JSON Web Key"))
}

/// Decodes text that is Base64 as a whole.
fn decoded(text: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(text).ok()?;
    let digits: String = text.trim_start_matches('\u{feff}').split_ascii_whitespace().collect();
    Base64Unpadded::decode_vec(digits.trim_end_matches('=')).ok()
}

/// Recognises a private key by its outer structure. The outer SEQUENCE of a certification request or
/// certificate begins with a SEQUENCE and ends with a BIT STRING.
fn in_der(octets: &[u8]) -> Option<&'static str> {
    let (SEQUENCE, content, _) = element(octets)? else { return None };
    let (first, version, rest) = element(content)?;
    let (second, inner, rest) = element(rest)?;
    let third = element(rest).map(|(tag, _, _)| tag);
    let begins_with_oid = || element(inner).is_some_and(|(tag, _, _)| tag == OBJECT_IDENTIFIER);
    match (first, version, second, third) {
        (INTEGER, [0 | 1], SEQUENCE, Some(OCTET_STRING)) => Some("PKCS #8"),
        (INTEGER, [3], SEQUENCE, _) if begins_with_oid() => Some("PKCS #12"),
        (INTEGER, [0 | 1], INTEGER, _) => Some("PKCS #1"),
        (INTEGER, [1], OCTET_STRING, _) => Some("SEC 1"),
        (SEQUENCE, _, OCTET_STRING, None) => Some("encrypted PKCS #8"),
        _ => None,
    }
}

/// Returns the tag and content of the first element, and the octets after it. The content of a truncated
/// element, or of one with indefinite length (BER, as in PKCS #12), is all that remains.
fn element(octets: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, length], rest) = octets.split_first_chunk()?;
    let count = usize::from(length & 0x7f);
    let (length, rest) = match length {
        0..=0x7f => (count, rest),
        0x80 => (rest.len(), rest),
        _ => {
            let (digits, rest) = rest.split_at_checked(count)?;
            let length = digits
                .iter()
                .try_fold(0_usize, |length, digit| length.checked_mul(256)?.checked_add(usize::from(*digit)));
            (length?, rest)
        }
    };
    let (content, after) = rest.split_at(length.min(rest.len()));
    Some((tag, content, after))
}
