//! P3 and P5: waits and sessions end in time, and leases do not end early.

use std::collections::HashMap;
use std::time::Duration;

use sessile_core::StorageErrorKind;

use super::Tolerance;
use super::session::Session;
use super::setback::Epochs;
use super::verdict::{Promise, Violation};
use crate::history::{Call, CallResult, RecordedCall};

pub(super) fn check(session: &Session<'_>, epochs: &Epochs, tolerance: Tolerance, violations: &mut Vec<Violation>) {
    for recorded in &session.calls {
        wait(recorded, tolerance, violations);
        deadline(recorded, tolerance, violations);
    }
    if let Some(lease) = tolerance.lease {
        leases(session, epochs, lease, violations);
    }
}

/// Checks that a holder which returns within its lease still holds the lock, unless the storage was set back meanwhile.
fn leases(session: &Session<'_>, epochs: &Epochs, lease: Duration, violations: &mut Vec<Violation>) {
    // Several locks of one process can have read the same write. The first of them is taken, which is the least strict.
    let mut locks: HashMap<(u64, u64), &RecordedCall> = HashMap::new();
    for recorded in &session.calls {
        if let (Call::Lock { .. }, Some(mark)) = (&recorded.call, recorded.evidence()) {
            locks.entry((recorded.process, mark.id)).or_insert(recorded);
        }
        let lost = recorded.result() == Some(CallResult::Refused(StorageErrorKind::LockLost));
        let Some(mark) = recorded.mark().filter(|_| lost) else {
            continue;
        };
        let (Some(lock), Some(returned)) = (locks.get(&(recorded.process, mark.previous)), recorded.returned()) else {
            continue;
        };
        let held = Duration::from_nanos(returned.saturating_sub(lock.invoked));
        if held < lease && epochs.are_one(lock.invoked, returned) {
            let what = format!("a lock was lost {held:?} after it was requested, with a lease of {lease:?}");
            violations.push(Violation::new(Promise::NoLostUpdate, what, &[*lock, recorded]));
        }
    }
}

fn wait(recorded: &RecordedCall, tolerance: Tolerance, violations: &mut Vec<Violation>) {
    let (Call::Lock { wait, .. }, Some(returned)) = (&recorded.call, recorded.returned()) else {
        return;
    };
    let waited = Duration::from_nanos(returned.saturating_sub(recorded.invoked));
    if waited > wait.saturating_add(tolerance.slack) {
        let what = format!("a wait of at most {wait:?} took {waited:?}");
        violations.push(Violation::new(Promise::NoDeadlock, what, &[recorded]));
    }
}

fn deadline(recorded: &RecordedCall, tolerance: Tolerance, violations: &mut Vec<Violation>) {
    let deadline = recorded.seen().and_then(|seen| seen.deadline);
    if let Some(deadline) = deadline.filter(|deadline| *deadline + tolerance.skew <= recorded.clock_before) {
        let late = deadline.until(recorded.clock_before);
        let what = format!("a session was found at least {late:?} after its deadline");
        violations.push(Violation::new(Promise::ExpiryIsExact, what, &[recorded]));
    }
}
