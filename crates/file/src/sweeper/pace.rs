//! How fast a sweeper goes, when it rests, and what it says.

use std::time::Duration;

use sessile_core::StorageError;

use crate::files::scan::SLICE;
use crate::files::sweep::Swept;

/// One file that is over pays for looking at this many. So the sweeper goes at full speed as long as there are more of
/// them than one in this many, and more and more slowly below.
const WORTH: usize = 32;

/// The most that can be earned and not used: enough for a round through some millions of sessions. Where much was
/// found in one part, much may be left in another.
const SAVINGS: usize = 1 << 22;

/// The share of the time that others get at full speed: this part of a slice, and not less than the shortest rest.
const SHARE: u32 = 8;
pub(crate) const SHORTEST_REST: Duration = Duration::from_millis(1);

impl Swept {
    /// Whether there was so much to remove that there is no reason to rest.
    pub(crate) fn pays(&self) -> bool {
        self.removed > 0 && self.removed.saturating_mul(WORTH) >= self.looked
    }
}

/// Credit that removing has earned and looking has not used up.
#[derive(Default)]
pub(crate) struct Savings(usize);

impl Savings {
    /// Returns how much was looked at that nothing makes up for.
    pub(crate) fn pay(&mut self, swept: &Swept) -> usize {
        let earned = swept.removed.saturating_mul(WORTH);
        let all = self.0.saturating_add(earned).min(SAVINGS);
        self.0 = all.saturating_sub(swept.looked);
        swept.looked.saturating_sub(all)
    }
}

/// How long to rest after a slice. What has been removed makes up for what was looked at.
pub(crate) fn rest_after(unpaid: usize, took: Duration, every: Duration) -> Duration {
    let share = unpaid.min(SLICE) as f64 / SLICE as f64;
    every.mul_f64(share).max(took / SHARE).max(SHORTEST_REST)
}

/// A round through the whole folder.
#[derive(Debug, Default)]
pub(crate) struct Round {
    removed: usize,
    rested: bool,
    told: bool,
    /// How many files were removed in the round before, if that was one without a rest.
    before: Option<usize>,
}

impl Round {
    pub(crate) fn add(&mut self, swept: &Swept, at_full_speed: bool) {
        self.removed += swept.removed;
        self.rested |= !at_full_speed;
    }

    /// Says once a round what keeps the sweeper from removing something.
    pub(crate) fn tell(&mut self, trouble: StorageError) {
        if !std::mem::replace(&mut self.told, true) {
            #[cfg(feature = "tracing")]
            tracing::warn!(%trouble, cause = ?std::error::Error::source(&trouble), "the sweeper meets with trouble");
            drop(trouble);
        }
    }

    pub(crate) fn end(&mut self, backlog: u64) {
        let (removed, rested) = (self.removed, self.rested);
        if !rested && self.before.is_some_and(|before| removed >= before) {
            #[cfg(feature = "tracing")]
            tracing::warn!(
                removed,
                backlog,
                "the sweeper is behind: sessions end faster than it removes them"
            );
        }
        let _ = backlog;
        *self = Self {
            before: (!rested).then_some(removed),
            ..Self::default()
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sweeper_rests_when_there_is_nothing_and_goes_on_when_there_is() {
        let every = Duration::from_secs(10);
        let took = Duration::from_millis(16);
        let rest = |looked, removed| {
            let unpaid = Savings::default().pay(&Swept::of(looked, removed));
            rest_after(unpaid, took, every)
        };
        assert_eq!(rest(SLICE, 0), every);
        assert_eq!(
            rest(SLICE * 100, 0),
            every,
            "a slice that was large is no reason for more"
        );
        assert_eq!(rest(SLICE, SLICE), took / SHARE);
        assert_eq!(rest(SLICE, SLICE / WORTH), took / SHARE);
        assert_eq!(rest(SLICE, SLICE / WORTH / 2), every / 2);
        assert_eq!(rest(0, 0), took / SHARE);
    }

    /// Others may have swept the part that comes next, and not the one behind it.
    #[test]
    fn what_was_removed_pays_for_looking_through_the_rest_of_the_folder() {
        let mut savings = Savings::default();
        assert_eq!(savings.pay(&Swept::of(SLICE, 2 * SLICE / WORTH)), 0);
        assert_eq!(savings.pay(&Swept::of(SLICE, 0)), 0);
        assert_eq!(savings.pay(&Swept::of(SLICE, 0)), SLICE);
        assert_eq!(savings.pay(&Swept::of(0, usize::MAX)), 0);
        for _ in 0..SAVINGS / SLICE {
            assert_eq!(savings.pay(&Swept::of(SLICE, 0)), 0);
        }
        assert_eq!(savings.pay(&Swept::of(SLICE, 0)), SLICE, "not for ever");
    }

    #[test]
    fn a_sweeper_that_finds_as_many_as_before_without_a_rest_is_behind() {
        let mut round = Round::default();
        for removed in [100, 100] {
            round.add(&Swept::of(1_000, removed), true);
        }
        round.end(0);
        assert_eq!(round.before, Some(200));
        round.add(&Swept::of(1_000, 1), false);
        round.end(0);
        assert_eq!(round.before, None, "one that rests is not behind");
    }
}
