//! Which values were acknowledged: those that a call said it has stored.

use crate::plan::Op;
use crate::truth::{Call, Ended, Inner, Moment, Set};

/// The values that have to be stored, each with the call that said so.
pub(crate) fn acknowledged(inner: &Inner) -> Vec<(&Set, u32)> {
    let mut found = Vec::new();
    for call in &inner.calls {
        let Some((end, _, Ended::Well)) = &call.end else {
            continue;
        };
        for set in inner.sets.iter().filter(|set| set.visit == call.visit) {
            let said = match call.op {
                Op::Close => set.at < call.begun && closes(inner, call, *end, set),
                Op::Update { .. } => set.update == Some(call.number) && commits(inner, call),
                _ => false,
            };
            if said {
                found.push((set, call.number));
            }
        }
    }
    found
}

/// Whether a close that went well says that this value is stored.
fn closes(inner: &Inner, call: &Call, end: Moment, set: &Set) -> bool {
    // The end of a visit does not wait for updates elsewhere.
    if call.is_end && set.beside_update {
        return false;
    }
    // An update that failed has said so to whom it concerns.
    let update = set
        .update
        .and_then(|number| inner.calls.iter().find(|call| call.number == number));
    if update.is_some_and(|update| !matches!(update.end, Some((_, _, Ended::Well)))) {
        return false;
    }
    !was_given_up(inner, call, end, set)
}

/// Whether an update has taken the lock itself, and so commits itself.
fn commits(inner: &Inner, call: &Call) -> bool {
    call.found.is_some() || inner.writes.iter().any(|written| written.call == Some(call.number))
}

/// Whether somebody who shares the visit has given the value up, or has gone on after it was known to be lost, before the
/// close was done.
fn was_given_up(inner: &Inner, close: &Call, end: Moment, set: &Set) -> bool {
    let others = || {
        let same_visit = inner.calls.iter().filter(|call| call.visit == set.visit);
        same_visit.filter(|call| call.number != close.number && call.begun < end)
    };
    let ends_after = |call: &Call, moment| call.end.as_ref().is_none_or(|(end, ..)| *end > moment);
    if others().any(|call| matches!(call.op, Op::Release | Op::Destroy) && ends_after(call, set.at)) {
        return true;
    }
    // What is left when a visit is over is not written.
    if inner
        .over
        .get(&set.visit)
        .is_some_and(|over| (set.at..end).contains(over))
    {
        return true;
    }
    let failures = others().filter(|call| {
        let is_failed = !matches!(call.end, Some((_, _, Ended::Well)));
        is_failed && matches!(call.op, Op::Close | Op::Update { .. }) && ends_after(call, set.at)
    });
    failures.into_iter().any(|failure| {
        let goes_on = |call: &Call| matches!(call.op, Op::Start | Op::Update { .. }) && call.number != failure.number;
        others().any(|call| goes_on(call) && ends_after(call, failure.begun))
    })
}

/// Whether a session that was removed was so because somebody who had to do with it wished it.
pub(crate) fn was_destroyed(inner: &Inner, lineage: usize) -> bool {
    let lineage = &inner.lineages[lineage];
    let Some((removed, _)) = lineage.removed else {
        return false;
    };
    let wished = |call: &Call| call.op == Op::Destroy && call.begun < removed && lineage.visits.contains(&call.visit);
    inner.calls.iter().any(wished)
}
