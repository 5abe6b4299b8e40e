//! Periods of validity (RFC 5280 4.1.2.5).

use std::time::Duration;

use der::DateTime;

use super::Error;

/// The period in which a certificate is valid, both ends included (RFC 5280 4.1.2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first second.
    pub not_before: DateTime,
    /// The last second.
    pub not_after: DateTime,
}

impl Validity {
    /// So many days of 86,400 seconds from `start`: the last second is one before the full count.
    ///
    /// # Errors
    /// [`Error::Refused`] when the end is past the year 9999.
    pub fn days(start: DateTime, days: u32) -> Result<Self, Error> {
        Self::seconds(start, u64::from(days) * 86_400)
    }

    /// So many seconds from `start`, which is the first of them.
    ///
    /// # Errors
    /// As [`Validity::days`].
    pub fn seconds(start: DateTime, seconds: u64) -> Result<Self, Error> {
        let length = Duration::from_secs(seconds.saturating_sub(1));
        let not_after = DateTime::from_unix_duration(start.unix_duration() + length)
            .map_err(|_| Error::Refused(format!("{seconds} seconds from {start} end after the year 9999")))?;
        Ok(Self { not_before: start, not_after })
    }
}
