//! The server's time, as well as this process can know it.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use sessile_core::{Clock, SystemClock, Timestamp};

/// How long an answer may have been under way, as far as this clock is concerned, in milliseconds.
///
/// An answer says what time it was when it was written, so one that comes late makes the server look as if it were
/// behind. Within this time an answer that says less than another is taken for a late one.
const UNDER_WAY: i64 = 5_000;

/// The milliseconds for which an answer that has carried the time is enough.
const STALE: i64 = 1_000;

/// That nothing was heard of the server yet.
const NEVER: i64 = i64::MIN;

/// An estimate of the server's clock: the time it has told, and the time that has gone by here since.
///
/// The wall clock of this machine has no part in it. It may be wrong, and be set, while sessions are served.
///
/// It lags behind the server by at most the way an answer takes, and is ahead of one that was set back for at most
/// [`UNDER_WAY`]. Of several servers, as in a cluster, it follows the one that is ahead, within the same time.
///
/// The time of this process stands still while its machine is suspended. From then until the next answer that carries
/// the time, this clock is behind by as long as the machine slept. What it is behind by is added to the life of
/// nothing that the server judges; ends that are worked out meanwhile come that much earlier. An answer to a script
/// carries the time, so after a lock was taken, or a session touched, the clock is right.
pub(crate) struct ServerClock<T = Uptime> {
    ticks: T,
    /// How many milliseconds the server is ahead of the ticks.
    offset: AtomicI64,
    /// By which tick it last was at least as far ahead.
    heard: AtomicI64,
    /// By which tick an answer last carried the time.
    told: AtomicI64,
}

/// Time that only goes on, from no matter where.
pub(crate) trait Ticks: Send + Sync + 'static {
    fn elapsed(&self) -> Duration;
}

/// The time since it was made, by the clock of the system that is never set.
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
    /// A clock that shows `guess` until the server is heard of.
    fn new(ticks: T, guess: Timestamp) -> Self {
        let offset = signed(guess.as_millis()) - millis(&ticks);
        Self {
            ticks,
            offset: AtomicI64::new(offset),
            heard: AtomicI64::new(NEVER),
            told: AtomicI64::new(NEVER),
        }
    }

    /// Takes note of an answer that has just arrived.
    ///
    /// Answers may overtake each other. Of two threads that do this at once, either may have the last word, which is
    /// as if its answer had arrived later.
    pub(crate) fn learn(&self, server: Timestamp) {
        let now = millis(&self.ticks);
        self.told.store(now, Ordering::Relaxed);
        let ahead = signed(server.as_millis()) - now;
        let behind = self.offset.load(Ordering::Relaxed).saturating_sub(ahead);
        let heard = self.heard.load(Ordering::Relaxed);
        let late = heard != NEVER && (1..=UNDER_WAY).contains(&behind) && now.saturating_sub(heard) <= UNDER_WAY;
        if !late {
            self.offset.store(ahead, Ordering::Relaxed);
            self.heard.store(now, Ordering::Relaxed);
        }
    }

    /// Whether no answer has carried the time for a second: one that could come without it should bring it along.
    pub(crate) fn is_stale(&self) -> bool {
        let told = self.told.load(Ordering::Relaxed);
        told == NEVER || millis(&self.ticks).saturating_sub(told) > STALE
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

    /// What the server says first, in each test.
    const NOON: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    #[derive(Clone, Default)]
    struct ByHand(Arc<AtomicU64>);

    impl ByHand {
        fn pass(&self, time: Duration) {
            let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
            self.0.fetch_add(millis, Ordering::Relaxed);
        }
    }

    impl Ticks for ByHand {
        fn elapsed(&self) -> Duration {
            Duration::from_millis(self.0.load(Ordering::Relaxed))
        }
    }

    /// A clock that has heard that it is noon, and what moves it.
    fn at_noon() -> (ServerClock<ByHand>, ByHand) {
        let ticks = ByHand::default();
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
    fn it_goes_on_from_what_the_server_said_by_time_that_is_never_set() {
        let (clock, ticks) = at_noon();
        assert_eq!(clock.now(), NOON);
        ticks.pass(HOUR);
        assert_eq!(clock.now(), NOON + HOUR);
    }

    #[test]
    fn until_the_server_is_heard_of_it_shows_the_guess() {
        let ticks = ByHand::default();
        ticks.pass(SECOND);
        let clock = ServerClock::new(ticks.clone(), NOON);
        assert_eq!(clock.now(), NOON);
        ticks.pass(SECOND);
        assert_eq!(clock.now(), NOON + SECOND);
        // The first answer is right, however little it differs.
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
    fn an_answer_that_comes_late_does_not_set_it_back() {
        let (clock, ticks) = at_noon();
        ticks.pass(3 * SECOND);
        // Two answers, written one second after the other, arrive in the other order.
        clock.learn(NOON + 3 * SECOND);
        clock.learn(NOON + SECOND);
        assert_eq!(clock.now(), NOON + 3 * SECOND);
    }

    #[test]
    fn it_follows_a_server_that_falls_behind_by_little_once_no_answer_can_be_late() {
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
    fn after_the_machine_was_suspended_the_next_answer_sets_it_right() {
        let (clock, ticks) = at_noon();
        // An hour passes for the server, and no time at all here.
        assert_eq!(clock.now(), NOON);
        clock.learn(NOON + HOUR);
        ticks.pass(SECOND);
        assert_eq!(clock.now(), NOON + HOUR + SECOND);
    }

    #[test]
    fn it_wants_to_hear_the_time_once_a_second_be_it_the_same() {
        let ticks = ByHand::default();
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
    fn no_answer_makes_it_overflow() {
        let (clock, ticks) = at_noon();
        clock.learn(Timestamp::MAX);
        assert_eq!(clock.now(), Timestamp::MAX);
        ticks.pass(Duration::from_millis(u64::MAX / 4));
        assert_eq!(clock.now(), Timestamp::MAX);
        clock.learn(Timestamp::MIN);
        assert_eq!(clock.now(), Timestamp::MIN);
    }
}
