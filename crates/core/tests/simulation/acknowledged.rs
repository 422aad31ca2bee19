//! Values that a call has reported as stored.

use crate::plan::Op;
use crate::recorder::{Call, CallResult, Inner, Moment, Set};

/// Returns the values that must be stored, each with the call that reported it.
pub(crate) fn acknowledged(inner: &Inner) -> Vec<(&Set, u32)> {
    let mut found = Vec::new();
    for call in &inner.calls {
        let Some((end, _, CallResult::Succeeded)) = &call.end else {
            continue;
        };
        for set in inner.sets.iter().filter(|set| set.visit == call.visit) {
            let said = match call.op {
                Op::Close => set.at < call.begun && closes(inner, call, *end, set),
                Op::Transaction { .. } => set.transaction == Some(call.number) && commits(inner, call),
                _ => false,
            };
            if said {
                found.push((set, call.number));
            }
        }
    }
    found
}

/// Returns whether a successful close reports that this value is stored.
fn closes(inner: &Inner, call: &Call, end: Moment, set: &Set) -> bool {
    // The end of a visit does not wait for concurrent transactions.
    if call.is_end && set.during_transaction {
        return false;
    }
    // A failed transaction has reported its failure to its caller.
    let transaction = set
        .transaction
        .and_then(|number| inner.calls.iter().find(|call| call.number == number));
    if transaction.is_some_and(|transaction| !matches!(transaction.end, Some((_, _, CallResult::Succeeded)))) {
        return false;
    }
    !was_released_or_lost(inner, call, end, set)
}

/// Returns whether a transaction has taken the lock itself, and so commits itself.
fn commits(inner: &Inner, call: &Call) -> bool {
    call.found.is_some() || inner.writes.iter().any(|written| written.call == Some(call.number))
}

/// Returns whether a task of the visit has released the value, or has continued after the value was known to be lost,
/// before the close completed.
fn was_released_or_lost(inner: &Inner, close: &Call, end: Moment, set: &Set) -> bool {
    let others = || {
        let same_visit = inner.calls.iter().filter(|call| call.visit == set.visit);
        same_visit.filter(|call| call.number != close.number && call.begun < end)
    };
    let ends_after = |call: &Call, moment| call.end.as_ref().is_none_or(|(end, ..)| *end > moment);
    if others().any(|call| matches!(call.op, Op::Release | Op::Destroy) && ends_after(call, set.at)) {
        return true;
    }
    // Values that remain when a visit ends are not written.
    if inner
        .ended_visits
        .get(&set.visit)
        .is_some_and(|ended| (set.at..end).contains(ended))
    {
        return true;
    }
    let failures = others().filter(|call| {
        let is_failed = !matches!(call.end, Some((_, _, CallResult::Succeeded)));
        is_failed && matches!(call.op, Op::Close | Op::Transaction { .. }) && ends_after(call, set.at)
    });
    failures.into_iter().any(|failure| {
        let goes_on =
            |call: &Call| matches!(call.op, Op::Start | Op::Transaction { .. }) && call.number != failure.number;
        others().any(|call| goes_on(call) && ends_after(call, failure.begun))
    })
}

/// Returns whether a session was removed because a visit that met it has destroyed it.
pub(crate) fn was_destroyed(inner: &Inner, lineage: usize) -> bool {
    let lineage = &inner.lineages[lineage];
    let Some((removed, _)) = lineage.removed else {
        return false;
    };
    let wished = |call: &Call| call.op == Op::Destroy && call.begun < removed && lineage.visits.contains(&call.visit);
    inner.calls.iter().any(wished)
}
