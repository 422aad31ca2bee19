//! [`WriteGuard`]: an operation in flight that changes the inner storage.

use sessile_core::{Record, SessionKey, StorageError, StorageErrorKind, Stored};
use tokio::time::Instant;

use crate::cache::Cache;
use crate::segment::Epoch;

/// Keeps the shard of a key out of the cache while an operation changes the session.
///
/// Dropped before [`finish`](Self::finish), the operation was cancelled, and its outcome is ambiguous.
pub(crate) struct WriteGuard<'a> {
    cache: &'a Cache,
    key: SessionKey,
    epoch: Epoch,
    /// The record that was cached under the key.
    before: Option<Record>,
    is_armed: bool,
}

impl<'a> WriteGuard<'a> {
    pub(crate) fn begin(cache: &'a Cache, key: &SessionKey) -> Self {
        let (epoch, before) = cache.segment(key).begin_write(key);
        Self {
            cache,
            key: *key,
            epoch,
            before,
            is_armed: true,
        }
    }

    /// Takes the record that was cached under the key before.
    pub(crate) fn before(&mut self) -> Option<Record> {
        self.before.take()
    }

    /// Ends the operation with its result. Caches the record it has `written`, unless another write has overlapped.
    pub(crate) fn finish<T>(mut self, result: &Result<T, StorageError>, written: Option<Stored>) {
        let error = result.as_ref().err();
        let is_ambiguous = error.is_some_and(|error| !is_definite(error.kind()));
        self.end(is_ambiguous, written.filter(|_| error.is_none()));
    }

    fn end(&mut self, is_ambiguous: bool, written: Option<Stored>) {
        self.is_armed = false;
        let until = is_ambiguous.then(|| Instant::now() + self.cache.limits.settle_time);
        let mut segment = self.cache.segment(&self.key);
        let is_alone = segment.end_write(&self.key, &self.epoch, until);
        if let Some(written) = written.filter(|_| is_alone) {
            self.cache.insert(&mut segment, written);
        }
    }
}

impl Drop for WriteGuard<'_> {
    fn drop(&mut self) {
        if self.is_armed {
            self.end(true, None);
        }
    }
}

/// Returns whether an operation that failed with this error has definitely changed nothing, and will not.
fn is_definite(kind: StorageErrorKind) -> bool {
    use StorageErrorKind::{
        Denied, Exists, Full, Gone, LockLost, LockTimeout, Superseded, TooManyWaiters, Unsupported,
    };
    matches!(
        kind,
        Denied | Exists | Full | Gone | LockLost | LockTimeout | Superseded | TooManyWaiters | Unsupported
    )
}
