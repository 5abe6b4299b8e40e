//! Names of API objects as they stand in a bundle's paths, read back.

use crate::media::RelativePath;

/// The name of the CertificateSigningRequest object that a certificate at this path is for; none
/// when it is for no object.
///
/// # Errors
/// Says why the path is no escaped name.
pub fn of_path(certificate: &RelativePath) -> Option<Result<String, String>> {
    let rest = certificate.as_str().strip_prefix("certificates/objects/")?;
    let escaped = rest.strip_suffix(".crt").unwrap_or(rest).replace('/', "");
    Some(unescape(&escaped))
}

/// `_` and two hexadecimal digits stand for one octet of UTF-8.
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
    let name = String::from_utf8(octets).map_err(|_| "is not UTF-8".to_owned())?;
    // What the API server lets no object be called (its path segments).
    match name.is_empty() || name == "." || name == ".." || name.contains(['/', '%', '\0', '\n']) {
        true => Err("is not an object name".to_owned()),
        false => Ok(name),
    }
}
