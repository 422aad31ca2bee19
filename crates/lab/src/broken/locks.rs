//! Bugs of locks as rules of the model.

use std::time::Duration;

use sessile_core::{Facts, LockId, LockToken, Lookup, SessionKey, Stored, Timestamp};
use sessile_testkit::model::{Attempt, Holder, ModelState};

use super::{Bug, WriteResult, facts, has_token};

pub(super) fn lock(
    bug: Bug,
    state: &mut ModelState,
    key: &SessionKey,
    token: LockToken,
    lease: Duration,
    now: Timestamp,
) -> Lookup<Attempt> {
    let found = state.find(key, now);
    let until = now + lease;
    match (bug, found) {
        (Bug::LockIgnoresHolder, Lookup::Found(actual)) => {
            state.locks.remove(&actual);
            state.lock(key, token, lease, now)
        }
        (Bug::LockIsShared, _) => match state.locks.iter().find(|(other, _)| other.shard() == key.shard()) {
            Some((_, holder)) if now < holder.until => Lookup::Found(Attempt::Busy(holder.until)),
            _ => state.lock(key, token, lease, now),
        },
        (Bug::LockLeavesEntry, Lookup::Missing) => {
            state.locks.insert(*key, Holder { token, until });
            Lookup::Missing
        }
        (Bug::LockWaitsForTheMissing, Lookup::Missing | Lookup::Superseded) => {
            Lookup::Found(Attempt::Busy(Timestamp::MAX))
        }
        (Bug::LeaseNeverEnds, _) => state.lock(key, token, Duration::MAX, now),
        (Bug::LeaseEndsEarly, _) => state.lock(key, token, lease / 2, now),
        (Bug::AliasIsLocked, Lookup::Found(actual)) if actual != *key => {
            let holder = Holder { token, until };
            state.locks.insert(*key, holder);
            Lookup::Found(Attempt::Taken(Stored::new(*key, state.stored(actual).record)))
        }
        (Bug::FactsAreNotLocked, _) => state.lock(key, token, lease, now).map(|attempt| match attempt {
            Attempt::Taken(stored) => Attempt::Taken(facts::without(stored)),
            busy @ Attempt::Busy(_) => busy,
        }),
        _ => state.lock(key, token, lease, now),
    }
}

pub(super) fn release(bug: Bug, state: &mut ModelState, lock: &LockId) {
    match bug {
        Bug::ReleaseIgnoresToken => drop(state.locks.remove(&lock.key)),
        Bug::ReleaseDoesNothing => {}
        Bug::FactsAreLostOnRelease => {
            if let Some(record) = state.records.get_mut(&lock.key) {
                record.meta.facts = Facts::NONE;
            }
            state.release(lock);
        }
        Bug::ReleaseWrites => {
            if has_token(state, lock)
                && let Some(record) = state.records.get_mut(&lock.key)
            {
                record.meta.version += 1;
            }
            state.release(lock);
        }
        _ => state.release(lock),
    }
}

pub(super) fn dropped(bug: Bug, state: &mut ModelState, lock: &LockId) {
    match bug {
        Bug::DropDoesNothing => {}
        Bug::DropIgnoresToken => drop(state.locks.remove(&lock.key)),
        _ => state.release(lock),
    }
}

pub(super) fn renew(bug: Bug, state: &mut ModelState, lock: &LockId, lease: Duration, now: Timestamp) -> WriteResult {
    let until = state.locks.get(&lock.key).map_or(now, |holder| holder.until);
    let token = lock.token;
    match bug {
        Bug::RenewRevives if has_token(state, lock) => {
            state.require_live(&lock.key, now)?;
            let until = now + lease;
            state.locks.insert(lock.key, Holder { token, until });
            Ok(())
        }
        Bug::RenewIgnoresToken if state.records.contains_key(&lock.key) => {
            state
                .locks
                .entry(lock.key)
                .and_modify(|holder| holder.until = now + lease);
            Ok(())
        }
        Bug::RenewDoesNothing => state.require_lock(lock, now),
        Bug::RenewAddsUp => {
            state.require_lock(lock, now)?;
            let until = until + lease;
            state.locks.insert(lock.key, Holder { token, until });
            Ok(())
        }
        Bug::RenewIgnoresRecord if !state.records.contains_key(&lock.key) => Ok(()),
        _ => state.renew(lock, lease, now),
    }
}
