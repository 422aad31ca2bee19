//! [`Cache`]: the sessions that are kept in memory.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sessile_core::{Record, SessionKey, Stored};
use tokio::time::Instant;

use crate::flight::Flight;
use crate::part::Part;

/// Into how many parts the memory is divided, so that busy threads seldom meet.
const PARTS: usize = 16;

/// How much is kept, and when not.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) capacity: usize,
    pub(crate) max_payload: usize,
    pub(crate) settle_time: Duration,
}

/// The sessions that are kept, in parts. A shard is in one part as a whole.
pub(crate) struct Cache {
    pub(crate) limits: Limits,
    parts: Box<[Mutex<Part>]>,
}

impl Cache {
    pub(crate) fn new(limits: Limits) -> Self {
        let parts = limits.capacity.clamp(1, PARTS);
        Self {
            limits,
            parts: (0..parts).map(|_| Mutex::default()).collect(),
        }
    }

    /// The part of a key. What changes it cannot fail half-way, so a panic elsewhere does not matter.
    pub(crate) fn part(&self, key: &SessionKey) -> MutexGuard<'_, Part> {
        let number = key
            .shard()
            .bytes()
            .fold(0, |number: usize, byte| number.wrapping_mul(31) + usize::from(byte));
        self.parts[number % self.parts.len()]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn records(&self) -> usize {
        let records = |part: &Mutex<Part>| part.lock().unwrap_or_else(PoisonError::into_inner).records();
        self.parts.iter().map(records).sum()
    }

    pub(crate) fn get(&self, key: &SessionKey) -> Option<Record> {
        self.part(key).get(key).cloned()
    }

    pub(crate) fn forget(&self, key: &SessionKey) {
        self.part(key).forget(key);
    }

    /// Keeps a record, if it is not too long.
    pub(crate) fn keep(&self, part: &mut Part, stored: Stored) {
        if stored.record.payload.len() <= self.limits.max_payload {
            part.keep(stored, self.limits.capacity / self.parts.len(), Instant::now());
        }
    }

    /// Joins the load of this key that is under way, or begins one. `None` if it must not be shared.
    pub(crate) fn board(&self, key: &SessionKey) -> Option<Boarded<'_>> {
        let flight = self.part(key).board(key, Instant::now())?;
        Some(Boarded {
            cache: self,
            key: *key,
            flight,
        })
    }
}

/// One who takes part in a load. When the last has gone, so has the load.
pub(crate) struct Boarded<'a> {
    cache: &'a Cache,
    key: SessionKey,
    pub(crate) flight: Arc<Flight>,
}

impl Boarded<'_> {
    /// The load has brought this. It is kept, unless something was written since it began.
    pub(crate) fn land(&self, loaded: Option<&Stored>) {
        let mut part = self.cache.part(&self.key);
        let keep = part.is_under_way(&self.key, &self.flight);
        part.land(&self.key, &self.flight);
        // For how long an alias leads to where it does is not known here.
        if let Some(stored) = loaded.filter(|stored| keep && stored.key == self.key) {
            self.cache.keep(&mut part, stored.clone());
        }
    }
}

impl Drop for Boarded<'_> {
    fn drop(&mut self) {
        let mut part = self.cache.part(&self.key);
        // This one's, and the one on the shelf. Others are only made under the mutex.
        if Arc::strong_count(&self.flight) <= 2 {
            part.land(&self.key, &self.flight);
        }
    }
}
