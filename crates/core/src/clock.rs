//! [`Clock`] and [`Timestamp`]: sources and representation of time.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;

/// A moment, in whole milliseconds since the Unix epoch.
///
/// Its range is from 1970 to the end of the year 9999. Arithmetic saturates at both ends.
///
/// ```
/// use std::time::Duration;
/// use sessile_core::Timestamp;
///
/// let then = Timestamp::from_millis(1_000);
/// assert_eq!((then + Duration::from_secs(2)).as_millis(), 3_000);
/// assert_eq!(then + Duration::MAX, Timestamp::MAX);
/// assert_eq!(then.until(Timestamp::from_millis(400)), Duration::ZERO);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The Unix epoch.
    pub const MIN: Self = Self(0);

    /// The last millisecond of the year 9999.
    pub const MAX: Self = Self(253_402_300_799_999);

    /// Creates the moment this many milliseconds after the Unix epoch.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        if millis > Self::MAX.0 { Self::MAX } else { Self(millis) }
    }

    /// Returns the milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Returns the time from this moment until `later`; zero if `later` has passed.
    #[must_use]
    pub const fn until(self, later: Self) -> Duration {
        Duration::from_millis(later.0.saturating_sub(self.0))
    }
}

impl std::ops::Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        let millis = duration
            .as_secs()
            .saturating_mul(1_000)
            .saturating_add(duration.subsec_millis().into());
        Self::from_millis(self.0.saturating_add(millis))
    }
}

/// Converts a date. Dates outside the range saturate.
impl From<OffsetDateTime> for Timestamp {
    fn from(date: OffsetDateTime) -> Self {
        let millis = date.unix_timestamp_nanos().div_euclid(1_000_000);
        Self::from_millis(u64::try_from(millis.max(0)).unwrap_or(u64::MAX))
    }
}

impl From<Timestamp> for OffsetDateTime {
    fn from(timestamp: Timestamp) -> Self {
        Self::UNIX_EPOCH + Duration::from_millis(timestamp.0)
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        Self::MIN + time.duration_since(UNIX_EPOCH).unwrap_or_default()
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.0)
    }
}

/// A source of the current time.
///
/// The storage has the clock, because it decides what has expired: see [`Storage::clock`](crate::Storage::clock). Tests
/// can use a [`ManualClock`].
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// Returns the current moment. It may step in either direction, as the clocks of machines do.
    fn now(&self) -> Timestamp;
}

/// The clock of the machine, which an operator or the network may adjust.
///
/// Use it for processes that share sessions and have no other clock in common. For a process that shares its sessions
/// with no other, a [`SteadyClock`] is better.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        SystemTime::now().into()
    }
}

/// A clock that starts with the time of the machine and is steady from then on. Adjusting the clock of the machine
/// neither ends nor prolongs a session or lease by this clock.
///
/// On most systems it stops while the machine is suspended. It deviates from the clock of the machine by as much as
/// that is adjusted.
///
/// ```
/// use sessile_core::{Clock, SteadyClock, Timestamp};
///
/// let clock = SteadyClock::start_at(Timestamp::from_millis(5_000));
/// assert!(clock.now().as_millis() >= 5_000);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct SteadyClock {
    origin: Instant,
    time_at_origin: Timestamp,
}

impl SteadyClock {
    /// Starts a clock at the current time of the machine.
    #[must_use]
    pub fn start() -> Self {
        Self::start_at(SystemClock.now())
    }

    /// Starts a clock at `now`.
    #[must_use]
    pub fn start_at(now: Timestamp) -> Self {
        Self {
            origin: Instant::now(),
            time_at_origin: now,
        }
    }
}

impl Default for SteadyClock {
    fn default() -> Self {
        Self::start()
    }
}

impl Clock for SteadyClock {
    fn now(&self) -> Timestamp {
        self.time_at_origin + self.origin.elapsed()
    }
}

/// A clock for tests that advances only when it is told to.
///
/// ```
/// use std::time::Duration;
/// use sessile_core::{Clock, ManualClock, Timestamp};
///
/// let clock = ManualClock::at(Timestamp::from_millis(5_000));
/// clock.advance(Duration::from_secs(1));
/// assert_eq!(clock.now().as_millis(), 6_000);
/// ```
#[derive(Debug)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    /// Creates a clock that shows `start`.
    #[must_use]
    pub fn at(start: Timestamp) -> Self {
        Self(AtomicU64::new(start.0))
    }

    /// Advances the clock.
    pub fn advance(&self, by: Duration) {
        self.set(self.now() + by);
    }

    /// Sets the clock, forwards or backwards.
    pub fn set(&self, to: Timestamp) {
        self.0.store(to.0, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// A clock that follows [`tokio::time`]. In a test with paused time, it stands still together with all timers.
///
/// ```
/// use std::time::Duration;
/// use sessile_core::{Clock, TokioClock};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// let clock = TokioClock::start();
/// let before = clock.now();
/// tokio::time::sleep(Duration::from_secs(3600)).await; // takes no time at all
/// assert_eq!(before.until(clock.now()), Duration::from_secs(3600));
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct TokioClock {
    origin: tokio::time::Instant,
    time_at_origin: Timestamp,
}

impl TokioClock {
    /// Starts a clock at the current time of the machine that follows tokio's clock from there.
    #[must_use]
    pub fn start() -> Self {
        Self {
            origin: tokio::time::Instant::now(),
            time_at_origin: SystemClock.now(),
        }
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        self.time_at_origin + self.origin.elapsed()
    }
}

/// A shared clock.
impl<C: Clock + ?Sized> Clock for std::sync::Arc<C> {
    fn now(&self) -> Timestamp {
        (**self).now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_timestamps_convert_within_the_range() {
        for millis in [0, 1, 999, 1_700_000_000_123, Timestamp::MAX.as_millis()] {
            let timestamp = Timestamp::from_millis(millis);
            assert_eq!(Timestamp::from(OffsetDateTime::from(timestamp)), timestamp);
        }
        let before = OffsetDateTime::UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(Timestamp::from(before), Timestamp::MIN);
    }

    #[test]
    fn a_steady_clock_advances_from_its_start_by_elapsed_time() {
        let start = Timestamp::from_millis(5_000);
        let began = Instant::now();
        let clock = SteadyClock::start_at(start);
        let mut last = start;
        for _ in 0..1_000 {
            let now = clock.now();
            assert!(last <= now && now <= start + began.elapsed() + Duration::from_millis(1));
            last = now;
        }
    }
}
