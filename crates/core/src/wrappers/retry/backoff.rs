//! [`Backoff`]: the number of attempts and the pauses between them.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use crate::entropy::{Entropy, OsEntropy};

/// Decides whether and when a failed call is repeated.
pub trait Backoff: Debug + Send + Sync + 'static {
    /// Returns the pause before the next attempt after `failures` failed attempts, which is 1 at first. `None` stops.
    fn pause(&self, failures: u32) -> Option<Duration>;
}

/// Exponential backoff with full jitter: waits for a random part of a pause that doubles each time.
///
/// The jitter spreads calls out evenly that have failed at the same time (Marc Brooker: "Exponential Backoff And
/// Jitter", AWS Architecture Blog, 2015).
///
/// The default makes at most four attempts, with pauses of up to 50, 100 and 200 milliseconds.
///
/// ```
/// use std::time::Duration;
/// use sessile_core::{Backoff, Exponential};
///
/// let backoff = Exponential::default().attempts(3).first(Duration::from_millis(10));
/// assert!(backoff.pause(1).unwrap() <= Duration::from_millis(10));
/// assert!(backoff.pause(2).unwrap() <= Duration::from_millis(20));
/// assert_eq!(backoff.pause(3), None);
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Exponential {
    attempts: u32,
    first: Duration,
    longest: Duration,
    entropy: Arc<dyn Entropy>,
}

impl Default for Exponential {
    fn default() -> Self {
        Self {
            attempts: 4,
            first: Duration::from_millis(50),
            longest: Duration::from_secs(1),
            entropy: Arc::new(OsEntropy),
        }
    }
}

impl Exponential {
    /// Sets the maximum number of attempts, including the first. Four by default.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// Sets the longest pause before the second attempt. 50 milliseconds by default.
    pub fn first(mut self, pause: Duration) -> Self {
        self.first = pause;
        self
    }

    /// Sets the longest pause before any attempt. A second by default.
    pub fn longest(mut self, pause: Duration) -> Self {
        self.longest = pause;
        self
    }

    /// Sets the source of randomness. By default it is the operating system; see [`OsEntropy`].
    pub fn entropy(mut self, entropy: impl Entropy) -> Self {
        self.entropy = Arc::new(entropy);
        self
    }
}

impl Backoff for Exponential {
    fn pause(&self, failures: u32) -> Option<Duration> {
        if failures >= self.attempts {
            return None;
        }
        let factor = 2_u32.saturating_pow(failures.saturating_sub(1));
        let longest = self.first.saturating_mul(factor).min(self.longest);
        let mut random = [0; 4];
        self.entropy.fill(&mut random);
        let part = f64::from(u32::from_be_bytes(random)) / f64::from(u32::MAX);
        // The maximum duration, as a float, can be rounded up to a value that is out of range.
        let pause = Duration::try_from_secs_f64(longest.as_secs_f64() * part);
        Some(pause.map_or(longest, |pause| pause.min(longest)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Always(u8);

    impl Entropy for Always {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    #[test]
    fn pauses_double_up_to_the_longest_and_end() {
        let backoff = Exponential::default()
            .attempts(5)
            .longest(Duration::from_millis(150))
            .entropy(Always(0xff));
        let pauses: Vec<_> = (1..6)
            .map(|failures| backoff.pause(failures).map(|pause| pause.as_millis()))
            .collect();
        assert_eq!(pauses, [Some(50), Some(100), Some(150), Some(150), None]);
    }

    #[test]
    fn a_random_part_of_the_pause_is_waited() {
        let pause = |byte| Exponential::default().entropy(Always(byte)).pause(1);
        assert_eq!(pause(0), Some(Duration::ZERO));
        assert!(pause(0x80) > Some(Duration::from_millis(24)) && pause(0x80) < Some(Duration::from_millis(26)));
    }

    #[test]
    fn no_number_is_too_large() {
        let backoff = Exponential::default().attempts(u32::MAX).entropy(Always(0xff));
        assert_eq!(backoff.pause(u32::MAX - 1), Some(Duration::from_secs(1)));
        assert_eq!(Exponential::default().attempts(0).pause(1), None);
    }
}
