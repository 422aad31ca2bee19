//! P3 and P5: waits end in time, and so do sessions; leases do not end before their time.

use std::collections::HashMap;
use std::time::Duration;

use sessile_core::StorageErrorKind;

use super::Tolerance;
use super::session::Session;
use super::setback::Epochs;
use super::verdict::{Promise, Violation};
use crate::history::{Answer, Call, Operation};

pub(super) fn check(session: &Session<'_>, epochs: &Epochs, tolerance: Tolerance, violations: &mut Vec<Violation>) {
    for operation in &session.operations {
        wait(operation, tolerance, violations);
        deadline(operation, tolerance, violations);
    }
    if let Some(lease) = tolerance.lease {
        leases(session, epochs, lease, violations);
    }
}

/// Whoever comes back within the lease still has the lock, unless the storage was set back meanwhile.
fn leases(session: &Session<'_>, epochs: &Epochs, lease: Duration, violations: &mut Vec<Violation>) {
    // Of all the locks that may be meant, because the same process has seen the same write, the first.
    let mut locks: HashMap<(u64, u64), &Operation> = HashMap::new();
    for operation in &session.operations {
        if let (Call::Lock { .. }, Some(mark)) = (&operation.call, operation.evidence()) {
            locks.entry((operation.process, mark.id)).or_insert(operation);
        }
        let lost = operation.answer() == Some(Answer::Refused(StorageErrorKind::LockLost));
        let Some(mark) = operation.mark().filter(|_| lost) else {
            continue;
        };
        let (Some(lock), Some(returned)) = (locks.get(&(operation.process, mark.previous)), operation.returned())
        else {
            continue;
        };
        let held = Duration::from_nanos(returned.saturating_sub(lock.invoked));
        if held < lease && epochs.are_one(lock.invoked, returned) {
            let what = format!("a lock was lost {held:?} after it was asked for, with a lease of {lease:?}");
            violations.push(Violation::new(Promise::NoLostUpdate, what, &[*lock, operation]));
        }
    }
}

fn wait(operation: &Operation, tolerance: Tolerance, violations: &mut Vec<Violation>) {
    let (Call::Lock { wait, .. }, Some(returned)) = (&operation.call, operation.returned()) else {
        return;
    };
    let waited = Duration::from_nanos(returned.saturating_sub(operation.invoked));
    if waited > wait.saturating_add(tolerance.slack) {
        let what = format!("a wait of at most {wait:?} took {waited:?}");
        violations.push(Violation::new(Promise::NoDeadlock, what, &[operation]));
    }
}

fn deadline(operation: &Operation, tolerance: Tolerance, violations: &mut Vec<Violation>) {
    let deadline = operation.seen().and_then(|seen| seen.deadline);
    if let Some(deadline) = deadline.filter(|deadline| *deadline + tolerance.skew <= operation.clock_before) {
        let late = deadline.until(operation.clock_before);
        let what = format!("a session was found at least {late:?} after its deadline");
        violations.push(Violation::new(Promise::ExpiryIsExact, what, &[operation]));
    }
}
