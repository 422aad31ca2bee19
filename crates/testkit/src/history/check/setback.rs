//! [`Setback`]: the times at which a storage lost acknowledged changes, and the checks that still apply.

use std::ops::Range;

use super::session::Session;
use crate::history::time::monotonic;
use crate::history::{Call, RecordedCall};

/// A period within which a storage may have returned to an earlier state, as a server does that restarts without a disk
/// or whose lagging replica takes over.
///
/// Between two setbacks the storage has to keep its promises. Across a setback, acknowledged changes may be gone and
/// are [counted](super::Lost), and ended sessions may be back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setback {
    from: u64,
    until: u64,
}

impl Setback {
    /// Runs `act`, which sets the storage back, and records its duration. The old state must be out of reach when `act`
    /// returns.
    pub fn during(act: impl FnOnce()) -> Self {
        let from = monotonic();
        act();
        Self {
            from,
            until: monotonic(),
        }
    }

    /// Creates a setback between these times of the [clock that all processes share](RecordedCall::invoked).
    #[must_use]
    pub fn between(from: u64, until: u64) -> Self {
        Self { from, until }
    }
}

/// The periods between the setbacks.
#[derive(Debug)]
pub(super) struct Epochs(Vec<Range<u64>>);

impl Epochs {
    pub(super) fn between(setbacks: &[Setback]) -> Self {
        let mut setbacks = setbacks.to_vec();
        setbacks.sort_by_key(|setback| setback.from);
        let begins = std::iter::once(0).chain(setbacks.iter().map(|setback| setback.until));
        let ends = setbacks.iter().map(|setback| setback.from).chain([u64::MAX]);
        Self(begins.zip(ends).map(|(begin, end)| begin..end).collect())
    }

    pub(super) fn is_one(&self) -> bool {
        self.0.len() == 1
    }

    /// Returns whether both times are in one epoch.
    pub(super) fn are_one(&self, one: u64, other: u64) -> bool {
        self.0
            .iter()
            .any(|epoch| epoch.contains(&one) && epoch.contains(&other))
    }

    /// Returns the epochs that contain calls of a session.
    pub(super) fn of<'e>(&'e self, session: &Session<'_>) -> impl Iterator<Item = (usize, &'e Range<u64>)> + use<'e> {
        let first = session.calls.first().map_or(0, |recorded| recorded.invoked);
        let last = session.calls.iter().filter_map(|recorded| recorded.returned());
        let last = last.max().unwrap_or(first);
        let epochs = self.0.iter().enumerate();
        epochs.filter(move |(_, epoch)| epoch.start <= last && first < epoch.end)
    }

    /// Returns the epoch of a completion. A completion during a setback belongs to the epoch before.
    pub(super) fn of_completion(&self, at: u64) -> usize {
        self.0.partition_point(|epoch| epoch.start < at).saturating_sub(1)
    }
}

/// Returns whether the call began and completed within the epoch.
pub(super) fn is_within(recorded: &RecordedCall, epoch: &Range<u64>) -> bool {
    epoch.start <= recorded.invoked && recorded.returned().is_some_and(|returned| returned < epoch.end)
}

/// Returns the calls of a session that affect an epoch. Calls within it are unchanged; calls that may have taken effect
/// in it, or before it, lose their result.
pub(super) fn view(session: &Session<'_>, epoch: &Range<u64>) -> Vec<RecordedCall> {
    let known = session.calls.iter().filter(|recorded| recorded.invoked < epoch.end);
    let views = known.filter_map(|recorded| {
        if is_within(recorded, epoch) {
            return Some((*recorded).clone());
        }
        let effect = !matches!(recorded.call, Call::Read { .. } | Call::Lock { .. });
        (effect && !recorded.is_refused()).then(|| RecordedCall {
            completion: None,
            ..(*recorded).clone()
        })
    });
    views.collect()
}
