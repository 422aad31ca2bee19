//! [`HeldLocks`]: the locks that this process holds.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use sessile_core::{LockId, LockToken, SessionKey};
use tokio::sync::Notify;

use crate::sync::lock;

/// The number of independently locked stripes, so that tasks seldom contend for one mutex.
const STRIPES: usize = 16;

/// The locks that were taken and neither released nor dropped.
#[derive(Default)]
pub(crate) struct HeldLocks {
    stripes: [Mutex<HashMap<LockToken, SessionKey>>; STRIPES],
    removed: Notify,
}

impl HeldLocks {
    pub(crate) fn insert(&self, lock_id: &LockId) {
        self.stripe(lock_id).insert(lock_id.token, lock_id.key);
    }

    pub(crate) fn remove(&self, lock_id: &LockId) {
        self.stripe(lock_id).remove(&lock_id.token);
        self.removed.notify_waiters();
    }

    fn stripe(&self, lock_id: &LockId) -> MutexGuard<'_, HashMap<LockToken, SessionKey>> {
        lock(&self.stripes[usize::from(lock_id.token.as_bytes()[0]) % STRIPES])
    }

    pub(crate) fn lock_ids(&self) -> Vec<LockId> {
        let lock_id = |(token, key): (&LockToken, &SessionKey)| LockId::new(*key, *token);
        let lock_ids = |stripe: &Mutex<HashMap<_, _>>| lock(stripe).iter().map(lock_id).collect::<Vec<_>>();
        self.stripes.iter().flat_map(lock_ids).collect()
    }

    /// Waits until no lock is held.
    pub(crate) async fn wait_until_empty(&self) {
        loop {
            let mut removed = std::pin::pin!(self.removed.notified());
            // Registered before the check, so that a lock that is removed after it is not missed.
            removed.as_mut().enable();
            if self.stripes.iter().all(|stripe| lock(stripe).is_empty()) {
                return;
            }
            removed.await;
        }
    }
}
