//! [`Backoff`]: how long to leave a server alone that does not let us in.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};

/// The first pause, which jitter makes up to twice as long.
const FIRST: Duration = Duration::from_millis(20);
/// The longest, without jitter.
const LONGEST: Duration = Duration::from_millis(250);

/// Pauses that grow, each with a random part, so that the processes of a fleet do not come all at once.
pub(super) struct Backoff {
    builder: ExponentialBuilder,
    pauses: ExponentialBackoff,
}

impl Backoff {
    /// Pauses of which none is so long that a call with this much time could not see its end.
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

    /// The next pause.
    pub(super) fn next(&mut self) -> Duration {
        self.pauses.next().unwrap_or(LONGEST)
    }

    /// Begins with short pauses again.
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
