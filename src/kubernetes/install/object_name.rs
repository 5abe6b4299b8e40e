//! Decodes names of API objects from the paths in a bundle.

use crate::media::RelativePath;

/// Returns the name of the CertificateSigningRequest object that a certificate at this path is for,
/// or `None` if it is not for an object.
pub fn of_path(certificate: &RelativePath) -> Option<Result<String, String>> {
    let rest = certificate.as_str().strip_prefix("certificates/objects/")?;
    let escaped = rest.strip_suffix(".crt").unwrap_or(rest).replace('/', "");
    Some(unescape(&escaped))
}

/// Decodes `_` and two hexadecimal digits to one octet of UTF-8.
fn unescape(escaped: &str) -> Result<String, String> {
    let mut octets = Vec::with_capacity(escaped.len());
    let mut rest = escaped;
    while let Some((plain, after)) = rest.split_once('_') {
        octets.extend(plain.bytes());
        let (digits, further) = after.split_at_checked(2).ok_or("_ without two hexadecimal digits")?;
        octets.extend(crate::digest::unhex(digits).ok_or("_ without two hexadecimal digits")?);
        rest = further;
    }
    octets.extend(rest.bytes());
    let name = String::from_utf8(octets).map_err(|_| "is not valid UTF-8".to_owned())?;
    // Names that the API server rejects (path segments).
    match name.is_empty() || name == "." || name == ".." || name.contains(['/', '%', '\0', '\n']) {
        true => Err("is not an object name".to_owned()),
        false => Ok(name),
    }
}
