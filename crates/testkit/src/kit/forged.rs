//! Locks that no storage granted, and the state of granted ones.

use std::sync::Arc;
use std::time::Duration;

use sessile_core::{Lock, LockId, LockToken, OsEntropy, SessionKey, Unlock};

/// Creates a lock that no storage granted. Dropping it does nothing.
pub(crate) fn forged(key: SessionKey) -> Lock {
    with_token(key, LockToken::generate(&OsEntropy))
}

/// Creates a lock with the token of a granted one, for use after that was disarmed.
pub(crate) fn with_token(key: SessionKey, token: LockToken) -> Lock {
    struct NoUnlock;

    impl Unlock for NoUnlock {
        fn unlock(&self, _: LockId) {}
    }

    Lock::new(LockId::new(key, token), Duration::from_secs(1), Arc::new(NoUnlock))
}

/// Returns whether dropping the lock does nothing, which only its `Debug` output shows.
pub(crate) fn is_disarmed(lock: &Lock) -> bool {
    format!("{lock:?}").contains("disarmed: true")
}
