//! Bugs of loading, listing and taking expired entries.

use bytes::Bytes;
use sessile_core::{
    Cursor, Entropy, Entry, EntryHead, EntryList, EntryVersion, OsEntropy, SessionKey, StorageError, Timestamp,
};
use sessile_testkit::__private::{due, key_in, list};
use sessile_testkit::model::Entries;
use tokio::task::yield_now;

use super::{BrokenStore, StoreBug};
use crate::locked;

/// Long before today.
const LONG_AGO: Timestamp = Timestamp::from_millis(1_600_000_000_000);

fn has_ended(deadline: Option<Timestamp>, now: Timestamp) -> bool {
    deadline.is_some_and(|deadline| deadline <= now)
}

/// Returns a version that no entry has.
fn another_version() -> EntryVersion {
    let mut random = [0; 8];
    OsEntropy.fill(&mut random);
    EntryVersion::from_u64(u64::from_be_bytes(random) >> 1)
}

impl BrokenStore {
    pub(super) fn look(&self, key: &SessionKey) -> Option<Entry> {
        let found = self.model.step(|entries| match self.bug {
            StoreBug::LoadMixesShards => {
                let same = |(other, _): &(&SessionKey, &Entry)| other.shard() == key.shard();
                entries.iter().find(same).map(|(_, entry)| entry.clone())
            }
            StoreBug::LoadMovesVersion => entries.get_mut(key).map(|entry| {
                let found = entry.clone();
                entry.head.version = another_version();
                found
            }),
            _ => entries.get(key).cloned(),
        });
        match self.bug {
            StoreBug::LoadInvents => {
                found.or_else(|| Some(Entry::new(EntryHead::new(another_version(), None, "invented"), "")))
            }
            StoreBug::LoadHidesExpired => found.filter(|entry| !has_ended(entry.head.deadline, LONG_AGO)),
            StoreBug::PayloadEmptyIsNone => found.filter(|entry| !entry.payload.is_empty()),
            StoreBug::LoadIsCached if self.handle > 0 => locked(&self.cache).entry(*key).or_insert(found).clone(),
            _ => found,
        }
    }

    pub(super) fn look_at_head(&self, key: &SessionKey) -> Option<EntryHead> {
        let head = self
            .model
            .step(|entries| entries.get(key).map(|entry| entry.head.clone()));
        match self.bug {
            StoreBug::HeadIsOld => {
                let past = locked(&self.past);
                head.map(|head| past.inserted.get(key).map_or(head, |entry| entry.head.clone()))
            }
            _ => head,
        }
    }

    pub(super) fn list(&self, cursor: Option<Cursor>, limit: usize) -> Result<EntryList, StorageError> {
        let text = |cursor: &Cursor| String::from_utf8_lossy(cursor.as_bytes()).into_owned();
        let own = format!("{} ", self.handle);
        let cursor = match self.bug {
            StoreBug::ScanCursorIsLocal => cursor.map(|cursor| {
                let bytes = cursor.as_bytes().strip_prefix(own.as_bytes());
                Cursor::from_bytes(bytes.unwrap_or(b"another's"))
            }),
            StoreBug::ScanSkips => None.or(cursor),
            StoreBug::ScanNeverEnds => cursor.filter(|cursor| cursor.as_bytes() != b"again"),
            _ => cursor,
        };
        if self.bug == StoreBug::ScanSkips {
            let skip: usize = cursor.as_ref().map_or(0, |cursor| text(cursor).parse().unwrap_or(0));
            let all = self.model.step(|entries| list(entries, None, usize::MAX));
            let listed: Vec<_> = all.entries.into_iter().skip(skip).take(limit).collect();
            let next = (skip + listed.len()).to_string().into_bytes();
            let next = (listed.len() == limit).then(|| Cursor::from_bytes(next));
            return Ok(EntryList::new(listed, next));
        }
        let after = cursor.as_ref().map(key_in).transpose()?;
        let mut part = match self.bug {
            StoreBug::ScanIsOld => list(&locked(&self.past).inserted, after, limit),
            StoreBug::ScanIgnoresLimit => self.model.step(|entries| list(entries, after, limit + 1)),
            _ => self.model.step(|entries| list(entries, after, limit)),
        };
        match self.bug {
            StoreBug::ScanEndsEarly => part.next = None,
            StoreBug::ScanNeverEnds => drop(part.next.get_or_insert_with(|| Cursor::from_bytes(*b"again"))),
            StoreBug::ScanHidesExpired => part.entries.retain(|(_, head)| !has_ended(head.deadline, LONG_AGO)),
            StoreBug::ScanCursorIsLocal => {
                let marked = |next: Cursor| Cursor::from_bytes([own.as_bytes(), next.as_bytes()].concat());
                part.next = part.next.map(marked);
            }
            StoreBug::ScanRemoves => self.model.step(|entries| {
                for (key, _) in &part.entries {
                    entries.remove(key);
                }
            }),
            _ => {}
        }
        Ok(part)
    }

    pub(super) async fn take(&self, now: Timestamp, limit: usize) -> Vec<(SessionKey, Entry)> {
        let now = match self.bug {
            StoreBug::TakeIsEarly => Timestamp::from_millis(now.as_millis() + 1),
            StoreBug::TakeIsLate => Timestamp::from_millis(now.as_millis().saturating_sub(1)),
            _ => now,
        };
        let limit = match self.bug {
            StoreBug::TakeIgnoresLimit => usize::MAX,
            StoreBug::TakeStopsShort => limit.min(2),
            _ => limit,
        };
        let keys = self.model.step(|entries| match self.bug {
            StoreBug::TakeGoesByOldDeadline => {
                let mut keys = due(&locked(&self.past).inserted, now, usize::MAX);
                keys.retain(|key| entries.contains_key(key));
                keys.truncate(limit);
                keys
            }
            StoreBug::TakeTakesUndated => {
                let is_due = |entry: &Entry| entry.head.deadline.is_none_or(|deadline| deadline <= now);
                let due = entries.iter().filter(|(_, entry)| is_due(entry));
                due.map(|(key, _)| *key).take(limit).collect()
            }
            StoreBug::TakeInTwoSteps | StoreBug::TakeTorn => due(entries, now, limit),
            _ => Vec::new(),
        });
        match self.bug {
            StoreBug::TakeInTwoSteps => {
                let found = self.found(&keys);
                yield_now().await;
                self.drop_all(&keys);
                found
            }
            StoreBug::TakeTorn => {
                let found = self.found(&keys);
                for key in &keys {
                    self.drop_all(&[*key]);
                    yield_now().await;
                }
                found
            }
            StoreBug::TakeLeaves => self.model.step(|entries| {
                let due = due(entries, now, limit);
                due.into_iter().map(|key| (key, entries[&key].clone())).collect()
            }),
            StoreBug::TakeGoesByOldDeadline | StoreBug::TakeTakesUndated => {
                let found = self.found(&keys);
                self.drop_all(&keys);
                found
            }
            _ => {
                // The correct behaviour: one step.
                let mut taken: Vec<_> = self.model.step(|entries| {
                    let due = due(entries, now, limit);
                    due.into_iter().filter_map(|key| entries.remove_entry(&key)).collect()
                });
                locked(&self.past).taken.extend(taken.iter().map(|(key, _)| *key));
                if self.bug == StoreBug::TakeDropsPayload {
                    taken.iter_mut().for_each(|(_, entry)| entry.payload = Bytes::new());
                }
                taken
            }
        }
    }

    fn found(&self, keys: &[SessionKey]) -> Vec<(SessionKey, Entry)> {
        let found = |entries: &mut Entries| {
            let entry = |key: &SessionKey| entries.get(key).map(|entry| (*key, entry.clone()));
            keys.iter().filter_map(entry).collect()
        };
        self.model.step(found)
    }

    fn drop_all(&self, keys: &[SessionKey]) {
        self.model.step(|entries| entries.retain(|key, _| !keys.contains(key)));
    }
}
