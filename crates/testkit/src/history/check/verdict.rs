//! The result of a check.

use std::fmt;
use std::time::Duration;

use super::session::Session;
use crate::history::RecordedCall;

/// One of the five promises of a storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Promise {
    /// P1: no lost update.
    NoLostUpdate,
    /// P2: logout is final.
    LogoutIsFinal,
    /// P3: no deadlock.
    NoDeadlock,
    /// P4: all or nothing.
    AllOrNothing,
    /// P5: expiry is exact for readers.
    ExpiryIsExact,
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoLostUpdate => "P1, no lost update",
            Self::LogoutIsFinal => "P2, logout is final",
            Self::NoDeadlock => "P3, no deadlock",
            Self::AllOrNothing => "P4, all or nothing",
            Self::ExpiryIsExact => "P5, expiry is exact",
        })
    }
}

/// A promise that the storage did not keep.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// The promise.
    pub promise: Promise,
    /// A description of the violation, in one sentence.
    pub what: String,
    /// The calls that contradict each other.
    pub calls: Vec<RecordedCall>,
}

impl Violation {
    pub(super) fn new(promise: Promise, what: impl Into<String>, calls: &[&RecordedCall]) -> Self {
        Self {
            promise,
            what: what.into(),
            calls: calls.iter().map(|recorded| (*recorded).clone()).collect(),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.promise, self.what)?;
        self.calls.iter().try_for_each(|recorded| write!(f, "\n    {recorded}"))
    }
}

/// The violations in a history.
#[derive(Clone, PartialEq, Eq)]
pub struct Violations {
    list: Vec<Violation>,
    summary: Summary,
}

/// The number of violations that are shown in full.
const SHOWN: usize = 10;

impl Violations {
    pub(super) fn new(list: Vec<Violation>, summary: Summary) -> Self {
        Self { list, summary }
    }

    /// Returns the violations.
    #[must_use]
    pub fn list(&self) -> &[Violation] {
        &self.list
    }

    /// Returns whether a violation of this promise is among them.
    #[must_use]
    pub fn contains(&self, promise: Promise) -> bool {
        self.list.iter().any(|violation| violation.promise == promise)
    }

    /// Returns the counts of what was checked.
    #[must_use]
    pub fn summary(&self) -> Summary {
        self.summary
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} violations in {}", self.list.len(), self.summary)?;
        for violation in self.list.iter().take(SHOWN) {
            writeln!(f, "- {violation}")?;
        }
        match self.list.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => writeln!(f, "and {more} more"),
        }
    }
}

/// Formats like `Display`, because a failed `unwrap` shows this.
impl fmt::Debug for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Violations {}

/// Counts of what was checked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// Calls in the history.
    pub calls: usize,
    /// Calls whose outcome is unknown.
    pub unknown: usize,
    /// Acknowledged writes.
    pub writes: usize,
    /// Refused writes.
    pub refused: usize,
    /// Reads and locks that found a live session.
    pub seen: usize,
    /// Sessions, each with all of its keys.
    pub sessions: usize,
    /// Destroyed sessions.
    pub destroyed: usize,
    /// Acknowledged rotations.
    pub rotated: usize,
    /// The longest wait for a lock, successful or not.
    pub longest_wait: Duration,
}

impl Summary {
    pub(super) fn add(&mut self, session: &Session<'_>) {
        use crate::history::Call;

        let count = |of: &dyn Fn(&&&RecordedCall) -> bool| session.calls.iter().filter(of).count();
        self.calls += session.calls.len();
        self.unknown += count(&|recorded| recorded.completion.is_none());
        self.writes += count(&|recorded| recorded.call.write().is_some() && recorded.is_acknowledged());
        self.refused += count(&|recorded| recorded.call.write().is_some() && recorded.is_refused());
        self.seen += count(&|recorded| recorded.seen().is_some());
        let destroys = count(&|recorded| matches!(recorded.call, Call::Destroy { .. }) && recorded.is_acknowledged());
        self.destroyed += destroys.min(1);
        self.longest_wait = session
            .calls
            .iter()
            .filter(|recorded| matches!(recorded.call, Call::Lock { .. }))
            .filter_map(|recorded| Some(recorded.returned()?.saturating_sub(recorded.invoked)))
            .map(Duration::from_nanos)
            .fold(self.longest_wait, Duration::max);
        self.rotated += count(&|recorded| matches!(recorded.call, Call::Rotate { .. }) && recorded.is_acknowledged());
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            calls,
            unknown,
            writes,
            refused,
            seen,
            sessions,
            destroyed,
            rotated,
            longest_wait,
        } = self;
        write!(
            f,
            "{calls} operations ({unknown} of unknown outcome) on {sessions} sessions: {writes} writes acknowledged \
             and {refused} refused, {seen} times seen, {rotated} rotations, {destroyed} sessions destroyed, \
             longest wait {longest_wait:.1?}"
        )
    }
}
