//! [`Watch`]: whether the clock may be believed.

use std::time::Duration;

use sessile_core::Timestamp;

/// How far the clock may run ahead of the machine's uptime between two slices. More is a clock that was set.
const LEEWAY: Duration = Duration::from_secs(10);

/// How long a clock that was set forward must stay so before anything is removed because of it.
const TRUST: Duration = Duration::from_secs(60 * 60);

/// Compares the clock with one that nobody can set, so that nothing is removed because of a mistake.
#[derive(Debug)]
pub(crate) struct Watch {
    wall: Timestamp,
    steady: Timestamp,
    /// By how much the clock is ahead, and since when it has been so, by the steady one.
    ahead: Option<(Duration, Timestamp)>,
}

impl Watch {
    pub(crate) fn new(wall: Timestamp, steady: Timestamp) -> Self {
        Self {
            wall,
            steady,
            ahead: None,
        }
    }

    /// Returns the moment by which a session must have ended to be removed.
    pub(crate) fn over_by(&mut self, wall: Timestamp, steady: Timestamp) -> Timestamp {
        let expected = self.wall + self.steady.until(steady);
        if wall > expected + LEEWAY {
            let ahead = expected.until(wall);
            let (by, since) = match self.ahead {
                // It has not been set again, or has been put right a little.
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
    fn a_clock_that_is_set_forward_is_believed_after_an_hour() {
        let mut watch = Watch::new(at(100 * HOUR), at(0));
        assert_eq!(watch.over_by(at(100 * HOUR + 5_000), at(1_000)), at(100 * HOUR + 5_000));
        assert_eq!(watch.over_by(at(101 * HOUR), at(2_000)), at(100 * HOUR + 6_000));
        assert_eq!(watch.over_by(at(102 * HOUR), at(HOUR)), at(101 * HOUR + 4_000));
        assert_eq!(
            watch.over_by(at(102 * HOUR + 2_000), at(HOUR + 2_000)),
            at(102 * HOUR + 2_000)
        );
        assert_eq!(
            watch.over_by(at(102 * HOUR + 2_001), at(HOUR + 2_001)),
            at(102 * HOUR + 2_001)
        );
    }

    #[test]
    fn a_clock_that_is_set_back_is_believed_at_once() {
        let mut watch = Watch::new(at(100 * HOUR), at(0));
        assert_eq!(watch.over_by(at(101 * HOUR), at(1_000)), at(100 * HOUR + 1_000));
        assert_eq!(watch.over_by(at(100 * HOUR + 2_000), at(2_000)), at(100 * HOUR + 2_000));
        assert_eq!(watch.over_by(at(90 * HOUR), at(3_000)), at(90 * HOUR));
        assert_eq!(watch.over_by(at(90 * HOUR + 1_000), at(4_000)), at(90 * HOUR + 1_000));
    }

    /// As when the machine is suspended for a moment, and the clock is set by mistake later on.
    #[test]
    fn each_time_the_clock_is_set_forward_the_hour_begins_anew() {
        let mut watch = Watch::new(at(100 * HOUR), at(0));
        assert_eq!(watch.over_by(at(100 * HOUR + 30_000), at(0)), at(100 * HOUR));
        assert_eq!(watch.over_by(at(900 * HOUR), at(HOUR - 1)), at(101 * HOUR - 1));
        assert_eq!(watch.over_by(at(901 * HOUR), at(HOUR + 1)), at(101 * HOUR + 1));
        // Put right, but for the first time, and wrong again.
        assert_eq!(watch.over_by(at(101 * HOUR + 30_002), at(HOUR + 2)), at(101 * HOUR + 2));
        assert_eq!(watch.over_by(at(900 * HOUR), at(HOUR + 3)), at(101 * HOUR + 3));
        assert_eq!(watch.over_by(at(901 * HOUR), at(2 * HOUR + 2)), at(102 * HOUR + 2));
        assert_eq!(watch.over_by(at(901 * HOUR + 1), at(2 * HOUR + 3)), at(901 * HOUR + 1));
    }
}
