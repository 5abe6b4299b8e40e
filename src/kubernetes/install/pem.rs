//! Reads files with several PEM blocks (RFC 7468): chains, or a key after parameters.

use der::Decode;
use x509_cert::Certificate;
use zeroize::Zeroizing;

const BEGIN: &str = "-----BEGIN ";

/// A PEM block, with its decoded octets or the reason why decoding failed.
pub struct Block<'a> {
    pub label: &'a str,
    /// The block verbatim.
    pub text: &'a str,
    pub octets: Result<Zeroizing<Vec<u8>>, String>,
}

/// Returns the PEM blocks of a file in order, ignoring text between them.
pub fn blocks(octets: &[u8]) -> Result<Vec<Block<'_>>, String> {
    let mut found = Vec::new();
    let mut rest = std::str::from_utf8(octets).map_err(|_| "is not PEM text".to_owned())?;
    while let Some((_, from)) = rest.find(BEGIN).and_then(|at| rest.split_at_checked(at)) {
        let label = from.trim_start_matches(BEGIN).split("-----").next().unwrap_or_default();
        let end = format!("-----END {label}-----");
        let length = from.find(&end).map_or(from.len(), |at| at + end.len());
        let (block, after) = from.split_at_checked(length).unwrap_or((from, ""));
        let octets = der::pem::decode_vec(block.as_bytes())
            .map(|(_, octets)| Zeroizing::new(octets))
            .map_err(|e| e.to_string());
        found.push(Block { label, text: block, octets });
        rest = after;
    }
    Ok(found)
}

/// An installed certificate, not necessarily issued by keyrite.
#[derive(Clone, Debug)]
pub struct Present {
    pub der: Vec<u8>,
    pub parsed: Certificate,
}

impl Present {
    pub fn from_der(der: &[u8]) -> Result<Self, String> {
        let parsed = Certificate::from_der(der).map_err(|e| e.to_string())?;
        Ok(Self { der: der.to_vec(), parsed })
    }
}

/// Returns the certificates in a file, ignoring other PEM blocks.
pub fn certificates_among(octets: &[u8]) -> Result<Vec<Present>, String> {
    let all = blocks(octets)?.into_iter().enumerate().filter(|(_, block)| block.label == "CERTIFICATE");
    all.map(certificate).collect()
}

/// Returns the only private key in a file.
pub fn private_key(octets: &[u8]) -> Result<Block<'_>, String> {
    let mut keys = blocks(octets)?;
    keys.retain(|block| block.label.ends_with("PRIVATE KEY"));
    let count = keys.len();
    keys.pop()
        .filter(|_| count == 1)
        .ok_or_else(|| format!("contains {count} private keys in PEM, must contain exactly one"))
}

/// Returns the certificates in a file that must not contain other PEM blocks.
pub fn certificates(octets: &[u8]) -> Result<Vec<Present>, String> {
    let found: Vec<_> = blocks(octets)?.into_iter().enumerate().map(certificate).collect::<Result<_, _>>()?;
    if found.is_empty() { Err("contains no PEM block".to_owned()) } else { Ok(found) }
}

fn certificate((at, block): (usize, Block<'_>)) -> Result<Present, String> {
    match (block.label, block.octets) {
        ("CERTIFICATE", Ok(der)) => Present::from_der(&der).map_err(|e| format!("block {}: {e}", at + 1)),
        ("CERTIFICATE", Err(e)) => Err(format!("block {}: {e}", at + 1)),
        (other, _) => Err(format!("block {} is a {other:?}, not a CERTIFICATE", at + 1)),
    }
}
