//! Bugs of `rotate` as rules of the model.

use std::time::Duration;

use sessile_core::{Facts, LockId, Lookup, Record, SessionKey, StorageErrorKind, Timestamp};
use sessile_testkit::model::{ModelState, Move, Rotation};

use super::{Bug, WriteResult};

fn move_to(state: &mut ModelState, from: &SessionKey, rotation: Rotation, record: Record, now: Timestamp) {
    if state.records.contains_key(from) {
        state.add_marker(from, rotation, now);
    }
    state.put(&rotation.to, record);
}

pub(super) fn rotate(
    bug: Bug,
    state: &mut ModelState,
    lock: &LockId,
    mut rotation: Rotation,
    record: Record,
    now: Timestamp,
) -> WriteResult {
    let mut record = bug.stored(record, now);
    let deadline = record.meta.deadline;
    match bug {
        Bug::RotateIgnoresGrace => rotation.grace = Duration::ZERO,
        Bug::TombstoneStays => rotation.tombstone = Duration::MAX,
        Bug::TombstoneGoesEarly => rotation.tombstone /= 2,
        Bug::AliasStays if !rotation.grace.is_zero() => rotation.grace = Duration::MAX,
        Bug::FactsAreLostOnRotate => record.meta.facts = Facts::NONE,
        Bug::FactsAreLostByAliases if !rotation.grace.is_zero() => record.meta.facts = Facts::NONE,
        Bug::RotateForgetsRecord => {
            record = state.records.get(&lock.key).map_or(record, Record::clone);
        }
        Bug::RotateIgnoresToken => {
            state.require_live(&lock.key, now)?;
            state.require_vacant(&rotation.to, now)?;
            move_to(state, &lock.key, rotation, record, now);
            return Ok(());
        }
        Bug::RotateUpserts if state.require_live(&lock.key, now) == Err(StorageErrorKind::Gone) => {
            move_to(state, &lock.key, rotation, record, now);
            return Ok(());
        }
        Bug::RotateOverwrites => {
            state.require_lock(lock, now)?;
            move_to(state, &lock.key, rotation, record, now);
            return Ok(());
        }
        Bug::AliasLetsHoldersIn => {
            if let Lookup::Found(actual) = state.find(&lock.key, now)
                && actual != lock.key
            {
                move_to(state, &actual, rotation, record, now);
                return Ok(());
            }
        }
        _ => {}
    }
    let old = state.records.get(&lock.key).cloned();
    let holder = state.locks.get(&lock.key).copied();
    state.rotate(lock, rotation, record, now)?;
    match (bug, old, holder) {
        (Bug::RotateKeepsOld, Some(old), _) => drop(state.records.insert(lock.key, old)),
        (Bug::RotateLeavesNothing, ..) if rotation.grace.is_zero() => drop(state.moves.remove(&lock.key)),
        (Bug::RotateKeepsLock, _, Some(holder)) => drop(state.locks.insert(rotation.to, holder)),
        (Bug::TombstoneGoesWithSession, ..) => {
            let end = deadline.unwrap_or(Timestamp::MAX);
            let shorten = |moved: &mut Move| moved.tombstone_until = moved.tombstone_until.min(end);
            state.moves.entry(lock.key).and_modify(shorten);
        }
        _ => {}
    }
    Ok(())
}
