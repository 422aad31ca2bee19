//! [`Setback`]: moments at which a storage forgot what it had acknowledged, and what may be asked of it all the same.

use std::ops::Range;

use super::session::Session;
use crate::history::time::monotonic;
use crate::history::{Call, RecordedCall};

/// A stretch of time within which a storage may have fallen back to an earlier state, as one does that is restarted
/// without anything on disk, or whose lagging replica takes over.
///
/// Between two setbacks it has to keep its promises. Over a setback only what it says itself counts: what was
/// acknowledged before may be gone, and is [counted](super::Lost), and what was ended before may be back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setback {
    from: u64,
    until: u64,
}

impl Setback {
    /// The time that something takes that sets the storage back. When it is over, the old state must be out of reach
    /// for good.
    pub fn during(act: impl FnOnce()) -> Self {
        let from = monotonic();
        act();
        Self {
            from,
            until: monotonic(),
        }
    }

    /// One between these two moments of the [clock that all processes share](crate::Operation::invoked).
    #[must_use]
    pub fn between(from: u64, until: u64) -> Self {
        Self { from, until }
    }
}

/// The times between the setbacks.
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

    /// Whether both moments are in one epoch.
    pub(super) fn are_one(&self, one: u64, other: u64) -> bool {
        self.0
            .iter()
            .any(|epoch| epoch.contains(&one) && epoch.contains(&other))
    }

    /// The epochs in which something was done to a session.
    pub(super) fn of<'e>(&'e self, session: &Session<'_>) -> impl Iterator<Item = (usize, &'e Range<u64>)> + use<'e> {
        let first = session.calls.first().map_or(0, |recorded| recorded.invoked);
        let last = session.calls.iter().filter_map(|recorded| recorded.returned());
        let last = last.max().unwrap_or(first);
        let epochs = self.0.iter().enumerate();
        epochs.filter(move |(_, epoch)| epoch.start <= last && first < epoch.end)
    }

    /// The epoch that an answer fell in. One that came while the storage was set back is of the epoch before.
    pub(super) fn of_completion(&self, at: u64) -> usize {
        self.0.partition_point(|epoch| epoch.start < at).saturating_sub(1)
    }
}

/// Whether the operation was called and answered within the epoch.
pub(super) fn is_within(recorded: &RecordedCall, epoch: &Range<u64>) -> bool {
    epoch.start <= recorded.invoked && recorded.returned().is_some_and(|returned| returned < epoch.end)
}

/// The operations of a session as far as they bear upon an epoch: those within it as they are, and of those that may
/// have left something behind, or reached into it, that they were called.
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
