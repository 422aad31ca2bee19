//! Bugs of writing a record as rules of the model.

use std::time::Duration;

use sessile_core::{LockId, LockToken, Lookup, Record, SessionKey, StorageErrorKind, Timestamp};
use sessile_testkit::model::{Holder, ModelState};

use super::{Bug, WriteResult, facts, has_token};

impl Bug {
    /// Returns the record as this storage stores it.
    pub(super) fn stored(self, mut record: Record, now: Timestamp) -> Record {
        let whole_seconds = |deadline: Timestamp| Timestamp::from_millis((deadline.as_millis() - 1) / 1_000 * 1_000);
        let wrapped = |deadline: Timestamp| Timestamp::from_millis(deadline.as_millis() % (1_000 << 32));
        let year = now + Duration::from_secs(366 * 86_400);
        let deadline = &mut record.meta.deadline;
        match self {
            Self::ExpiresBySeconds => *deadline = deadline.map(whole_seconds),
            Self::ExpiryOverflows => *deadline = deadline.map(wrapped),
            Self::ExpiryOfThePastIsNone => *deadline = deadline.filter(|deadline| *deadline > now),
            Self::ExpiryIsCapped => *deadline = Some(deadline.unwrap_or(Timestamp::MAX).min(year)),
            _ => {}
        }
        let bytes = &mut record.payload;
        match self {
            Self::PayloadIsText => *bytes = String::from_utf8_lossy(bytes).into_owned().into(),
            Self::PayloadIsTrimmed => *bytes = bytes.trim_ascii().to_vec().into(),
            Self::PayloadIsCut => bytes.truncate(1 << 16),
            Self::PayloadIsCutLate => bytes.truncate(1 << 20),
            _ => {}
        }
        facts::stored(self, &mut record.meta);
        record
    }
}

pub(super) fn create(
    bug: Bug,
    state: &mut ModelState,
    key: &SessionKey,
    record: Record,
    now: Timestamp,
) -> WriteResult {
    let mut record = bug.stored(record, now);
    match bug {
        Bug::CreateOverwrites if state.records.contains_key(key) => {
            state.put(key, record);
            return Ok(());
        }
        Bug::DestroyKeepsLock | Bug::DestroyKeepsMovedLock => {
            state.require_vacant(key, now)?;
            state.records.insert(*key, record);
            return Ok(());
        }
        Bug::CreateReplacesTombstones => drop(state.moves.remove(key)),
        Bug::CreateRefusesTheExpired if state.records.contains_key(key) => return Err(StorageErrorKind::Exists),
        Bug::CreateResetsTimes => record.meta.created_at = now,
        Bug::CreateInventsDeadline if record.meta.deadline.is_none() => {
            record.meta.deadline = Some(now + Duration::from_secs(86_400));
        }
        Bug::CreateKeepsOldTimer if state.records.contains_key(key) => {
            record.meta.deadline = Some(now + Duration::from_millis(100));
        }
        _ => {}
    }
    state.create(key, record, now)?;
    if bug == Bug::CreateLocks {
        let token = LockToken::from_bytes([0; 16]);
        let until = now + Duration::from_secs(30);
        state.locks.insert(*key, Holder { token, until });
    }
    Ok(())
}

pub(super) fn commit(bug: Bug, state: &mut ModelState, lock: &LockId, record: Record, now: Timestamp) -> WriteResult {
    let mut record = bug.stored(record, now);
    let old = state.records.get(&lock.key);
    facts::committed(bug, old, &mut record.meta);
    let valid = match bug {
        Bug::CommitIgnoresToken => state.require_live(&lock.key, now).is_ok(),
        Bug::CommitIgnoresLease => state.require_live(&lock.key, now).is_ok() && has_token(state, lock),
        Bug::CommitUpserts => matches!(state.find(&lock.key, now), Lookup::Missing),
        Bug::CommitRevives => old.is_some() && has_token(state, lock),
        Bug::CommitIgnoresTombstone => matches!(state.find(&lock.key, now), Lookup::Superseded),
        Bug::PayloadEmptyIsNone if record.payload.is_empty() => {
            record.payload = old.map(|old| old.payload.clone()).unwrap_or_default();
            false
        }
        Bug::CommitKeepsMeta => {
            record.meta = old.map_or(record.meta, |old| old.meta.clone());
            false
        }
        Bug::CommitNeverShortens => {
            let deadline = record.meta.deadline;
            record.meta.deadline = old
                .and_then(|old| old.meta.deadline)
                .max(deadline)
                .filter(|_| deadline.is_some());
            if old.is_some_and(|old| old.meta.deadline.is_none()) {
                record.meta.deadline = None;
            }
            false
        }
        Bug::CommitKeepsLock => {
            state.require_lock(lock, now)?;
            state.records.insert(lock.key, record);
            return Ok(());
        }
        Bug::AliasLetsHoldersIn => match state.find(&lock.key, now) {
            Lookup::Found(actual) if actual != lock.key => {
                state.put(&actual, record);
                return Ok(());
            }
            _ => false,
        },
        Bug::AliasIsLocked => match state.find(&lock.key, now) {
            Lookup::Found(actual) if actual != lock.key && has_token(state, lock) => {
                state.locks.remove(&lock.key);
                state.put(&actual, record);
                return Ok(());
            }
            _ => false,
        },
        _ => false,
    };
    if valid {
        state.put(&lock.key, record);
        return Ok(());
    }
    state.commit(lock, record, now)
}
