//! Bugs of `touch` as rules of the model.

use sessile_core::{Facts, Lookup, Meta, Record, SessionKey, StorageErrorKind, Timestamp};
use sessile_testkit::model::ModelState;

use super::Bug;

pub(super) fn touch(
    bug: Bug,
    state: &mut ModelState,
    key: &SessionKey,
    version: u64,
    deadline: Option<Timestamp>,
    last_active: Timestamp,
    now: Timestamp,
) -> Result<bool, StorageErrorKind> {
    let found = state.find(key, now);
    if bug == Bug::TouchFollowsTombstone
        && found == Lookup::Superseded
        && let Some(moved) = state.moves.get(key)
    {
        let to = moved.to;
        return state.touch(&to, version, deadline, last_active, now);
    }
    if bug == Bug::TouchUpserts && found == Lookup::Missing {
        state.put(key, Record::new(Meta::new(last_active).with_deadline(deadline), ""));
        return Ok(true);
    }
    if bug == Bug::TouchRevives
        && let Some(record) = state.records.get_mut(key)
    {
        record.meta.touch(deadline, last_active);
        return Ok(true);
    }
    let Lookup::Found(actual) = found else {
        return state.touch(key, version, deadline, last_active, now);
    };
    let Some(record) = state.records.get_mut(&actual) else {
        return Ok(true);
    };
    if record.meta.version != version && bug != Bug::TouchIgnoresVersion {
        return Ok(bug == Bug::TouchHidesTheStale);
    }
    let old = record.meta.clone();
    record.meta.touch(deadline, last_active);
    match bug {
        Bug::TouchShortens if old.deadline.is_some() => record.meta.deadline = deadline,
        Bug::TouchRewinds => record.meta.last_active = last_active,
        Bug::TouchLimits if old.deadline.is_none() => record.meta.deadline = deadline,
        Bug::TouchIgnoresNone if deadline.is_none() => record.meta.deadline = old.deadline,
        Bug::TouchCounts => record.meta.version += 1,
        Bug::FactsAreLostOnTouch => record.meta.facts = Facts::NONE,
        Bug::TouchUnlocks => drop(state.locks.remove(&actual)),
        _ => {}
    }
    Ok(true)
}
