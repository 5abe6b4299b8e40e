//! Decodes a request file to DER: one PEM block (RFC 7468), or DER as it is.

use super::{Control, Violation};

/// PEM labels of a certification request (RFC 7468 section 7).
const LABELS: [&str; 2] = ["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"];

/// Returns the DER of the one request in a file.
///
/// # Errors
/// [`Control::Form`] unless the file is DER or exactly one PEM block of a request.
pub fn request_der(octets: &[u8]) -> Result<Vec<u8>, Violation> {
    if octets.first() == Some(&0x30) {
        return Ok(octets.to_vec());
    }
    let form = |message: String| Violation::new(Control::Form, message);
    let text = std::str::from_utf8(octets)
        .ok()
        .filter(|text| text.is_ascii())
        .ok_or_else(|| form("neither DER nor PEM text".into()))?;
    let text = text.trim_matches(['\r', '\n', ' ', '\t']);
    if text.is_empty() {
        return Err(form("file is empty, must contain one certification request".into()));
    }
    if !text.starts_with("-----BEGIN ") {
        return Err(form("neither DER nor a PEM block at the start of the file".into()));
    }
    let blocks = text.matches("-----BEGIN ").count();
    if blocks != 1 {
        return Err(form(format!("file has {blocks} PEM blocks, must have exactly one")));
    }
    let (label, der) = der::pem::decode_vec(text.as_bytes()).map_err(|e| form(format!("PEM: {e}")))?;
    if !LABELS.contains(&label) {
        return Err(form(format!("PEM label is {label:?}, must be {:?}", LABELS[0])));
    }
    Ok(der)
}
