//! [`Shared`]: the state that the clones of a storage share.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sessile_core::{SessionKey, StorageError, StorageErrorKind};

use crate::entry::Entry;
use crate::options::Options;
use crate::shard::{SLICE, Shard};

pub(crate) const NAME: &str = "memory";

pub(crate) struct Shared {
    pub(crate) shards: Box<[Arc<Shard>]>,
    pub(crate) options: Arc<Options>,
    /// The shard at which the next sweep begins, so that all are reached however small the limits are.
    sweep_from: AtomicUsize,
}

impl Shared {
    pub(crate) fn new(shards: Box<[Arc<Shard>]>, options: Arc<Options>) -> Self {
        Self {
            shards,
            options,
            sweep_from: AtomicUsize::new(0),
        }
    }

    /// Returns the shard of a key. A session never changes its shard, as rotation keeps the part of the key that
    /// decides it.
    pub(crate) fn shard(&self, key: &SessionKey) -> &Arc<Shard> {
        // Characters differ in their lower bits. The multiplication carries those up to the bits that are used.
        let &[first, second, third] = key.shard_bytes();
        let number = u64::from(u32::from_be_bytes([0, first, second, third]));
        let spread = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        &self.shards[spread as usize & (self.shards.len() - 1)]
    }

    /// Removes and returns up to `limit` expired records.
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

    /// Runs `step`. As long as it fails with `Full`, sweeps some expired records and tries again.
    pub(crate) fn sweep_while_full<T>(
        &self,
        mut step: impl FnMut() -> Result<T, StorageErrorKind>,
    ) -> Result<T, StorageErrorKind> {
        let mut more = true;
        loop {
            match step() {
                // A sweep that returns no record may have removed moved keys: so one more try follows it.
                Err(StorageErrorKind::Full) if more => more = !self.sweep(SLICE).is_empty(),
                done => return done,
            }
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.options.alarm.stop();
    }
}

/// Returns a function that makes the error of an operation.
pub(crate) fn failed(operation: &'static str) -> impl Fn(StorageErrorKind) -> StorageError {
    move |kind| StorageError::new(kind, operation, NAME)
}
