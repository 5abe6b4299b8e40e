//! A bundle: the files that came in on one or more media.

use std::path::Path;

use super::pem;
use crate::media::{self, Limits, RelativePath, read_each};

/// What a medium of requests may hold: 64 KiB a request, 4 GiB and 2,000,000 requests in all.
pub const ENTRY_LIMITS: Limits = Limits { file: 64 << 10, total: 4 << 30, files: 2_000_000 };

/// Reads media of requests, side by side into one tree: each a folder or one tar.
///
/// # Errors
/// [`media::Error::Refused`] when nothing is there, when a medium holds what it should not, or
/// when a private key came along: then nothing of the bundle is used. Whatever `each` returns.
pub fn read_bundles<E: From<media::Error>>(
    bundles: &[impl AsRef<Path>],
    each: &mut dyn FnMut(RelativePath, Vec<u8>) -> Result<(), E>,
) -> Result<(), E> {
    for bundle in bundles {
        let named = bundle.as_ref().display();
        let files = read_each(bundle.as_ref(), ENTRY_LIMITS, &mut |path, octets| {
            if pem::holds_private_key(&octets) {
                return Err(media::Error::Refused(format!(
                    "{named}: {path}: holds a PRIVATE KEY; nothing of this bundle is used. Treat that key as exposed: make a new one, and let only *.csr files travel [BUNDLE-PRIVATE-KEY]"
                )).into());
            }
            each(path, octets)
        })?;
        if files == 0 {
            return Err(media::Error::Refused(format!(
                "{named}: bundle holds no file; collect the *.csr files below it [BUNDLE-EMPTY]"
            ))
            .into());
        }
    }
    Ok(())
}
