//! [`Lost`]: acknowledged writes that are gone.

use std::collections::HashSet;
use std::fmt;
use std::ops::AddAssign;

use super::Tolerance;
use super::ends::{Reasons, finds_nothing};
use super::session::Session;
use super::setback::{Epochs, is_within};
use crate::history::{Call, RecordedCall};

/// The number of acknowledged changes from before a [`Setback`](super::Setback) that were missing afterwards.
///
/// A session that ended before any call looked for it counts as neither kept nor lost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lost {
    /// Writes: creations, commits and rotations.
    pub writes: usize,
    /// The rotations among the writes: the session was found under its old key again, or not at all.
    pub rotations: usize,
    /// Sessions that were destroyed and were found again.
    pub logouts: usize,
    /// Sessions that were lost as a whole.
    pub sessions: usize,
}

impl Lost {
    /// Returns whether nothing was lost.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn of(session: &Session<'_>, epochs: &Epochs, tolerance: Tolerance) -> Self {
        let mut lost = Self::default();
        let reasons = Reasons::of(session);
        let lived = |recorded: &RecordedCall| {
            let key = recorded.call.key();
            session
                .calls
                .iter()
                .any(|earlier| earlier.puts_at(key) && earlier.returned() < Some(recorded.invoked))
        };
        let mut counted = HashSet::new();
        for (number, epoch) in epochs.of(session).skip(1) {
            let within = || session.calls.iter().filter(|recorded| is_within(recorded, epoch));
            let tip = within()
                .filter_map(|recorded| recorded.evidence())
                .max_by_key(|mark| mark.position);
            let gone = within().any(|recorded| {
                let completion = recorded.completion.as_ref().filter(|_| finds_nothing(recorded));
                completion.is_some_and(|completion| {
                    let clock = completion.clock_after + tolerance.skew;
                    lived(recorded) && !reasons.allow(recorded.call.key(), true, completion.at, clock)
                })
            });
            if tip.is_none() && !gone {
                continue;
            }
            let mut kept = HashSet::new();
            let mut mark = tip;
            while let Some(write) = mark.filter(|mark| kept.insert(mark.id)) {
                mark = session.writes.get(&write.previous).and_then(|recorded| recorded.mark());
            }
            let before = session.calls.iter().enumerate().filter(|(_, recorded)| {
                let at = recorded.returned().filter(|_| recorded.is_acknowledged());
                at.is_some_and(|at| epochs.of_completion(at) < number)
            });
            let mut sought = 0;
            for (index, recorded) in before {
                let is_lost = match (recorded.mark(), &recorded.call) {
                    (Some(mark), _) => !kept.contains(&mark.id),
                    (None, Call::Destroy { .. }) => tip.is_some(),
                    _ => false,
                };
                if !is_lost || !counted.insert(index) {
                    continue;
                }
                match recorded.call {
                    Call::Destroy { .. } => lost.logouts = 1,
                    Call::Rotate { .. } => lost.rotations += 1,
                    _ => {}
                }
                sought += usize::from(recorded.mark().is_some());
            }
            lost.writes += sought;
            lost.sessions += usize::from(tip.is_none() && sought > 0);
        }
        lost
    }
}

impl RecordedCall {
    /// Returns whether the result says that the session lived under this key.
    fn puts_at(&self, key: &sessile_core::SessionKey) -> bool {
        let put = match &self.call {
            Call::Create { key, .. } | Call::Rotate { to: key, .. } => Some(key).filter(|_| self.is_acknowledged()),
            _ => None,
        };
        put == Some(key) || self.seen().is_some_and(|seen| seen.key == *key)
    }
}

impl AddAssign for Lost {
    fn add_assign(&mut self, other: Self) {
        self.writes += other.writes;
        self.rotations += other.rotations;
        self.logouts += other.logouts;
        self.sessions += other.sessions;
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            writes,
            rotations,
            logouts,
            sessions,
        } = self;
        write!(
            f,
            "{writes} acknowledged writes lost ({rotations} of them rotations), {logouts} logouts undone, nothing left \
             of {sessions} sessions"
        )
    }
}
