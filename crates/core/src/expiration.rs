//! [`Expiration`]: when a session, a namespace or a value ends.

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

/// When something ends: a session, a namespace or one value.
///
/// Each of the three can have its own; the shortest wins, and none is copied to another. Precision is one
/// millisecond: at the deadline itself nothing is returned any more.
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
    /// It has no end of its own.
    #[default]
    Never,
    /// It ends when the browser window closes: at the first visit that says so, see
    /// [`Visit::browser_restarted`](crate::Visit::browser_restarted).
    Transient,
    /// It ends on a date. A date that has passed ends it at once.
    At(OffsetDateTime),
    /// It ends this long after the expiration was set, whatever happens in between.
    After(Duration),
    /// It ends when it has not been visited for a while. Made by [`Expiration::sliding`].
    Sliding(Sliding),
}

impl Expiration {
    /// It ends when no visit came for `window`. Each visit moves the end, read-only visits included.
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

/// An [`Expiration`] that moves with each visit, and its bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sliding {
    pub(crate) window: Duration,
    pub(crate) until: Option<OffsetDateTime>,
    pub(crate) at_most: Option<Duration>,
    pub(crate) transient: bool,
}

impl Sliding {
    /// It ends on this date even if visits go on.
    #[must_use]
    pub const fn until(mut self, date: OffsetDateTime) -> Self {
        self.until = Some(date);
        self
    }

    /// It ends this long after the expiration was set even if visits go on.
    #[must_use]
    pub const fn at_most(mut self, duration: Duration) -> Self {
        self.at_most = Some(duration);
        self
    }

    /// It also ends when the browser window closes: whichever comes first.
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

/// An expiration that has been set: what is left of an [`Expiration`] once "from now on" has become a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lifetime {
    /// The sliding window in milliseconds.
    pub(crate) window: Option<u64>,
    /// The first moment that cannot be reached, however many visits come.
    pub(crate) limit: Option<Timestamp>,
    /// Whether closing the browser window ends it.
    pub(crate) transient: bool,
}

impl Lifetime {
    pub(crate) const ENDLESS: Self = Self {
        window: None,
        limit: None,
        transient: false,
    };

    /// Sets `expiration` at the moment `now`.
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

    /// The first moment at which it is over, if the last visit was at `last_active`.
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

/// The expiration that, set now, would end at the same moments.
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

/// Of two moments the earlier one, where `None` never comes.
pub(crate) fn earliest<T: Ord>(a: Option<T>, b: Option<T>) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, None) | (None, one) => one,
    }
}

/// A deadline is the first moment at which nothing is there, so within its millisecond a date still is.
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
