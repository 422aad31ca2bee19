//! P3 and P5: waits end in time, and so do sessions.

use super::Tolerance;
use super::session::Session;
use super::verdict::{Promise, Violation};
use crate::history::{Call, Operation};

pub(super) fn check(session: &Session<'_>, tolerance: Tolerance, violations: &mut Vec<Violation>) {
    for operation in &session.operations {
        wait(operation, tolerance, violations);
        deadline(operation, tolerance, violations);
    }
}

fn wait(operation: &Operation, tolerance: Tolerance, violations: &mut Vec<Violation>) {
    let (Call::Lock { wait, .. }, Some(returned)) = (&operation.call, operation.returned()) else {
        return;
    };
    let waited = std::time::Duration::from_nanos(returned.saturating_sub(operation.invoked));
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
