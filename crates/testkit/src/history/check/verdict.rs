//! What a check comes to.

use std::fmt;
use std::time::Duration;

use super::session::Session;
use crate::history::Operation;

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

/// A promise that was not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// Which one.
    pub promise: Promise,
    /// What happened, in a sentence.
    pub what: String,
    /// The operations that contradict each other.
    pub operations: Vec<Operation>,
}

impl Violation {
    pub(super) fn new(promise: Promise, what: impl Into<String>, operations: &[&Operation]) -> Self {
        Self {
            promise,
            what: what.into(),
            operations: operations.iter().map(|operation| (*operation).clone()).collect(),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.promise, self.what)?;
        self.operations
            .iter()
            .try_for_each(|operation| write!(f, "\n    {operation}"))
    }
}

/// What cannot be true in a history.
#[derive(Clone, PartialEq, Eq)]
pub struct Violations {
    list: Vec<Violation>,
    summary: Summary,
}

/// How many violations are told in full.
const TOLD: usize = 10;

impl Violations {
    pub(super) fn new(list: Vec<Violation>, summary: Summary) -> Self {
        Self { list, summary }
    }

    /// The violations.
    #[must_use]
    pub fn list(&self) -> &[Violation] {
        &self.list
    }

    /// Whether any of them is of this promise.
    #[must_use]
    pub fn contains(&self, promise: Promise) -> bool {
        self.list.iter().any(|violation| violation.promise == promise)
    }

    /// How much was checked.
    #[must_use]
    pub fn summary(&self) -> Summary {
        self.summary
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} violations in {}", self.list.len(), self.summary)?;
        for violation in self.list.iter().take(TOLD) {
            writeln!(f, "- {violation}")?;
        }
        match self.list.len().saturating_sub(TOLD) {
            0 => Ok(()),
            more => writeln!(f, "and {more} more"),
        }
    }
}

/// As `Display`: it is what a failed `unwrap` shows.
impl fmt::Debug for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Violations {}

/// How much was checked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// Operations in the history.
    pub operations: usize,
    /// Those whose outcome is unknown.
    pub unknown: usize,
    /// Writes that were acknowledged.
    pub writes: usize,
    /// Writes that were refused.
    pub refused: usize,
    /// Times a live session was read or locked.
    pub seen: usize,
    /// Sessions, each with all the keys it went by.
    pub sessions: usize,
    /// Sessions that were destroyed.
    pub destroyed: usize,
    /// Rotations that were acknowledged.
    pub rotated: usize,
    /// The longest that a lock was waited for, whether it came or not.
    pub longest_wait: Duration,
}

impl Summary {
    pub(super) fn add(&mut self, session: &Session<'_>) {
        use crate::history::Call;

        let count = |of: &dyn Fn(&&&Operation) -> bool| session.operations.iter().filter(of).count();
        self.operations += session.operations.len();
        self.unknown += count(&|operation| operation.answered.is_none());
        self.writes += count(&|operation| operation.call.write().is_some() && operation.is_acknowledged());
        self.refused += count(&|operation| operation.call.write().is_some() && operation.is_refused());
        self.seen += count(&|operation| operation.seen().is_some());
        let destroys =
            count(&|operation| matches!(operation.call, Call::Destroy { .. }) && operation.is_acknowledged());
        self.destroyed += destroys.min(1);
        self.longest_wait = session
            .operations
            .iter()
            .filter(|operation| matches!(operation.call, Call::Lock { .. }))
            .filter_map(|operation| Some(operation.returned()?.saturating_sub(operation.invoked)))
            .map(Duration::from_nanos)
            .fold(self.longest_wait, Duration::max);
        self.rotated +=
            count(&|operation| matches!(operation.call, Call::Rotate { .. }) && operation.is_acknowledged());
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            operations,
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
            "{operations} operations ({unknown} of unknown outcome) on {sessions} sessions: {writes} writes acknowledged \
             and {refused} refused, {seen} times seen, {rotated} rotations, {destroyed} sessions destroyed, longest wait {longest_wait:.1?}"
        )
    }
}
