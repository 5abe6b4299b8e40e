//! Paths of requests and their certificates.

use super::Error;
use crate::media::RelativePath;

/// Returns the certificate's path in lower case, because some media are case-insensitive.
pub fn output(path: &RelativePath) -> String {
    path.certificate_path().map_or_else(|_| path.to_string(), String::from).to_ascii_lowercase()
}

pub fn path(text: String) -> Result<RelativePath, Error> {
    RelativePath::try_from(text).map_err(|e| Error::Fault(e.to_string()))
}
