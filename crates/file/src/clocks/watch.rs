//! [`ClockWatch`]: detects a wall clock that was set forward.

use std::time::Duration;

use sessile_core::Timestamp;

/// The tolerated lead of the wall clock over the steady clock. A larger lead means that the wall clock was set.
const LEEWAY: Duration = Duration::from_secs(10);

/// The time for which a clock must stay set forward before it is trusted.
const TRUST: Duration = Duration::from_secs(60 * 60);

/// Compares the wall clock with a clock that cannot be set, so that a clock set by mistake removes no session.
#[derive(Debug)]
pub(crate) struct ClockWatch {
    wall: Timestamp,
    steady: Timestamp,
    /// The lead of the wall clock, and the steady time at which it was first seen.
    ahead: Option<(Duration, Timestamp)>,
}

impl ClockWatch {
    pub(crate) fn new(wall: Timestamp, steady: Timestamp) -> Self {
        Self {
            wall,
            steady,
            ahead: None,
        }
    }

    /// Returns the time by which a session must have expired to be swept.
    pub(crate) fn cutoff(&mut self, wall: Timestamp, steady: Timestamp) -> Timestamp {
        let expected = self.wall + self.steady.until(steady);
        if wall > expected + LEEWAY {
            let ahead = expected.until(wall);
            let (by, since) = match self.ahead {
                // The clock has not been set again, or has been corrected by a part of the lead.
                Some((by, since)) if ahead <= by + LEEWAY => (by.min(ahead), since),
                _ => (ahead, steady),
            };
            self.ahead = Some((by, since));
            if since.until(steady) < TRUST {
                return expected;
            }
        }
        *self = Self::new(wall, steady);
        wall
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn a_clock_that_is_set_forward_is_trusted_after_an_hour() {
        let mut watch = ClockWatch::new(at(100 * HOUR), at(0));
        assert_eq!(watch.cutoff(at(100 * HOUR + 5_000), at(1_000)), at(100 * HOUR + 5_000));
        assert_eq!(watch.cutoff(at(101 * HOUR), at(2_000)), at(100 * HOUR + 6_000));
        assert_eq!(watch.cutoff(at(102 * HOUR), at(HOUR)), at(101 * HOUR + 4_000));
        assert_eq!(
            watch.cutoff(at(102 * HOUR + 2_000), at(HOUR + 2_000)),
            at(102 * HOUR + 2_000)
        );
        assert_eq!(
            watch.cutoff(at(102 * HOUR + 2_001), at(HOUR + 2_001)),
            at(102 * HOUR + 2_001)
        );
    }

    #[test]
    fn a_clock_that_is_set_back_is_trusted_at_once() {
        let mut watch = ClockWatch::new(at(100 * HOUR), at(0));
        assert_eq!(watch.cutoff(at(101 * HOUR), at(1_000)), at(100 * HOUR + 1_000));
        assert_eq!(watch.cutoff(at(100 * HOUR + 2_000), at(2_000)), at(100 * HOUR + 2_000));
        assert_eq!(watch.cutoff(at(90 * HOUR), at(3_000)), at(90 * HOUR));
        assert_eq!(watch.cutoff(at(90 * HOUR + 1_000), at(4_000)), at(90 * HOUR + 1_000));
    }

    /// The machine is suspended for a moment, and the clock is set by mistake later.
    #[test]
    fn setting_the_clock_forward_again_restarts_the_hour() {
        let mut watch = ClockWatch::new(at(100 * HOUR), at(0));
        assert_eq!(watch.cutoff(at(100 * HOUR + 30_000), at(0)), at(100 * HOUR));
        assert_eq!(watch.cutoff(at(900 * HOUR), at(HOUR - 1)), at(101 * HOUR - 1));
        assert_eq!(watch.cutoff(at(901 * HOUR), at(HOUR + 1)), at(101 * HOUR + 1));
        // The second mistake is corrected, the first is not, and a third follows.
        assert_eq!(watch.cutoff(at(101 * HOUR + 30_002), at(HOUR + 2)), at(101 * HOUR + 2));
        assert_eq!(watch.cutoff(at(900 * HOUR), at(HOUR + 3)), at(101 * HOUR + 3));
        assert_eq!(watch.cutoff(at(901 * HOUR), at(2 * HOUR + 2)), at(102 * HOUR + 2));
        assert_eq!(watch.cutoff(at(901 * HOUR + 1), at(2 * HOUR + 3)), at(901 * HOUR + 1));
    }
}
