//! [`ServerClock`]: an estimate of the server's time.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use sessile_core::{Clock, SystemClock, Timestamp};

/// The longest time, in milliseconds, for which a reply is assumed to have been under way.
///
/// A reply carries the time at which it was written, so a late reply makes the server appear to be behind. Within this
/// time a reply that carries an earlier time than another is assumed to be late.
const MAX_LATENCY: i64 = 5_000;

/// The age, in milliseconds, at which the last time from the server becomes stale.
const STALE: i64 = 1_000;

/// Marks a server from which no time has been received yet.
const NEVER: i64 = i64::MIN;

/// An estimate of the server's clock: the last time it sent, plus the time that has passed here since.
///
/// The wall clock of this machine plays no part. It may be wrong, and may be set while sessions are served.
///
/// The estimate lags behind the server by at most the latency of a reply, and is ahead of a server whose clock was set
/// back for at most [`MAX_LATENCY`]. With several servers, as in a cluster, it follows the one that is ahead, within
/// the same time.
///
/// The monotonic time of this process stands still while its machine is suspended. Until the next reply that carries
/// the time, this clock is then behind by the time of the suspension. This prolongs nothing that the server judges;
/// deadlines that are computed meanwhile are that much earlier. The reply of a script carries the time, so the clock is
/// right after a lock was taken or a session was touched.
pub(crate) struct ServerClock<T = Uptime> {
    ticks: T,
    /// The difference, in milliseconds, between the server's time and the ticks.
    offset: AtomicI64,
    /// The tick at which the offset was last confirmed or raised.
    confirmed_at: AtomicI64,
    /// The tick at which a reply last carried the time.
    received_at: AtomicI64,
}

/// A monotonic time with an arbitrary origin.
pub(crate) trait Ticks: Send + Sync + 'static {
    fn elapsed(&self) -> Duration;
}

/// The time since its creation, by the monotonic clock of the system.
pub(crate) struct Uptime(Instant);

impl Ticks for Uptime {
    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

impl Default for ServerClock {
    fn default() -> Self {
        Self::new(Uptime(Instant::now()), SystemClock.now())
    }
}

impl<T: Ticks> ServerClock<T> {
    /// Creates a clock that shows `guess` until the server has sent its time.
    fn new(ticks: T, guess: Timestamp) -> Self {
        let offset = signed(guess.as_millis()) - millis(&ticks);
        Self {
            ticks,
            offset: AtomicI64::new(offset),
            confirmed_at: AtomicI64::new(NEVER),
            received_at: AtomicI64::new(NEVER),
        }
    }

    /// Updates the estimate by a reply that has just arrived.
    ///
    /// Replies may overtake each other. If two threads call this at once, either may be the last to store, as if its
    /// reply had arrived later.
    pub(crate) fn learn(&self, server: Timestamp) {
        let now = millis(&self.ticks);
        self.received_at.store(now, Ordering::Relaxed);
        let ahead = signed(server.as_millis()) - now;
        let behind = self.offset.load(Ordering::Relaxed).saturating_sub(ahead);
        let confirmed_at = self.confirmed_at.load(Ordering::Relaxed);
        let late = confirmed_at != NEVER
            && (1..=MAX_LATENCY).contains(&behind)
            && now.saturating_sub(confirmed_at) <= MAX_LATENCY;
        if !late {
            self.offset.store(ahead, Ordering::Relaxed);
            self.confirmed_at.store(now, Ordering::Relaxed);
        }
    }

    /// Returns whether no reply has carried the time for a second. A script that could omit the time should send it
    /// then.
    pub(crate) fn is_stale(&self) -> bool {
        let received_at = self.received_at.load(Ordering::Relaxed);
        received_at == NEVER || millis(&self.ticks).saturating_sub(received_at) > STALE
    }
}

impl<T: Ticks> Clock for ServerClock<T> {
    fn now(&self) -> Timestamp {
        let now = millis(&self.ticks).saturating_add(self.offset.load(Ordering::Relaxed));
        Timestamp::from_millis(u64::try_from(now).unwrap_or(0))
    }
}

impl<T: Ticks> fmt::Debug for ServerClock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ServerClock").field(&self.now()).finish()
    }
}

fn millis(ticks: &impl Ticks) -> i64 {
    i64::try_from(ticks.elapsed().as_millis()).unwrap_or(i64::MAX)
}

fn signed(millis: u64) -> i64 {
    i64::try_from(millis).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicU64;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const HOUR: Duration = Duration::from_secs(3_600);

    /// The time that the server sends first, in each test.
    const NOON: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    #[derive(Clone, Default)]
    struct ManualTicks(Arc<AtomicU64>);

    impl ManualTicks {
        fn pass(&self, time: Duration) {
            let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
            self.0.fetch_add(millis, Ordering::Relaxed);
        }
    }

    impl Ticks for ManualTicks {
        fn elapsed(&self) -> Duration {
            Duration::from_millis(self.0.load(Ordering::Relaxed))
        }
    }

    /// Returns a clock that has received noon as the time, and the ticks that move it.
    fn at_noon() -> (ServerClock<ManualTicks>, ManualTicks) {
        let ticks = ManualTicks::default();
        let clock = ServerClock::new(ticks.clone(), NOON + HOUR);
        ticks.pass(7 * SECOND);
        clock.learn(NOON);
        (clock, ticks)
    }

    fn before(moment: Timestamp, by: Duration) -> Timestamp {
        let by = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        Timestamp::from_millis(moment.as_millis() - by)
    }

    #[test]
    fn it_continues_from_the_servers_time_by_monotonic_time() {
        let (clock, ticks) = at_noon();
        assert_eq!(clock.now(), NOON);
        ticks.pass(HOUR);
        assert_eq!(clock.now(), NOON + HOUR);
    }

    #[test]
    fn it_shows_the_guess_until_the_server_replies() {
        let ticks = ManualTicks::default();
        ticks.pass(SECOND);
        let clock = ServerClock::new(ticks.clone(), NOON);
        assert_eq!(clock.now(), NOON);
        ticks.pass(SECOND);
        assert_eq!(clock.now(), NOON + SECOND);
        // The first reply is accepted, however little it differs.
        clock.learn(before(NOON, SECOND));
        assert_eq!(clock.now(), before(NOON, SECOND));
    }

    #[test]
    fn it_follows_a_server_that_is_set_forward_or_far_back_at_once() {
        let (clock, ticks) = at_noon();
        ticks.pass(SECOND);
        clock.learn(NOON + HOUR);
        assert_eq!(clock.now(), NOON + HOUR);
        clock.learn(before(NOON, HOUR));
        assert_eq!(clock.now(), before(NOON, HOUR));
    }

    #[test]
    fn a_late_reply_does_not_set_it_back() {
        let (clock, ticks) = at_noon();
        ticks.pass(3 * SECOND);
        // Two replies, written one second apart, arrive in reverse order.
        clock.learn(NOON + 3 * SECOND);
        clock.learn(NOON + SECOND);
        assert_eq!(clock.now(), NOON + 3 * SECOND);
    }

    #[test]
    fn it_follows_a_server_that_falls_slightly_behind_once_no_reply_can_be_late() {
        let (clock, ticks) = at_noon();
        for second in 1..=5 {
            ticks.pass(SECOND);
            clock.learn(before(NOON + second * SECOND, 2 * SECOND));
            assert_eq!(clock.now(), NOON + second * SECOND, "after {second} s");
        }
        ticks.pass(SECOND);
        clock.learn(NOON + 4 * SECOND);
        assert_eq!(clock.now(), NOON + 4 * SECOND);
    }

    #[test]
    fn the_first_reply_after_a_suspension_corrects_it() {
        let (clock, ticks) = at_noon();
        // An hour passes for the server, and no time at all here.
        assert_eq!(clock.now(), NOON);
        clock.learn(NOON + HOUR);
        ticks.pass(SECOND);
        assert_eq!(clock.now(), NOON + HOUR + SECOND);
    }

    #[test]
    fn it_becomes_stale_after_a_second_even_if_the_time_is_the_same() {
        let ticks = ManualTicks::default();
        assert!(ServerClock::new(ticks, NOON).is_stale());
        let (clock, ticks) = at_noon();
        for late in [false, true] {
            assert!(!clock.is_stale());
            ticks.pass(SECOND);
            assert!(!clock.is_stale());
            ticks.pass(Duration::from_millis(1));
            assert!(clock.is_stale());
            clock.learn(before(clock.now(), if late { SECOND } else { Duration::ZERO }));
        }
        assert!(!clock.is_stale());
    }

    #[test]
    fn no_reply_makes_it_overflow() {
        let (clock, ticks) = at_noon();
        clock.learn(Timestamp::MAX);
        assert_eq!(clock.now(), Timestamp::MAX);
        ticks.pass(Duration::from_millis(u64::MAX / 4));
        assert_eq!(clock.now(), Timestamp::MAX);
        clock.learn(Timestamp::MIN);
        assert_eq!(clock.now(), Timestamp::MIN);
    }
}
