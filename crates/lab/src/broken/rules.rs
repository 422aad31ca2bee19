//! The bugs as rules of the model.

use std::collections::VecDeque;
use std::time::Duration;

use sessile_core::{
    LockId, LockToken, Lookup, Meta, Record, SessionHead, SessionKey, StorageErrorKind, Stored, Timestamp,
};
use sessile_testkit::model::{Attempt, Holder, ModelState, Rotation, Rules};

use super::{Bug, WriteResult, facts, locks, records, replace, rotate, touch};

impl Bug {
    /// Returns the time that this storage assumes.
    fn now(self, now: Timestamp) -> Timestamp {
        match self {
            Self::ExpiresLate => Timestamp::from_millis(now.as_millis() - 1),
            Self::ExpiresEarly => Timestamp::from_millis(now.as_millis() + 1),
            _ => now,
        }
    }
}

impl Rules for Bug {
    fn read(&self, state: &ModelState, key: &SessionKey, now: Timestamp) -> Lookup<Stored> {
        let now = self.now(now);
        let direct = state.records.get(key);
        match self {
            Self::ReadMixesShards => {
                let same = |other: &&SessionKey| other.shard() == key.shard() && state.find(other, now).is_found();
                let first = state.records.keys().find(same);
                state.read(first.unwrap_or(key), now)
            }
            Self::AliasIsNotChained => match state.moves.get(key) {
                Some(moved) if now < moved.alias_until && state.moves.contains_key(&moved.to) => Lookup::Missing,
                _ => state.read(key, now),
            },
            Self::LeaseTakesRecord if state.locks.get(key).is_some_and(|holder| holder.until <= now) => Lookup::Missing,
            Self::ExpiresNotUnderLock if state.locks.contains_key(key) && direct.is_some() => {
                Lookup::Found(state.stored(*key))
            }
            _ => state.read(key, now),
        }
    }

    fn lock(
        &self,
        state: &mut ModelState,
        key: &SessionKey,
        token: LockToken,
        lease: Duration,
        now: Timestamp,
    ) -> Lookup<Attempt> {
        locks::lock(*self, state, key, token, lease, self.now(now))
    }

    fn create(&self, state: &mut ModelState, key: &SessionKey, record: Record, now: Timestamp) -> WriteResult {
        records::create(*self, state, key, record, self.now(now))
    }

    fn commit(&self, state: &mut ModelState, lock: &LockId, record: Record, now: Timestamp) -> WriteResult {
        records::commit(*self, state, lock, record, self.now(now))
    }

    fn replace(
        &self,
        state: &mut ModelState,
        known: &Stored,
        record: Record,
        now: Timestamp,
    ) -> Result<bool, StorageErrorKind> {
        replace::replace(*self, state, known, record, self.now(now))
    }

    fn rotate(
        &self,
        state: &mut ModelState,
        lock: &LockId,
        rotation: Rotation,
        record: Record,
        now: Timestamp,
    ) -> WriteResult {
        rotate::rotate(*self, state, lock, rotation, record, self.now(now))
    }

    fn release(&self, state: &mut ModelState, lock: &LockId) {
        locks::release(*self, state, lock);
    }

    fn dropped(&self, state: &mut ModelState, lock: &LockId) {
        locks::dropped(*self, state, lock);
    }

    fn renew(&self, state: &mut ModelState, lock: &LockId, lease: Duration, now: Timestamp) -> WriteResult {
        locks::renew(*self, state, lock, lease, self.now(now))
    }

    fn touch(
        &self,
        state: &mut ModelState,
        key: &SessionKey,
        version: u64,
        deadline: Option<Timestamp>,
        last_active: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StorageErrorKind> {
        touch::touch(*self, state, key, version, deadline, last_active, self.now(now))
    }

    fn destroy(&self, state: &mut ModelState, key: &SessionKey, now: Timestamp) -> Lookup<()> {
        let now = self.now(now);
        let found = state.find(key, now);
        match (self, found) {
            (Self::DestroyDoesNothing, found) => return found.map(drop),
            (Self::DestroyKeepsLock, Lookup::Found(actual)) => {
                state.records.remove(&actual);
                return Lookup::Found(());
            }
            (Self::DestroyRemovesAliases, Lookup::Found(actual)) => {
                state.moves.retain(|_, moved| moved.to != actual);
                return state.destroy(&actual, now);
            }
            (Self::DestroyRemovesTombstones, Lookup::Superseded) => drop(state.moves.remove(key)),
            (Self::DestroyIgnoresTombstone, Lookup::Superseded) => return Lookup::Superseded,
            (Self::DestroyFollowsOneMove, Lookup::Superseded) => {
                return match state.moves[key].to {
                    to if state.records.contains_key(&to) => state.destroy(&to, now),
                    _ => Lookup::Superseded,
                };
            }
            (Self::DestroyCountsAliases, Lookup::Superseded) if now < state.moves[key].alias_until => {
                return Lookup::Superseded;
            }
            (Self::DestroyKeepsMovedLock, Lookup::Superseded) => {
                return state.trace(key, now).map(|actual| drop(state.records.remove(&actual)));
            }
            (Self::DestroyAlwaysFinds, Lookup::Missing) => return Lookup::Found(()),
            (Self::DestroyLeavesEntry, Lookup::Found(actual)) => {
                let (token, until) = (LockToken::from_bytes([0; 16]), now);
                let found = state.destroy(key, now);
                state.locks.insert(actual, Holder { token, until });
                return found;
            }
            _ => {}
        }
        state.destroy(key, now)
    }

    fn scan(&self, state: &ModelState, after: Option<&SessionKey>, limit: usize, now: Timestamp) -> Vec<SessionHead> {
        let now = self.now(now);
        match self {
            Self::ScanListsTheExpired => state.scan(after, limit, Timestamp::MIN),
            Self::ScanListsTombstones => {
                let mut state = state.clone();
                for key in state.moves.keys() {
                    state
                        .records
                        .entry(*key)
                        .or_insert_with(|| Record::new(Meta::new(now), ""));
                }
                state.scan(after, limit, now)
            }
            Self::ScanOmitsLocked => {
                let mut state = state.clone();
                let ModelState { records, locks, .. } = &mut state;
                records.retain(|key, _| !locks.contains_key(key));
                state.scan(after, limit, now)
            }
            Self::ScanIgnoresLimit => state.scan(after, limit.max(10), now),
            _ => facts::listed(*self, state, after, limit, now),
        }
    }

    fn sweep(&self, state: &mut ModelState, limit: usize, now: Timestamp) -> Vec<Stored> {
        let now = self.now(now);
        match self {
            Self::SweepReturnsTwice => state.clone().sweep(limit, now),
            Self::SweepTakesLiving => {
                let due = |(key, record): (&SessionKey, &Record)| record.meta.deadline.is_some().then_some(*key);
                let due: Vec<_> = state.records.iter().filter_map(due).take(limit).collect();
                due.into_iter().map(|key| state.remove(key)).collect()
            }
            Self::SweepIgnoresLimit => state.sweep(usize::MAX, now),
            Self::SweepForgets => state.sweep(limit.min(1), now),
            Self::SweepLeavesTombstones => {
                let moves = state.moves.clone();
                let swept = state.sweep(limit, now);
                state.moves = moves;
                swept
            }
            Self::SweepReturnsEmpty => {
                let mut swept = state.sweep(limit, now);
                swept.iter_mut().for_each(|stored| stored.record.payload.clear());
                swept
            }
            Self::FactsAreNotSwept => state.sweep(limit, now).into_iter().map(facts::without).collect(),
            _ => state.sweep(limit, now),
        }
    }

    fn admits(&self, waiting: usize, max_waiters: usize) -> bool {
        waiting < max_waiters || *self == Self::LockIsUnbounded
    }

    fn enqueue(&self, queue: &mut VecDeque<u64>, waiter: u64) {
        match self {
            Self::LockIsLifo => queue.push_front(waiter),
            _ => queue.push_back(waiter),
        }
    }

    fn leaves_queue_when_dropped(&self) -> bool {
        *self != Self::LockLosesWakeUp
    }
}
