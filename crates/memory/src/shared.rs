//! [`Shared`]: what the clones of a storage have in common.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sessile_core::{SessionKey, StorageError, StorageErrorKind};

use crate::entry::Entry;
use crate::shard::{SLICE, Settings, Shard};

pub(crate) const NAME: &str = "memory";

/// The part that the clones of a storage share.
pub(crate) struct Shared {
    pub(crate) shards: Box<[Arc<Shard>]>,
    pub(crate) settings: Arc<Settings>,
    /// The shard where the next sweep begins, so that each has its turn however small the limits are.
    sweep_from: AtomicUsize,
}

impl Shared {
    pub(crate) fn new(shards: Box<[Arc<Shard>]>, settings: Arc<Settings>) -> Self {
        Self {
            shards,
            settings,
            sweep_from: AtomicUsize::new(0),
        }
    }

    /// Where a key lives. A session stays in its shard for life, as rotation keeps that part of the key.
    pub(crate) fn shard(&self, key: &SessionKey) -> &Arc<Shard> {
        // Characters differ in their lower bits; the multiplication carries those up, where they are taken from.
        let &[first, second, third] = key.shard_bytes();
        let number = u64::from(u32::from_be_bytes([0, first, second, third]));
        let spread = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        &self.shards[spread as usize & (self.shards.len() - 1)]
    }

    pub(crate) fn sweep(&self, limit: usize) -> Vec<Entry> {
        let mut expired = Vec::new();
        let from = self.sweep_from.fetch_add(1, Ordering::Relaxed);
        for index in 0..self.shards.len() {
            let shard = &self.shards[from.wrapping_add(index) % self.shards.len()];
            loop {
                let left = limit - expired.len();
                if left == 0 {
                    return expired;
                }
                if !shard.sweep_slice(left, &mut expired) {
                    break;
                }
            }
        }
        expired
    }

    /// Does what may need room. If there is none, it is done again without some of what has expired, until there is
    /// nothing more of that.
    pub(crate) fn with_room<T>(
        &self,
        mut step: impl FnMut() -> Result<T, StorageErrorKind>,
    ) -> Result<T, StorageErrorKind> {
        let mut more = true;
        loop {
            match step() {
                // A sweep removes marks of rotations as well, and does not tell of them: so there is one more try.
                Err(StorageErrorKind::Full) if more => more = !self.sweep(SLICE).is_empty(),
                done => return done,
            }
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.settings.sweeper.stop();
    }
}

pub(crate) fn failed(operation: &'static str) -> impl Fn(StorageErrorKind) -> StorageError {
    move |kind| StorageError::new(kind, operation, NAME)
}
