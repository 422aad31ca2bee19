//! Lookups of sessions through aliases and tombstones.

use bytes::Bytes;

use super::key_state::{KeyState, Live, Moved};
use super::lock_table::KnownVersion;
use super::{Failure, LockedStore};
use crate::clock::Timestamp;
use crate::id::SessionKey;
use crate::storage::{KeyWalk, Lookup, Meta, Record, StorageError, StorageErrorKind};
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
        self.walk(KeyWalk::aliases(*key), part, is_alias).await
    }

    /// Finds the live session of a key, following aliases and tombstones through any number of moves.
    pub(super) async fn find_moved(&self, key: &SessionKey) -> Result<Lookup<FoundSession>, Failure> {
        self.walk(KeyWalk::moves(*key), Part::Head, |_, _| true).await
    }

    /// Follows moves from key to key while `is_followed` permits.
    async fn walk(
        &self,
        mut walk: KeyWalk,
        part: Part,
        is_followed: impl Fn(&Moved, Timestamp) -> bool,
    ) -> Result<Lookup<FoundSession>, Failure> {
        loop {
            let loaded = match part {
                Part::Head => self
                    .store
                    .head(walk.key())
                    .await?
                    .map(|head| Entry::new(head, Bytes::new())),
                Part::Whole => self.store.load(walk.key()).await?,
            };
            let Some(entry) = loaded else {
                return Ok(walk.not_found());
            };
            // Read after the store has replied, so that a session that has expired meanwhile is not found.
            let now = self.now();
            if entry.head.deadline.is_some_and(|deadline| deadline <= now) {
                return Ok(walk.not_found());
            }
            match KeyState::read(&entry.head).ok_or(StorageErrorKind::Corrupt)? {
                KeyState::Live(live) => {
                    return Ok(Lookup::Found(FoundSession {
                        key: *walk.key(),
                        version: entry.head.version,
                        live,
                        payload: entry.payload,
                    }));
                }
                KeyState::Moved(moved) if is_followed(&moved, now) && walk.follow(moved.to)? => {}
                KeyState::Moved(_) => return Ok(Lookup::Superseded),
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
}
