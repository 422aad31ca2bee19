//! Lookups of sessions through aliases and tombstones.

use bytes::Bytes;

use super::LockedStore;
use super::failure::Failure;
use super::key_state::{KeyState, Live, Moved};
use super::lock_table::KnownVersion;
use crate::clock::Timestamp;
use crate::id::SessionKey;
use crate::storage::{Lookup, MAX_ALIASES, Meta, Record, StorageError, StorageErrorKind};
use crate::store::{Entry, EntryVersion, Locks, RecordStore};

/// The part of an entry that a lookup loads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Head,
    Whole,
}

/// A live session.
pub(super) struct FoundSession {
    pub(super) key: SessionKey,
    pub(super) version: EntryVersion,
    pub(super) live: Live,
    /// Empty if only the head was loaded.
    payload: Bytes,
}

impl FoundSession {
    /// Returns the state that a holder of the lock may replace.
    pub(super) fn known_version(&self) -> KnownVersion {
        KnownVersion {
            version: self.version,
            written: self.live.written,
            deadline: self.live.meta.deadline,
        }
    }

    pub(super) fn into_record(self) -> Record {
        Record::new(self.live.meta, self.payload)
    }
}

impl<R: RecordStore + ?Sized, L: Locks + ?Sized> LockedStore<R, L> {
    /// Returns the metadata of a live session and the key under which it is stored, as [`read`](crate::Storage::read)
    /// does, but does not load the payload.
    ///
    /// # Errors
    ///
    /// The errors of `read`.
    pub async fn read_meta(&self, key: &SessionKey) -> Result<Lookup<(SessionKey, Meta)>, StorageError> {
        let found = self
            .find(key, Part::Head)
            .await
            .map_err(|failure| self.error("read", failure))?;
        Ok(found.map(|found| (found.key, found.live.meta)))
    }

    /// Finds the live session of a key, following aliases.
    pub(super) async fn find(&self, key: &SessionKey, part: Part) -> Result<Lookup<FoundSession>, Failure> {
        let is_alias = |moved: &Moved, now| now < moved.alias_until;
        self.follow_moves(key, part, MAX_ALIASES, is_alias).await
    }

    /// Finds the live session of a key, following aliases and tombstones through any number of moves.
    pub(super) async fn find_moved(&self, key: &SessionKey) -> Result<Lookup<FoundSession>, Failure> {
        self.follow_moves(key, Part::Head, usize::MAX, |_, _| true).await
    }

    /// Follows moves from key to key, at most `limit` times, while `is_followed` permits.
    async fn follow_moves(
        &self,
        key: &SessionKey,
        part: Part,
        limit: usize,
        is_followed: impl Fn(&Moved, Timestamp) -> bool,
    ) -> Result<Lookup<FoundSession>, Failure> {
        let mut key = *key;
        let mut steps = 0_usize;
        // Brent's cycle detection: a key that was visited earlier, to which a cycle returns.
        let mut visited = key;
        loop {
            // The result if there is no live session: once a move was followed, the session has moved.
            let not_found = match steps {
                0 => Lookup::Missing,
                _ => Lookup::Superseded,
            };
            let Some(entry) = self.load_entry(&key, part).await? else {
                return Ok(not_found);
            };
            // Read after the store has replied, so that a session that has expired meanwhile is not found.
            let now = self.now();
            if entry.head.deadline.is_some_and(|deadline| deadline <= now) {
                return Ok(not_found);
            }
            let moved = match KeyState::read(&entry.head).ok_or(StorageErrorKind::Corrupt)? {
                KeyState::Live(live) => {
                    return Ok(Lookup::Found(FoundSession {
                        key,
                        version: entry.head.version,
                        live,
                        payload: entry.payload,
                    }));
                }
                KeyState::Moved(moved) => moved,
            };
            if steps == limit || !is_followed(&moved, now) {
                return Ok(Lookup::Superseded);
            }
            key = moved.to;
            if limit == usize::MAX && key == visited {
                return Err(StorageErrorKind::Corrupt.into());
            }
            steps += 1;
            if steps.is_power_of_two() {
                visited = key;
            }
        }
    }

    /// Finds the live session of a key, or fails if there is none.
    pub(super) async fn require_live(&self, key: &SessionKey) -> Result<FoundSession, Failure> {
        match self.find(key, Part::Head).await? {
            Lookup::Found(found) => Ok(found),
            Lookup::Missing => Err(StorageErrorKind::Gone.into()),
            Lookup::Superseded => Err(StorageErrorKind::Superseded.into()),
        }
    }

    async fn load_entry(&self, key: &SessionKey, part: Part) -> Result<Option<Entry>, StorageError> {
        let without_payload = |head| Entry {
            head,
            payload: Bytes::new(),
        };
        match part {
            Part::Head => Ok(self.store.head(key).await?.map(without_payload)),
            Part::Whole => self.store.load(key).await,
        }
    }
}
