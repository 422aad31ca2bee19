//! The pace of a sweeper: how long it rests, and when it warns.

use std::time::Duration;

use sessile_core::StorageError;

use crate::files::position::SLICE;
use crate::files::sweep::SweepReport;

/// The number of examined files that one removed file pays for.
///
/// The sweeper runs at full speed as long as at least one file in this many has expired, and more slowly below.
const EXAMINED_PER_REMOVAL: usize = 32;

/// The largest credit: enough for a pass through some millions of sessions.
///
/// If one part of the folder held many expired files, another part may hold many too.
const MAX_CREDIT: usize = 1 << 22;

/// The part of the time that is left to others at full speed, and the shortest rest.
const IDLE_SHARE: u32 = 8;
pub(super) const MIN_REST: Duration = Duration::from_millis(1);

/// Returns whether a slice has removed so many files that there is no reason to rest.
pub(super) fn is_productive(report: &SweepReport) -> bool {
    report.removed > 0 && report.removed.saturating_mul(EXAMINED_PER_REMOVAL) >= report.examined
}

/// Credit that removed files have earned, less the files that were examined.
#[derive(Default)]
pub(super) struct Credit(usize);

impl Credit {
    /// Adds a slice, and returns the number of examined files that the credit does not cover.
    pub(super) fn settle(&mut self, report: &SweepReport) -> usize {
        let earned = report.removed.saturating_mul(EXAMINED_PER_REMOVAL);
        let credit = self.0.saturating_add(earned).min(MAX_CREDIT);
        self.0 = credit.saturating_sub(report.examined);
        report.examined.saturating_sub(credit)
    }
}

/// Returns how long to rest after a slice, by the number of examined files that no removal has paid for.
pub(super) fn rest_after(unpaid: usize, took: Duration, every: Duration) -> Duration {
    let share = unpaid.min(SLICE) as f64 / SLICE as f64;
    every.mul_f64(share).max(took / IDLE_SHARE).max(MIN_REST)
}

/// Statistics of one pass through the whole folder.
#[derive(Debug, Default)]
pub(super) struct PassStats {
    removed: usize,
    rested: bool,
    warned: bool,
    /// The number of files that the pass before removed, if it did not rest.
    removed_before: Option<usize>,
}

impl PassStats {
    pub(super) fn add(&mut self, report: &SweepReport, at_full_speed: bool) {
        self.removed += report.removed;
        self.rested |= !at_full_speed;
    }

    /// Warns of the first error of the pass.
    pub(super) fn warn_once(&mut self, error: StorageError) {
        if !std::mem::replace(&mut self.warned, true) {
            #[cfg(feature = "tracing")]
            tracing::warn!(%error, cause = ?std::error::Error::source(&error), "the sweeper cannot remove files");
            drop(error);
        }
    }

    /// Ends the pass. Warns if the sweeper has not rested for two passes and removes no fewer files than before.
    pub(super) fn finish(&mut self, backlog: u64) {
        let (removed, rested) = (self.removed, self.rested);
        if !rested && self.removed_before.is_some_and(|before| removed >= before) {
            #[cfg(feature = "tracing")]
            tracing::warn!(
                removed,
                backlog,
                "the sweeper is behind: sessions end faster than it removes them"
            );
        }
        let _ = backlog;
        *self = Self {
            removed_before: (!rested).then_some(removed),
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
        let rest = |examined, removed| {
            let unpaid = Credit::default().settle(&SweepReport::of(examined, removed));
            rest_after(unpaid, took, every)
        };
        assert_eq!(rest(SLICE, 0), every);
        assert_eq!(rest(SLICE * 100, 0), every, "a large slice does not prolong the rest");
        assert_eq!(rest(SLICE, SLICE), took / IDLE_SHARE);
        assert_eq!(rest(SLICE, SLICE / EXAMINED_PER_REMOVAL), took / IDLE_SHARE);
        assert_eq!(rest(SLICE, SLICE / EXAMINED_PER_REMOVAL / 2), every / 2);
        assert_eq!(rest(0, 0), took / IDLE_SHARE);
    }

    /// Other processes may have swept the next part of the folder, and not the part after it.
    #[test]
    fn removed_files_pay_for_examining_the_rest_of_the_folder() {
        let mut credit = Credit::default();
        assert_eq!(
            credit.settle(&SweepReport::of(SLICE, 2 * SLICE / EXAMINED_PER_REMOVAL)),
            0
        );
        assert_eq!(credit.settle(&SweepReport::of(SLICE, 0)), 0);
        assert_eq!(credit.settle(&SweepReport::of(SLICE, 0)), SLICE);
        assert_eq!(credit.settle(&SweepReport::of(0, usize::MAX)), 0);
        for _ in 0..MAX_CREDIT / SLICE {
            assert_eq!(credit.settle(&SweepReport::of(SLICE, 0)), 0);
        }
        assert_eq!(
            credit.settle(&SweepReport::of(SLICE, 0)),
            SLICE,
            "the credit is limited"
        );
    }

    #[test]
    fn a_sweeper_that_finds_as_many_as_before_without_a_rest_is_behind() {
        let mut pass = PassStats::default();
        for removed in [100, 100] {
            pass.add(&SweepReport::of(1_000, removed), true);
        }
        pass.finish(0);
        assert_eq!(pass.removed_before, Some(200));
        pass.add(&SweepReport::of(1_000, 1), false);
        pass.finish(0);
        assert_eq!(pass.removed_before, None, "a sweeper that rests is not behind");
    }
}
