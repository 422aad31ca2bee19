//! What stands under a key, aliases followed.

use bytes::Bytes;

use super::standing::{Live, Standing};
use super::{Failure, Paired};
use crate::door::{Entry, EntryVersion, Locks, RecordStore};
use crate::session_key::SessionKey;
use crate::storage::{Lookup, Record, StorageError, StorageErrorKind};

/// How many aliases are followed, one after the other, until it must be a circle.
const MAX_ALIASES: usize = 256;

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
    pub(super) fn into_record(self) -> Record {
        Record::new(self.live.meta, self.payload)
    }
}

impl<R: RecordStore + ?Sized, L: Locks + ?Sized> Paired<R, L> {
    /// Looks a key up. The time is that after the store has answered, so nothing is found that has expired on the way.
    pub(super) async fn find(&self, key: &SessionKey, part: Part) -> Result<Lookup<Found>, Failure> {
        let mut key = *key;
        // What the way ends with if it does not end at a session: whoever was led away from the first key has moved.
        let mut nothing = Lookup::Missing;
        for _ in 0..=MAX_ALIASES {
            let Some(entry) = self.fetch(&key, part).await? else {
                return Ok(nothing);
            };
            let now = self.now();
            if entry.head.deadline.is_some_and(|deadline| deadline <= now) {
                return Ok(nothing);
            }
            match Standing::read(&entry.head).ok_or(StorageErrorKind::Corrupt)? {
                Standing::Live(live) => {
                    return Ok(Lookup::Found(Found {
                        key,
                        version: entry.head.version,
                        live,
                        payload: entry.payload,
                    }));
                }
                Standing::Alias(alias) if now < alias.until => {
                    key = alias.to;
                    nothing = Lookup::Superseded;
                }
                Standing::Alias(_) | Standing::Tombstone => return Ok(Lookup::Superseded),
            }
        }
        Err(StorageErrorKind::Corrupt.into())
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
