//! P2 and P4: an ended session stays ended, and no session ends without a reason.

use std::collections::{BTreeMap, BTreeSet};

use sessile_core::{SessionKey, StorageErrorKind, Timestamp};

use super::Tolerance;
use super::session::Session;
use super::verdict::{Promise, Violation};
use crate::history::{Call, CallResult, RecordedCall};

pub(super) fn check(session: &Session<'_>, tolerance: Tolerance, violations: &mut Vec<Violation>) {
    let ends = Ends::of(session);
    let reasons = Reasons::of(session);
    for recorded in &session.calls {
        ends.check_ended(recorded, violations);
        check_present(recorded, &ends, &reasons, tolerance, violations);
    }
}

/// The first call that proves each kind of end.
#[derive(Default)]
struct Ends<'a> {
    /// The session was destroyed, under any of its keys.
    destroyed: Option<&'a RecordedCall>,
    /// The session was known to live under this key.
    lived: BTreeMap<SessionKey, &'a RecordedCall>,
    /// Nothing was found under this key, where the session had lived.
    missing: BTreeMap<SessionKey, &'a RecordedCall>,
    /// The session has left this key.
    left: BTreeMap<SessionKey, &'a RecordedCall>,
    /// The session has left this key, which is not an alias.
    left_for_good: BTreeMap<SessionKey, &'a RecordedCall>,
}

/// Returns whether `one` completed before `other` was called.
fn precedes(one: Option<&RecordedCall>, other: &RecordedCall) -> bool {
    one.and_then(RecordedCall::returned)
        .is_some_and(|returned| returned < other.invoked)
}

/// Returns whether the result says that the session does not exist.
pub(super) fn finds_nothing(recorded: &RecordedCall) -> bool {
    matches!(
        recorded.result(),
        Some(CallResult::Missing | CallResult::Refused(StorageErrorKind::Gone))
    )
}

/// Returns whether the result says that the session has left this key.
fn finds_tombstone(recorded: &RecordedCall) -> bool {
    matches!(
        recorded.result(),
        Some(CallResult::Superseded | CallResult::Refused(StorageErrorKind::Superseded))
    )
}

impl<'a> Ends<'a> {
    fn of(session: &Session<'a>) -> Self {
        let mut ends = Self::default();
        let rotations = session.calls.iter().filter_map(|recorded| match recorded.call {
            Call::Rotate { grace, .. } => Some(grace),
            _ => None,
        });
        // If a later rotation has a shorter grace, its marker can expire before the earlier one. The chain is broken
        // then, and a tombstone does not prove that the session was destroyed.
        let marks_lead_on = rotations.collect::<BTreeSet<_>>().len() <= 1;
        // Calls are visited in the order of completion, so that the first proof is kept.
        for recorded in session.by_completion() {
            let key = *recorded.call.key();
            if recorded.is_acknowledged() {
                match recorded.call {
                    Call::Destroy { .. } => drop(ends.destroyed.get_or_insert(recorded)),
                    Call::Rotate { to, grace, .. } => {
                        ends.lived.entry(to).or_insert(recorded);
                        ends.left.entry(key).or_insert(recorded);
                        if grace.is_zero() {
                            ends.left_for_good.entry(key).or_insert(recorded);
                        }
                    }
                    Call::Create { .. } => drop(ends.lived.entry(key).or_insert(recorded)),
                    _ => {}
                }
            }
            if let Some(seen) = recorded.seen() {
                ends.lived.entry(seen.key).or_insert(recorded);
            }
            if finds_nothing(recorded) && precedes(ends.lived.get(&key).copied(), recorded) {
                ends.missing.entry(key).or_insert(recorded);
            }
            if finds_tombstone(recorded) {
                if marks_lead_on && matches!(recorded.call, Call::Destroy { .. }) {
                    ends.destroyed.get_or_insert(recorded);
                }
                ends.left.entry(key).or_insert(recorded);
                ends.left_for_good.entry(key).or_insert(recorded);
            }
        }
        ends
    }

    /// Checks that no call finds or writes a session that has ended.
    fn check_ended(&self, recorded: &RecordedCall, violations: &mut Vec<Violation>) {
        let alive = recorded.is_acknowledged() && !matches!(recorded.call, Call::Destroy { .. } | Call::Create { .. });
        if !alive {
            return;
        }
        let asked = recorded.call.key();
        let under = recorded.seen().map_or(*asked, |seen| seen.key);
        // The result of a touch through an alias does not name the key of the session.
        let left = self.left.get(&under).copied();
        let left = left.filter(|_| !matches!(recorded.call, Call::Touch { .. }));
        let ends = [
            (self.destroyed, "a session was destroyed, and lives"),
            (
                self.missing.get(&under).copied(),
                "a session was gone, and has come back",
            ),
            (left, "a session has left a key, and lives there again"),
            (
                self.left_for_good.get(asked).copied(),
                "a session has left a key for good, and is found by it",
            ),
        ];
        if let Some((end, what)) = ends.into_iter().find(|(end, _)| precedes(*end, recorded)) {
            let involved: Vec<_> = end.into_iter().chain([recorded]).collect();
            violations.push(Violation::new(Promise::LogoutIsFinal, what, &involved));
        }
    }
}

/// The reasons for which a session may be missing, and the times from which they apply.
pub(super) struct Reasons {
    /// The first call that may have destroyed the session.
    destroyed: Option<u64>,
    /// The first call that may have moved the session away from each key.
    moved: BTreeMap<SessionKey, u64>,
    /// The earliest deadline up to a time, for each time at which that changed.
    deadlines: Vec<(u64, Timestamp)>,
}

impl Reasons {
    pub(super) fn of(session: &Session<'_>) -> Self {
        let mut reasons = Self {
            destroyed: None,
            moved: BTreeMap::new(),
            deadlines: Vec::new(),
        };
        for recorded in session.calls.iter().filter(|recorded| !recorded.is_refused()) {
            match recorded.call {
                Call::Destroy { .. } => drop(reasons.destroyed.get_or_insert(recorded.invoked)),
                Call::Rotate { key, .. } => drop(reasons.moved.entry(key).or_insert(recorded.invoked)),
                _ => {}
            }
            let earliest = reasons
                .deadlines
                .last()
                .map_or(Timestamp::MAX, |(_, earliest)| *earliest);
            if let Some(deadline) = deadline(recorded).filter(|deadline| *deadline < earliest) {
                reasons.deadlines.push((recorded.invoked, deadline));
            }
        }
        reasons
    }

    /// Returns whether the session may be missing under this key in a result of time `at`, when the clock of the
    /// storage showed `clock`.
    pub(super) fn allow(&self, key: &SessionKey, gone: bool, at: u64, clock: Timestamp) -> bool {
        let known = self.deadlines.partition_point(|(invoked, _)| *invoked < at);
        let expired = self.deadlines[..known]
            .last()
            .is_some_and(|(_, deadline)| *deadline <= clock);
        let destroyed = self.destroyed.is_some_and(|invoked| invoked < at);
        let moved = self.moved.get(key).is_some_and(|invoked| *invoked < at);
        moved || gone && (destroyed || expired)
    }
}

/// Returns the earliest deadline that this call may have set or has found.
fn deadline(recorded: &RecordedCall) -> Option<Timestamp> {
    let set = match &recorded.call {
        Call::Touch { deadline, .. } => *deadline,
        call => call.write().and_then(|write| write.deadline),
    };
    let seen = recorded.seen().and_then(|seen| seen.deadline);
    [set, seen].into_iter().flatten().min()
}

/// Checks that a session which lived is found, unless there is a reason for its end.
fn check_present(
    recorded: &RecordedCall,
    ends: &Ends<'_>,
    reasons: &Reasons,
    tolerance: Tolerance,
    violations: &mut Vec<Violation>,
) {
    let key = recorded.call.key();
    let lived = ends.lived.get(key).copied();
    let (gone, tombstone) = (finds_nothing(recorded), finds_tombstone(recorded));
    let Some(completion) = recorded.completion.as_ref().filter(|_| gone || tombstone) else {
        return;
    };
    if gone && !precedes(lived, recorded) {
        return;
    }
    if reasons.allow(key, gone, completion.at, completion.clock_after + tolerance.skew) {
        return;
    }
    let what = match tombstone {
        true => "a tombstone was found where no call has moved a session",
        false => "a session is lost that no call has ended",
    };
    let involved: Vec<_> = lived.into_iter().chain([recorded]).collect();
    violations.push(Violation::new(Promise::AllOrNothing, what, &involved));
}
