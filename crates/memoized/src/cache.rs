//! [`Cache`]: the sessions that are kept in memory.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sessile_core::{Record, SessionKey, Stored};
use tokio::time::Instant;

use crate::load::Load;
use crate::segment::Segment;

/// The number of segments, so that busy threads seldom contend for a mutex.
const SEGMENTS: usize = 16;

/// The limits of a cache.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) capacity: usize,
    pub(crate) max_payload: usize,
    pub(crate) settle_time: Duration,
}

/// The cached sessions, in segments. All keys of a shard are in one segment.
pub(crate) struct Cache {
    pub(crate) limits: Limits,
    segments: Box<[Mutex<Segment>]>,
}

impl Cache {
    pub(crate) fn new(limits: Limits) -> Self {
        let segments = limits.capacity.clamp(1, SEGMENTS);
        Self {
            limits,
            segments: (0..segments).map(|_| Mutex::default()).collect(),
        }
    }

    /// Locks the segment of a key, poisoned or not: no change of a segment can fail half-way.
    pub(crate) fn segment(&self, key: &SessionKey) -> MutexGuard<'_, Segment> {
        let number = key
            .shard()
            .bytes()
            .fold(0, |number: usize, byte| number.wrapping_mul(31) + usize::from(byte));
        self.segments[number % self.segments.len()]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn records(&self) -> usize {
        let records = |segment: &Mutex<Segment>| segment.lock().unwrap_or_else(PoisonError::into_inner).records;
        self.segments.iter().map(records).sum()
    }

    pub(crate) fn get(&self, key: &SessionKey) -> Option<Record> {
        self.segment(key).get(key).cloned()
    }

    pub(crate) fn invalidate(&self, key: &SessionKey) {
        self.segment(key).invalidate(key);
    }

    /// Caches a record, if its payload is not too long.
    pub(crate) fn insert(&self, segment: &mut Segment, stored: Stored) {
        if stored.record.payload.len() <= self.limits.max_payload {
            segment.insert(stored, self.limits.capacity / self.segments.len(), Instant::now());
        }
    }

    /// Joins the load of this key that is in flight, or begins one. Returns `None` if it must not be shared.
    pub(crate) fn join_load(&self, key: &SessionKey) -> Option<JoinedLoad<'_>> {
        let load = self.segment(key).join_load(key, Instant::now())?;
        Some(JoinedLoad {
            cache: self,
            key: *key,
            load,
        })
    }
}

/// The part of one caller in a load. The load is removed when its last caller is dropped.
pub(crate) struct JoinedLoad<'a> {
    cache: &'a Cache,
    key: SessionKey,
    pub(crate) load: Arc<Load>,
}

impl JoinedLoad<'_> {
    /// Ends the load, and caches its result unless a write has begun since the load did.
    pub(crate) fn complete(&self, loaded: Option<&Stored>) {
        let mut segment = self.cache.segment(&self.key);
        let is_current = segment.is_attached(&self.key, &self.load);
        segment.remove_load(&self.key, &self.load);
        // A record found through an alias is not cached under the alias: the end of the alias is not known here.
        if let Some(stored) = loaded.filter(|stored| is_current && stored.key == self.key) {
            self.cache.insert(&mut segment, stored.clone());
        }
    }
}

impl Drop for JoinedLoad<'_> {
    fn drop(&mut self) {
        let mut segment = self.cache.segment(&self.key);
        // The reference of this caller, and that of the bucket. Others are only made under the mutex.
        if Arc::strong_count(&self.load) <= 2 {
            segment.remove_load(&self.key, &self.load);
        }
    }
}
