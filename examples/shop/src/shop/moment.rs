//! [`Moment`]: a displayable point in time.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// A point in time, in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Moment(u64);

impl Moment {
    pub(crate) fn now() -> Self {
        OffsetDateTime::now_utc().into()
    }

    pub(crate) fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration.as_secs()))
    }

    pub(crate) fn seconds_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl From<OffsetDateTime> for Moment {
    fn from(date: OffsetDateTime) -> Self {
        Self(u64::try_from(date.unix_timestamp()).unwrap_or(0))
    }
}

/// Formats the moment as HTML and RFC 3339 do: `2026-11-29T21:35:00Z`.
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = i64::try_from(self.0).ok();
        let date = date.and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
        // Later dates than the year 9999, the last of `time`, are shown as that year's end.
        let date = date.unwrap_or(time::PrimitiveDateTime::MAX.assume_utc());
        let (year, month, day) = (date.year(), u8::from(date.month()), date.day());
        let (hour, minute, second) = date.to_hms();
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_formatted_for_html() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (1_709_210_096, "2024-02-29T12:34:56Z"),
            (u64::MAX, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(Moment(seconds).to_string(), text);
        }
    }

    #[test]
    fn the_longest_duration_does_not_overflow() {
        assert_eq!(Moment(7).after(Duration::MAX), Moment(u64::MAX));
        assert_eq!(Moment(7).seconds_since(Moment(9)), 0);
    }
}
