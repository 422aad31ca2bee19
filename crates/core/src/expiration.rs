//! [`Expiration`]: the end of a session, a namespace or a value.

use std::time::Duration;

use time::OffsetDateTime;

use crate::clock::Timestamp;

/// One second.
pub const SECOND: Duration = Duration::from_secs(1);
/// Sixty seconds.
pub const MINUTE: Duration = Duration::from_secs(60);
/// Sixty minutes.
pub const HOUR: Duration = Duration::from_secs(60 * 60);
/// Twenty-four hours.
pub const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The end of a session, a namespace or one value.
///
/// Each of the three can have its own. The earliest end applies, and none is copied to another. Precision is one
/// millisecond: from the deadline on, nothing is returned any more.
///
/// ```
/// use sessile_core::{DAY, Expiration, HOUR, MINUTE};
///
/// let login = Expiration::sliding(20 * MINUTE).at_most(12 * HOUR);
/// let remembered = Expiration::After(30 * DAY);
/// # let _ = (login, remembered);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Expiration {
    /// Has no end of its own.
    #[default]
    Never,
    /// Ends when the browser window closes: at the first visit that reports it, see
    /// [`Visit::browser_restarted`](crate::Visit::browser_restarted).
    Transient,
    /// Ends on a date. A date that has passed ends it at once.
    At(OffsetDateTime),
    /// Ends this long after the expiration was set, regardless of visits.
    After(Duration),
    /// Ends when there was no visit for a while. Created by [`Expiration::sliding`].
    Sliding(Sliding),
}

impl Expiration {
    /// Creates an expiration that ends when there was no visit for `window`. Each visit moves the end, including
    /// read-only ones.
    #[must_use]
    pub const fn sliding(window: Duration) -> Sliding {
        Sliding {
            window,
            until: None,
            at_most: None,
            transient: false,
        }
    }
}

/// A sliding [`Expiration`] and its bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sliding {
    pub(crate) window: Duration,
    pub(crate) until: Option<OffsetDateTime>,
    pub(crate) at_most: Option<Duration>,
    pub(crate) transient: bool,
}

impl Sliding {
    /// Ends it on this date even if visits continue.
    #[must_use]
    pub const fn until(mut self, date: OffsetDateTime) -> Self {
        self.until = Some(date);
        self
    }

    /// Ends it this long after the expiration was set even if visits continue.
    #[must_use]
    pub const fn at_most(mut self, duration: Duration) -> Self {
        self.at_most = Some(duration);
        self
    }

    /// Ends it also when the browser window closes, if that comes first.
    #[must_use]
    pub const fn or_transient(mut self) -> Self {
        self.transient = true;
        self
    }
}

impl From<Sliding> for Expiration {
    fn from(sliding: Sliding) -> Self {
        Self::Sliding(sliding)
    }
}

/// An expiration that has been set: durations from then on have become dates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lifetime {
    /// The sliding window, in milliseconds.
    pub(crate) window: Option<u64>,
    /// The first moment at which it has expired, regardless of visits.
    pub(crate) limit: Option<Timestamp>,
    /// True if closing the browser window ends it.
    pub(crate) transient: bool,
}

impl Lifetime {
    pub(crate) const ENDLESS: Self = Self {
        window: None,
        limit: None,
        transient: false,
    };

    /// Returns the lifetime of `expiration` when it is set at `now`.
    pub(crate) fn begin(expiration: Expiration, now: Timestamp) -> Self {
        match expiration {
            Expiration::Never => Self::ENDLESS,
            Expiration::Transient => Self {
                transient: true,
                ..Self::ENDLESS
            },
            Expiration::At(date) => Self {
                limit: Some(round_up(date)),
                ..Self::ENDLESS
            },
            Expiration::After(duration) => Self {
                limit: Some(now + duration),
                ..Self::ENDLESS
            },
            Expiration::Sliding(sliding) => {
                let until = sliding.until.map(round_up);
                let at_most = sliding.at_most.map(|duration| now + duration);
                Self {
                    window: Some(u64::try_from(sliding.window.as_millis()).unwrap_or(u64::MAX)),
                    limit: earliest(until, at_most),
                    transient: sliding.transient,
                }
            }
        }
    }

    /// Returns the first moment at which it has expired, if the last visit was at `last_active`.
    pub(crate) fn deadline(&self, last_active: Timestamp) -> Option<Timestamp> {
        let slid = self.window.map(|window| last_active + Duration::from_millis(window));
        earliest(slid, self.limit)
    }

    pub(crate) fn is_over(&self, last_active: Timestamp, now: Timestamp) -> bool {
        self.deadline(last_active).is_some_and(|deadline| deadline <= now)
    }

    pub(crate) fn is_endless(&self) -> bool {
        *self == Self::ENDLESS
    }
}

/// Converts a lifetime to the expiration that has the same end if it is set now.
impl From<Lifetime> for Expiration {
    fn from(lifetime: Lifetime) -> Self {
        let limit = lifetime.limit.map(OffsetDateTime::from);
        match (lifetime.window, limit, lifetime.transient) {
            (Some(window), until, transient) => Self::Sliding(Sliding {
                window: Duration::from_millis(window),
                until,
                at_most: None,
                transient,
            }),
            (None, Some(date), _) => Self::At(date),
            (None, None, true) => Self::Transient,
            (None, None, false) => Self::Never,
        }
    }
}

/// Returns the earlier of two moments, where `None` means never.
pub(crate) fn earliest<T: Ord>(a: Option<T>, b: Option<T>) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, None) | (None, one) => one,
    }
}

/// Rounds a date up to whole milliseconds. A deadline is the first moment of being expired, so within its own
/// millisecond a date has not passed yet.
fn round_up(date: OffsetDateTime) -> Timestamp {
    let floor = Timestamp::from(date);
    if date.nanosecond().is_multiple_of(1_000_000) {
        floor
    } else {
        floor + Duration::from_millis(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn deadline(expiration: impl Into<Expiration>) -> Option<u64> {
        let lifetime = Lifetime::begin(expiration.into(), NOW);
        lifetime.deadline(NOW).map(Timestamp::as_millis)
    }

    #[test]
    fn each_form_ends_when_it_says() {
        let date = |millis| OffsetDateTime::from(Timestamp::from_millis(millis));
        assert_eq!(deadline(Expiration::Never), None);
        assert_eq!(deadline(Expiration::Transient), None);
        assert_eq!(deadline(Expiration::At(date(5))), Some(5));
        assert_eq!(deadline(Expiration::At(date(5) + Duration::from_nanos(1))), Some(6));
        assert_eq!(deadline(Expiration::After(SECOND)), Some(1_001_000));
        assert_eq!(deadline(Expiration::sliding(MINUTE)), Some(1_060_000));
        assert_eq!(deadline(Expiration::sliding(MINUTE).at_most(SECOND)), Some(1_001_000));
        assert_eq!(deadline(Expiration::sliding(MINUTE).until(date(7))), Some(7));
        let both = Expiration::sliding(MINUTE).until(date(2_000_000)).at_most(SECOND);
        assert_eq!(deadline(both), Some(1_001_000));
    }

    #[test]
    fn extreme_durations_neither_overflow_nor_wrap() {
        let end = Some(Timestamp::MAX.as_millis());
        assert_eq!(deadline(Expiration::After(Duration::MAX)), end);
        assert_eq!(deadline(Expiration::sliding(Duration::MAX)), end);
        assert_eq!(deadline(Expiration::sliding(Duration::ZERO)), Some(NOW.as_millis()));
        assert_eq!(deadline(Expiration::After(Duration::ZERO)), Some(NOW.as_millis()));
    }

    #[test]
    fn a_lifetime_reads_as_the_expiration_that_made_it() {
        let date = OffsetDateTime::from(Timestamp::from_millis(7_000_000));
        for expiration in [
            Expiration::Never,
            Expiration::Transient,
            Expiration::At(date),
            Expiration::sliding(MINUTE).into(),
            Expiration::sliding(MINUTE).until(date).or_transient().into(),
        ] {
            assert_eq!(Expiration::from(Lifetime::begin(expiration, NOW)), expiration);
        }
    }
}
