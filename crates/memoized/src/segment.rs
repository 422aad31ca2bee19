//! [`Segment`]: a part of the cache, as plain data.
//!
//! Entries are grouped in buckets, one for each [shard](SessionKey::shard). An operation affects one session, under
//! one key or another, such as an alias, and all keys of a session are in one shard. So a write clears the bucket of
//! its key, and need not know which key leads where.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use sessile_core::{Record, SessionKey, Stored};
use tokio::time::Instant;

use crate::load::Load;

/// The shard of a key, which names its bucket.
type Shard = [u8; 3];

/// A part of the cache, behind a mutex of its own.
#[derive(Default)]
pub(crate) struct Segment {
    buckets: HashMap<Shard, Bucket>,
    /// The order of eviction, by key and sequence number. Some of these entries have been removed already.
    order: VecDeque<(SessionKey, u64)>,
    pub(crate) records: usize,
    last_sequence: u64,
    /// The number of buckets from which on settled ones are removed.
    cleanup_at: usize,
}

/// The entries and the operations in flight of one shard.
#[derive(Default)]
struct Bucket {
    entries: Vec<Entry>,
    /// The loads that callers may join, and whose results are cached. A write removes them.
    loads: Vec<(SessionKey, Arc<Load>)>,
    /// The number of writes in flight.
    writes: usize,
    /// Counts the beginnings and ends of writes.
    epoch: u64,
    /// The end of the time in which a write with an ambiguous outcome may still take effect.
    unsettled_until: Option<Instant>,
}

/// A cached session.
struct Entry {
    key: SessionKey,
    record: Record,
    sequence: u64,
    used: bool,
}

/// The epoch of a bucket at the beginning of a write.
pub(crate) struct Epoch(u64);

fn shard(key: &SessionKey) -> Shard {
    let text = key.shard().as_bytes();
    [text[0], text[1], text[2]]
}

impl Segment {
    /// Returns the record that is cached under exactly this key.
    pub(crate) fn get(&mut self, key: &SessionKey) -> Option<&Record> {
        let bucket = self.buckets.get_mut(&shard(key))?;
        let entry = bucket.entries.iter_mut().find(|entry| entry.key == *key)?;
        entry.used = true;
        Some(&entry.record)
    }

    /// Removes all entries of the key's bucket, and detaches its loads.
    pub(crate) fn invalidate(&mut self, key: &SessionKey) {
        self.clear_bucket(key);
        self.remove_empty_bucket(key);
    }

    // Loads

    /// Returns the load of this key that is in flight, or a new one. Returns `None` while the bucket is not settled: a
    /// load must not be shared then.
    pub(crate) fn join_load(&mut self, key: &SessionKey, now: Instant) -> Option<Arc<Load>> {
        self.remove_settled_buckets(now);
        let bucket = self.buckets.entry(shard(key)).or_default();
        if !bucket.is_settled(now) {
            return None;
        }
        if let Some((_, load)) = bucket.loads.iter().find(|(of, _)| of == key) {
            return Some(Arc::clone(load));
        }
        let load = Arc::<Load>::default();
        bucket.loads.push((*key, Arc::clone(&load)));
        Some(load)
    }

    /// Returns whether no write has begun since the load did.
    pub(crate) fn is_attached(&self, key: &SessionKey, load: &Arc<Load>) -> bool {
        let bucket = self.buckets.get(&shard(key));
        bucket.is_some_and(|bucket| bucket.loads.iter().any(|(_, other)| Arc::ptr_eq(other, load)))
    }

    /// Removes a load, so that no caller joins it from now on.
    pub(crate) fn remove_load(&mut self, key: &SessionKey, load: &Arc<Load>) {
        if let Some(bucket) = self.buckets.get_mut(&shard(key)) {
            bucket.loads.retain(|(_, other)| !Arc::ptr_eq(other, load));
        }
        self.remove_empty_bucket(key);
    }

    // Writes

    /// Begins a write: clears the bucket. Returns the record that was cached under exactly this key.
    pub(crate) fn begin_write(&mut self, key: &SessionKey) -> (Epoch, Option<Record>) {
        let cached = self.clear_bucket(key);
        let bucket = self.buckets.entry(shard(key)).or_default();
        bucket.writes += 1;
        bucket.epoch += 1;
        (Epoch(bucket.epoch), cached)
    }

    /// Ends a write that has returned or was cancelled. If its outcome is ambiguous, the bucket is unsettled until
    /// then. Returns whether no other write has overlapped with it.
    pub(crate) fn end_write(&mut self, key: &SessionKey, epoch: &Epoch, unsettled_until: Option<Instant>) -> bool {
        let Some(bucket) = self.buckets.get_mut(&shard(key)) else {
            return false;
        };
        let is_alone = bucket.epoch == epoch.0 && bucket.writes == 1;
        bucket.writes -= 1;
        bucket.epoch += 1;
        bucket.unsettled_until = bucket.unsettled_until.max(unsettled_until);
        self.remove_empty_bucket(key);
        is_alone
    }

    /// Caches a record, unless its bucket is not settled. Evicts others while there are more than `capacity`.
    pub(crate) fn insert(&mut self, stored: Stored, capacity: usize, now: Instant) {
        let Stored { key, record, .. } = stored;
        let bucket = self.buckets.entry(shard(&key)).or_default();
        if bucket.is_settled(now) {
            let before = bucket.entries.len();
            bucket.entries.retain(|entry| entry.key != key);
            self.records -= before - bucket.entries.len();
            self.last_sequence += 1;
            bucket.entries.push(Entry {
                key,
                record,
                sequence: self.last_sequence,
                used: false,
            });
            self.records += 1;
            self.order.push_back((key, self.last_sequence));
        }
        while self.records > capacity {
            self.evict();
        }
        if self.order.len() > self.records * 2 + 64 {
            let buckets = &self.buckets;
            self.order.retain(|(key, sequence)| {
                let bucket = buckets.get(&shard(key));
                bucket.is_some_and(|bucket| bucket.entries.iter().any(|entry| entry.sequence == *sequence))
            });
        }
        self.remove_empty_bucket(&key);
    }

    /// Evicts the oldest entry, or moves it to the end of the order if it was used since it came there ("second
    /// chance").
    fn evict(&mut self) {
        let Some((key, sequence)) = self.order.pop_front() else {
            return;
        };
        let Some(bucket) = self.buckets.get_mut(&shard(&key)) else {
            return;
        };
        let Some(index) = bucket.entries.iter().position(|entry| entry.sequence == sequence) else {
            return;
        };
        if std::mem::take(&mut bucket.entries[index].used) {
            self.order.push_back((key, sequence));
        } else {
            bucket.entries.swap_remove(index);
            self.records -= 1;
            self.remove_empty_bucket(&key);
        }
    }

    /// Clears a bucket, and returns the record that was cached under exactly this key.
    fn clear_bucket(&mut self, key: &SessionKey) -> Option<Record> {
        let bucket = self.buckets.get_mut(&shard(key))?;
        bucket.loads.clear();
        let entries = std::mem::take(&mut bucket.entries);
        self.records -= entries.len();
        entries
            .into_iter()
            .find(|entry| entry.key == *key)
            .map(|entry| entry.record)
    }

    /// Removes the key's bucket if it is empty and was never unsettled.
    fn remove_empty_bucket(&mut self, key: &SessionKey) {
        let shard = shard(key);
        if self
            .buckets
            .get(&shard)
            .is_some_and(|bucket| bucket.is_empty() && bucket.unsettled_until.is_none())
        {
            self.buckets.remove(&shard);
        }
    }

    /// Removes empty buckets that have settled since, each time the number of buckets has doubled.
    fn remove_settled_buckets(&mut self, now: Instant) {
        if self.buckets.len() >= self.cleanup_at.max(64) {
            self.buckets
                .retain(|_, bucket| !bucket.is_empty() || !bucket.is_settled(now));
            self.cleanup_at = self.buckets.len() * 2;
        }
    }
}

impl Bucket {
    /// Returns whether no write is in flight, and none with an ambiguous outcome may still take effect.
    fn is_settled(&self, now: Instant) -> bool {
        self.writes == 0 && self.unsettled_until.is_none_or(|until| until <= now)
    }

    fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.loads.is_empty() && self.writes == 0
    }
}
