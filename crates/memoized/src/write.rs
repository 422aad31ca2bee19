//! [`Write`]: a call that changes what is stored.

use sessile_core::{Record, SessionKey, StorageError, StorageErrorKind, Stored};
use tokio::time::Instant;

use crate::cache::Cache;
use crate::part::Turn;

/// A call under way that changes what is stored under a key, or under one it leads to. Nothing in its shard is kept
/// meanwhile. Dropped before its end, it has been cut off, and nobody knows what it has done or will do.
pub(crate) struct Write<'a> {
    cache: &'a Cache,
    key: SessionKey,
    turn: Turn,
    /// What was kept under the key.
    before: Option<Record>,
    open: bool,
}

impl<'a> Write<'a> {
    pub(crate) fn begin(cache: &'a Cache, key: &SessionKey) -> Self {
        let (turn, before) = cache.part(key).begin(key);
        Self {
            cache,
            key: *key,
            turn,
            before,
            open: true,
        }
    }

    /// What was kept under the key before.
    pub(crate) fn before(&mut self) -> Option<Record> {
        self.before.take()
    }

    /// The call has come to its end. If it has left this under a key, and nothing else was written meanwhile, it is
    /// kept.
    pub(crate) fn end<T>(mut self, answer: &Result<T, StorageError>, left: Option<Stored>) {
        let error = answer.as_ref().err();
        let unsettled = error.is_some_and(|error| !is_certain(error.kind()));
        self.close(unsettled, left.filter(|_| error.is_none()));
    }

    fn close(&mut self, unsettled: bool, left: Option<Stored>) {
        self.open = false;
        let until = unsettled.then(|| Instant::now() + self.cache.limits.settle_time);
        let mut part = self.cache.part(&self.key);
        let alone = part.end(&self.key, &self.turn, until);
        if let Some(left) = left.filter(|_| alone) {
            self.cache.keep(&mut part, left);
        }
    }
}

impl Drop for Write<'_> {
    fn drop(&mut self) {
        if self.open {
            self.close(true, None);
        }
    }
}

/// Whether a call that failed like this has surely changed nothing, and will not.
fn is_certain(kind: StorageErrorKind) -> bool {
    use StorageErrorKind::{
        Denied, Exists, Full, Gone, LockLost, LockTimeout, Superseded, TooManyWaiters, Unsupported,
    };
    matches!(
        kind,
        Denied | Exists | Full | Gone | LockLost | LockTimeout | Superseded | TooManyWaiters | Unsupported
    )
}
