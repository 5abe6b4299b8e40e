//! Validity periods (RFC 5280 4.1.2.5).

use std::time::Duration;

use der::DateTime;

use super::Error;

/// The validity period of a certificate, both ends inclusive (RFC 5280 4.1.2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first second.
    pub not_before: DateTime,
    /// The last second.
    pub not_after: DateTime,
}

impl Validity {
    /// Returns a period of `days` days of 86,400 seconds each that begins at `start`.
    ///
    /// # Errors
    /// [`Error::Refused`] when it ends after the year 9999.
    pub fn days(start: DateTime, days: u32) -> Result<Self, Error> {
        Self::seconds(start, u64::from(days) * 86_400)
    }

    /// Returns a period of `seconds` seconds, the first of which is `start`.
    ///
    /// # Errors
    /// As [`Validity::days`].
    pub fn seconds(start: DateTime, seconds: u64) -> Result<Self, Error> {
        let length = Duration::from_secs(seconds.saturating_sub(1));
        let not_after = DateTime::from_unix_duration(start.unix_duration() + length).map_err(|_| {
            Error::Refused(format!("{seconds} seconds from {start} would end after the year 9999"))
        })?;
        Ok(Self { not_before: start, not_after })
    }
}
