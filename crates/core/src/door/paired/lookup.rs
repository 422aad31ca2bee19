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
        for _ in 0..=MAX_ALIASES {
            let Some(entry) = self.fetch(&key, part).await? else {
                return Ok(Lookup::Missing);
            };
            let now = self.now();
            if entry.head.deadline.is_some_and(|deadline| deadline <= now) {
                return Ok(Lookup::Missing);
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
                Standing::Alias(alias) if now < alias.until => key = alias.to,
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

    /// The entries of a session: its own, and those of all keys that are aliases of it now.
    pub(super) async fn entries_of(&self, found: &Found) -> Result<Vec<(SessionKey, EntryVersion)>, StorageError> {
        let mut entries = vec![(found.key, found.version)];
        let mut next = found.live.alias;
        while let Some(key) = next {
            let Some(head) = self.store.head(&key).await? else {
                break;
            };
            match Standing::read(&head) {
                Some(Standing::Alias(alias)) if Some(alias.to) == entries.last().map(|(key, _)| *key) => {
                    if alias.until <= self.now() {
                        break;
                    }
                    entries.push((key, head.version));
                    next = alias.alias;
                }
                _ => break,
            }
        }
        Ok(entries)
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
