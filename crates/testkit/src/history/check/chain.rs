//! P1 and P4: the writes form one chain, and readers see nothing else.

use std::collections::HashMap;

use super::session::Session;
use super::verdict::{Promise, Violation};
use crate::history::{Mark, RecordedCall};

pub(super) fn check(session: &Session<'_>, violations: &mut Vec<Violation>) {
    let conflicts = violations.len();
    check_conflicts(session, violations);
    if violations.len() == conflicts {
        // Two writes on one predecessor are a conflict, which is reported already. The chain would only repeat it.
        check_chain(session, violations);
    }
    check_regressions(session, violations);
}

/// Checks that each record found was written whole, by a write that was not refused.
pub(super) fn check_payloads(session: &Session<'_>, violations: &mut Vec<Violation>) {
    for pair in &session.ambiguous {
        let what = "two writes of the test have one name, so that nothing can be said of either";
        violations.push(Violation::new(Promise::AllOrNothing, what, pair));
    }
    for recorded in &session.calls {
        let Some(seen) = recorded.seen() else { continue };
        let Some(mark) = seen.mark else {
            let what = "a record was found that is not whole";
            violations.push(Violation::new(Promise::AllOrNothing, what, &[recorded]));
            continue;
        };
        match session.writes.get(&mark.id) {
            None => {
                let what = format!("{mark} was found, which no call has written");
                violations.push(Violation::new(Promise::AllOrNothing, what, &[recorded]));
            }
            Some(write) if write.mark() != Some(mark) => {
                let what = format!("{mark} was found, which was written otherwise");
                violations.push(Violation::new(Promise::AllOrNothing, what, &[write, recorded]));
            }
            Some(write) if write.is_refused() => {
                let what = format!("{mark} was refused and has taken effect all the same");
                violations.push(Violation::new(Promise::NoLostUpdate, what, &[write, recorded]));
            }
            Some(_) => {}
        }
    }
}

/// Checks that no two acknowledged writes have the same predecessor.
fn check_conflicts(session: &Session<'_>, violations: &mut Vec<Violation>) {
    let mut built: HashMap<u64, &RecordedCall> = HashMap::new();
    for recorded in session.calls.iter().filter(|recorded| recorded.is_acknowledged()) {
        let Some(mark) = recorded.mark() else { continue };
        if let Some(other) = built.insert(mark.previous, recorded) {
            let what = match mark.previous {
                0 => "a session was created twice, so that one creation is lost".to_owned(),
                previous => format!("two acknowledged writes are built on write {previous}, so that one is lost"),
            };
            violations.push(Violation::new(Promise::NoLostUpdate, what, &[other, recorded]));
        }
    }
}

/// Checks that each write that was acknowledged or found is on the chain from the last write back to the first.
fn check_chain(session: &Session<'_>, violations: &mut Vec<Violation>) {
    let evidence = || {
        session
            .calls
            .iter()
            .filter_map(|op| op.evidence().map(|mark| (*op, mark)))
    };
    let Some((last, tip)) = evidence().max_by_key(|(_, mark)| mark.position) else {
        return;
    };
    let mut chain: HashMap<u64, Mark> = HashMap::from([(tip.position, tip)]);
    let mut mark = tip;
    while mark.previous != 0 {
        let write = session.writes.get(&mark.previous).copied();
        let Some(previous) = write.and_then(RecordedCall::mark) else {
            let what = format!("{mark} was written, but no call has written its predecessor");
            violations.push(Violation::new(Promise::AllOrNothing, what, &[last]));
            return;
        };
        if write.is_some_and(RecordedCall::is_refused) {
            let what = format!("{previous} was refused, and others are built on it");
            let involved: Vec<_> = write.into_iter().chain(session.writes.get(&mark.id).copied()).collect();
            violations.push(Violation::new(Promise::NoLostUpdate, what, &involved));
        }
        if previous.position + 1 != mark.position {
            let what = format!("{mark} does not follow {previous}: the count is wrong");
            violations.push(Violation::new(Promise::AllOrNothing, what, &[last]));
            return;
        }
        chain.insert(previous.position, previous);
        mark = previous;
    }
    for (recorded, mark) in evidence() {
        let Some(instead) = chain.get(&mark.position).filter(|instead| **instead != mark) else {
            continue;
        };
        let what = match recorded.mark() {
            Some(_) => format!("{mark} was acknowledged, but its place was taken by {instead}: an update is lost"),
            None => format!("{mark} was seen, but its place was taken by {instead}"),
        };
        let write = session.writes.get(&instead.id).copied();
        let involved: Vec<_> = [Some(recorded), write, Some(last)].into_iter().flatten().collect();
        violations.push(Violation::new(Promise::NoLostUpdate, what, &involved));
    }
}

/// Checks that no call finds an older state than was known to be stored before the call.
fn check_regressions(session: &Session<'_>, violations: &mut Vec<Violation>) {
    let completed = session.by_completion();
    let mut known = completed
        .iter()
        .copied()
        .filter(|recorded| recorded.evidence().is_some())
        .peekable();
    let mut most: Option<(&RecordedCall, Mark)> = None;
    for recorded in &session.calls {
        while let Some(earlier) = known.next_if(|earlier| earlier.returned() < Some(recorded.invoked)) {
            let mark = earlier.evidence();
            if let Some(mark) = mark.filter(|mark| most.is_none_or(|(_, most)| mark.position > most.position)) {
                most = Some((earlier, mark));
            }
        }
        let seen = recorded.seen().and_then(|seen| seen.mark);
        if let (Some(seen), Some((earlier, most))) = (seen, most)
            && seen.position < most.position
        {
            let what = format!("{most} was known to be stored, and {seen} was found afterwards");
            violations.push(Violation::new(Promise::NoLostUpdate, what, &[earlier, recorded]));
        }
    }
}
