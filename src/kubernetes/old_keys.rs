//! Keys of an earlier run, for a renewal that keeps them.

use std::path::Path;

use base64ct::{Base64, Encoding};
use zeroize::Zeroizing;

use super::keys::Pair;
use crate::failure::Failure;
use crate::media::read_file;

/// Maximum size of a file that contains a key, in octets.
const MAX_KEY: usize = 64 << 10;

/// Reads the key in a key file.
pub fn key(old: &Path, path: &str) -> Result<Pair, Failure> {
    let file = old.join(path);
    let text = Zeroizing::new(read_file(&file, MAX_KEY)?);
    Pair::from_pem(&text).map_err(|e| Failure::usage(format!("{}: {e}", file.display())))
}

/// Reads the key embedded in a kubeconfig, as [`super::kubeconfig::text`] writes it.
pub fn key_of_config(old: &Path, path: &str) -> Result<Pair, Failure> {
    let file = old.join(path);
    let bad = |why: &str| Failure::usage(format!("{}: {why}", file.display()));
    let octets = Zeroizing::new(read_file(&file, MAX_KEY)?);
    let text = std::str::from_utf8(&octets).map_err(|_| bad("is not valid UTF-8"))?;
    let mut found = text.lines().filter_map(|line| line.trim().strip_prefix("client-key-data:"));
    let (Some(data), None) = (found.next(), found.next()) else {
        return Err(bad("does not have exactly one client-key-data"));
    };
    let pem = Base64::decode_vec(data.trim().trim_matches('"'))
        .map_err(|_| bad("client-key-data is not base64"))?;
    Pair::from_pem(&Zeroizing::new(pem)).map_err(|e| bad(&e.to_string()))
}
