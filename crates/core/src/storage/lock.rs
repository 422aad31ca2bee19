//! [`Lock`]: the exclusive right to change one session.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::entropy::Entropy;
use crate::id::SessionKey;

/// The random value by which a storage recognises the holder of a lock.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct LockToken([u8; 16]);

impl LockToken {
    /// Creates a token of 128 random bits.
    #[must_use]
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut token = [0; 16];
        entropy.fill(&mut token);
        Self(token)
    }

    /// Creates a token from bytes, which must differ for every lock that is taken.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes of the token.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// Hides the token, as it grants the right to write.
impl fmt::Debug for LockToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LockToken(..)")
    }
}

/// Identifies a lock that is held, to the storage that granted it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct LockId {
    /// The key of the locked record.
    pub key: SessionKey,
    /// The token of its holder.
    pub token: LockToken,
}

impl LockId {
    /// Identifies the lock on the record under `key` that is held with `token`.
    #[must_use]
    pub const fn new(key: SessionKey, token: LockToken) -> Self {
        Self { key, token }
    }
}

/// Releases locks that were dropped.
///
/// A storage implements it for a part of itself that may outlive the call that took the lock.
pub trait Unlock: Send + Sync + 'static {
    /// Releases a lock that its holder has dropped. Must not block; anything that takes time is done in the background.
    fn unlock(&self, id: LockId);
}

/// The exclusive right to change one session, for as long as its lease lasts.
///
/// A lock ends with [`Storage::commit`](crate::Storage::commit), [`rotate`](crate::Storage::rotate),
/// [`release`](crate::Storage::release) and [`destroy`](crate::Storage::destroy). Dropping it before, as when its
/// holder is cancelled or panics, releases it.
#[must_use = "a lock that is dropped is released"]
pub struct Lock {
    id: LockId,
    lease: Duration,
    /// `None` once the lock is disarmed.
    unlock: Option<Arc<dyn Unlock>>,
}

impl Lock {
    /// Creates a lock that is released with `unlock` when it is dropped.
    pub fn new(id: LockId, lease: Duration, unlock: Arc<dyn Unlock>) -> Self {
        Self {
            id,
            lease,
            unlock: Some(unlock),
        }
    }

    /// Returns the key of the locked record.
    #[must_use]
    pub fn key(&self) -> &SessionKey {
        &self.id.key
    }

    /// Returns the key and the token that identify the lock.
    #[must_use]
    pub fn id(&self) -> LockId {
        self.id
    }

    /// Returns the time for which the lock is held without being [renewed](crate::Storage::renew).
    #[must_use]
    pub fn lease(&self) -> Duration {
        self.lease
    }

    /// Disarms the lock: dropping it no longer releases it. Called by storages once the lock has ended.
    pub fn disarm(&mut self) {
        self.unlock = None;
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Some(unlock) = self.unlock.take() {
            unlock.unlock(self.id);
        }
    }
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lock")
            .field("key", &self.id.key)
            .field("lease", &self.lease)
            .field("disarmed", &self.unlock.is_none())
            .finish()
    }
}
