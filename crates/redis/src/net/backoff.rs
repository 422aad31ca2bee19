//! [`Backoff`]: the pauses between attempts to connect.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};

/// The first pause, which jitter makes up to twice as long.
const FIRST: Duration = Duration::from_millis(20);
/// The longest pause without jitter.
const LONGEST: Duration = Duration::from_millis(250);

/// Pauses that grow, each with a random part, so that processes do not reconnect at the same moment.
pub(super) struct Backoff {
    builder: ExponentialBuilder,
    pauses: ExponentialBackoff,
}

impl Backoff {
    /// Creates pauses that are short enough for a call with this time limit to outlast each of them.
    pub(super) fn within(timeout: Duration) -> Self {
        let longest = LONGEST.min(timeout / 4);
        let builder = ExponentialBuilder::new()
            .with_min_delay(FIRST.min(longest))
            .with_max_delay(longest)
            .with_factor(2.0)
            .without_max_times()
            .with_jitter();
        Self {
            builder,
            pauses: builder.build(),
        }
    }

    /// Returns the next pause.
    pub(super) fn next(&mut self) -> Duration {
        self.pauses.next().unwrap_or(LONGEST)
    }

    /// Restarts with short pauses.
    pub(super) fn reset(&mut self) {
        self.pauses = self.builder.build();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_limit_and_are_short_again_after_a_success() {
        for timeout in [
            Duration::from_secs(100),
            Duration::from_millis(200),
            Duration::from_millis(1),
        ] {
            let mut backoff = Backoff::within(timeout);
            let pauses: Vec<_> = (0..200).map(|_| backoff.next()).collect();
            assert!(pauses[0] <= FIRST * 2, "{:?}", pauses[0]);
            let longest = LONGEST.min(timeout / 4);
            assert!(pauses.iter().all(|pause| *pause <= longest * 2), "{pauses:?}");
            assert!(pauses[50..].iter().all(|pause| *pause >= longest), "{pauses:?}");
            backoff.reset();
            assert!(backoff.next() <= FIRST * 2);
        }
    }
}
