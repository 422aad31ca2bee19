//! What stands under a key, aliases followed.

use bytes::Bytes;

use super::Paired;
use super::failure::Failure;
use super::key_state::{KeyState, Live, Moved};
use super::lock_table::KnownVersion;
use crate::clock::Timestamp;
use crate::id::SessionKey;
use crate::storage::{Lookup, MAX_ALIASES, Meta, Record, StorageError, StorageErrorKind};
use crate::store::{Entry, EntryVersion, Locks, RecordStore};

/// How much of an entry is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Head,
    Whole,
}

/// A live session.
pub(super) struct Found {
    pub(super) key: SessionKey,
    pub(super) version: EntryVersion,
    pub(super) live: Live,
    /// Empty if only the head was wanted.
    payload: Bytes,
}

impl Found {
    /// The version of the session as a holder that has just looked knows it.
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

impl<R: RecordStore + ?Sized, L: Locks + ?Sized> Paired<R, L> {
    /// What is known of a live session without its payload, and the key it is stored under: as
    /// [`read`](crate::Storage::read), but the payload stays where it is.
    ///
    /// # Errors
    ///
    /// Those of `read`.
    pub async fn read_meta(&self, key: &SessionKey) -> Result<Lookup<(SessionKey, Meta)>, StorageError> {
        let found = self
            .find(key, Part::Head)
            .await
            .map_err(|failure| self.error("read", failure))?;
        Ok(found.map(|found| (found.key, found.live.meta)))
    }

    /// Looks a key up. The time is that after the store has answered, so nothing is found that has expired on the way.
    pub(super) async fn find(&self, key: &SessionKey, part: Part) -> Result<Lookup<Found>, Failure> {
        let alias = |moved: &Moved, now| now < moved.alias_until;
        self.follow(key, part, MAX_ALIASES, alias).await
    }

    /// Looks for the session that was once at this key, wherever it has moved to.
    pub(super) async fn trace(&self, key: &SessionKey) -> Result<Lookup<Found>, Failure> {
        self.follow(key, Part::Head, usize::MAX, |_, _| true).await
    }

    /// Goes from key to key, as often as `limit` says, as long as what stands there `leads_on`.
    async fn follow(
        &self,
        key: &SessionKey,
        part: Part,
        limit: usize,
        leads_on: impl Fn(&Moved, Timestamp) -> bool,
    ) -> Result<Lookup<Found>, Failure> {
        let mut key = *key;
        let mut steps = 0_usize;
        // One of the keys that were passed. Whoever goes round in a circle without a limit comes by again.
        let mut passed = key;
        loop {
            // What the way ends with if it does not end at a session: whoever was led away from the first key has moved.
            let nothing = if steps == 0 {
                Lookup::Missing
            } else {
                Lookup::Superseded
            };
            let Some(entry) = self.fetch(&key, part).await? else {
                return Ok(nothing);
            };
            let now = self.now();
            if entry.head.deadline.is_some_and(|deadline| deadline <= now) {
                return Ok(nothing);
            }
            let moved = match KeyState::read(&entry.head).ok_or(StorageErrorKind::Corrupt)? {
                KeyState::Live(live) => {
                    return Ok(Lookup::Found(Found {
                        key,
                        version: entry.head.version,
                        live,
                        payload: entry.payload,
                    }));
                }
                KeyState::Moved(moved) => moved,
            };
            if steps == limit || !leads_on(&moved, now) {
                return Ok(Lookup::Superseded);
            }
            key = moved.to;
            if limit == usize::MAX && key == passed {
                return Err(StorageErrorKind::Corrupt.into());
            }
            steps += 1;
            if steps.is_power_of_two() {
                passed = key;
            }
        }
    }

    /// The live session at a key, or why there is none.
    pub(super) async fn need(&self, key: &SessionKey) -> Result<Found, Failure> {
        match self.find(key, Part::Head).await? {
            Lookup::Found(found) => Ok(found),
            Lookup::Missing => Err(StorageErrorKind::Gone.into()),
            Lookup::Superseded => Err(StorageErrorKind::Superseded.into()),
        }
    }

    async fn fetch(&self, key: &SessionKey, part: Part) -> Result<Option<Entry>, StorageError> {
        let bare = |head| Entry {
            head,
            payload: Bytes::new(),
        };
        match part {
            Part::Head => Ok(self.store.head(key).await?.map(bare)),
            Part::Whole => self.store.load(key).await,
        }
    }
}
