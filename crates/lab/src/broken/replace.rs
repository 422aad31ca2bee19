//! Bugs of `replace`.

use std::time::Duration;

use sessile_core::{LockToken, Lookup, Record, Storage, StorageError, StorageErrorKind, Stored, Timestamp};
use sessile_testkit::model::{Holder, ModelState};
use tokio::time::sleep;

use super::{Broken, Bug, MOMENT};
use crate::locked;

impl Broken {
    pub(super) async fn wrongly_replace(&self, known: &Stored, record: Record) -> Result<bool, StorageError> {
        match self.bug {
            Bug::ReplaceIsPerHandle => {
                let by = locked(&self.readers).get(&known.key).copied();
                if by.is_some_and(|handle| handle != self.handle) {
                    return Ok(false);
                }
            }
            Bug::ReplaceWaits => self.wait_for_lock(&known.key).await,
            Bug::ReplaceInTwoSteps => {
                let same = |state: &mut ModelState, now| state.clone().replace(known, record.clone(), now);
                if self.model.step(|_, state, now| same(state, now)) == Ok(true) {
                    sleep(MOMENT).await;
                    self.model.step(|_, state, _| state.put(&known.key, record));
                    return Ok(true);
                }
            }
            Bug::ReplaceTorn => {
                let half = record.payload.len() / 2;
                let torn = Record::new(record.meta.clone(), record.payload.slice(..half));
                if !self.model.replace(known, torn).await? {
                    return Ok(false);
                }
                sleep(MOMENT).await;
                self.model.step(|_, state, _| state.put(&known.key, record));
                return Ok(true);
            }
            Bug::ReplaceHasNoName => {
                let result = self.model.replace(known, record).await;
                return result.map_err(|error| StorageError::new(error.kind(), "lock", self.name()));
            }
            _ => {}
        }
        self.model.replace(known, record).await
    }
}

pub(super) fn replace(
    bug: Bug,
    state: &mut ModelState,
    known: &Stored,
    record: Record,
    now: Timestamp,
) -> Result<bool, StorageErrorKind> {
    let key = known.key;
    let mut record = bug.stored(record, now);
    let mut known = known.clone();
    let found = state.find(&key, now);
    let is_live = found == Lookup::Found(key);
    let holder = state.locks.get(&key).copied();
    let is_held = holder.is_some_and(|holder| now < holder.until);
    let old = state.records.get(&key).cloned();
    match bug {
        Bug::ReplaceDoesNothing => return state.clone().replace(&known, record, now),
        Bug::ReplaceNeverDoes if is_live => return Ok(false),
        Bug::ReplaceKeepsTimes => {
            if let Some(old) = old {
                let version = record.meta.version;
                record.meta = old.meta;
                record.meta.version = version;
            }
        }
        Bug::FactsStayOnReplace => record.meta.facts = old.map_or(record.meta.facts, |old| old.meta.facts),
        Bug::FactsAreNotCompared => known.record.meta.facts = old.map_or(known.record.meta.facts, |old| old.meta.facts),
        Bug::ReplaceLocks => {
            let replaced = state.replace(&known, record, now)?;
            if replaced {
                let (token, until) = (LockToken::from_bytes([0; 16]), now + Duration::from_secs(30));
                state.locks.insert(key, Holder { token, until });
            }
            return Ok(replaced);
        }
        Bug::ReplaceIgnoresVersion if is_live => known.record.meta = old.map_or(known.record.meta, |old| old.meta),
        Bug::ReplaceIgnoresTouches if old.as_ref().map(|old| old.meta.version) == Some(known.record.meta.version) => {
            known.record.meta = old.map_or(known.record.meta, |old| old.meta);
        }
        Bug::ReplaceIgnoresLock if is_held && is_live => {
            let mut free = state.clone();
            free.locks.remove(&key);
            let replaced = free.replace(&known, record.clone(), now)?;
            if replaced {
                state.records.insert(key, record);
            }
            return Ok(replaced);
        }
        Bug::ReplaceUnlocks if is_held => {
            state.locks.remove(&key);
            return Ok(false);
        }
        Bug::ReplaceIgnoresLease if holder.is_some() && is_live => return Ok(false),
        Bug::ReplaceRevivesLock => {
            let replaced = state.replace(&known, record, now)?;
            if let Some(mut holder) = holder.filter(|_| replaced) {
                holder.until = now + Duration::from_secs(30);
                state.locks.insert(key, holder);
            }
            return Ok(replaced);
        }
        Bug::ReplaceProlongsLease if is_held => {
            state
                .locks
                .entry(key)
                .and_modify(|holder| holder.until = now + Duration::from_secs(30));
            return Ok(false);
        }
        Bug::ReplaceUpserts if found == Lookup::Missing => {
            state.put(&key, record);
            return Ok(true);
        }
        Bug::ReplaceRevives if found == Lookup::Missing && old.is_some() => {
            state.put(&key, record);
            return Ok(true);
        }
        Bug::ReplaceHidesTheEnd if !is_live => return Ok(false),
        Bug::ReplaceIgnoresTombstone if found == Lookup::Superseded => {
            state.put(&key, record);
            return Ok(true);
        }
        Bug::ReplaceFollowsAlias => {
            if let Lookup::Found(actual) = found {
                known.key = actual;
            }
        }
        Bug::ReplaceRemovesAliases => {
            let replaced = state.replace(&known, record, now)?;
            state.moves.retain(|_, moved| !replaced || moved.to != key);
            return Ok(replaced);
        }
        _ => {}
    }
    state.replace(&known, record, now)
}
