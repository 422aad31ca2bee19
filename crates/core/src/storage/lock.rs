//! The exclusive right to change one session.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::entropy::Entropy;
use crate::id::SessionKey;

/// The random value by which a storage knows the holder of a lock.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct LockToken([u8; 16]);

impl LockToken {
    /// A token of 128 random bits.
    #[must_use]
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut token = [0; 16];
        entropy.fill(&mut token);
        Self(token)
    }

    /// The token made of these bytes. They must be new with each lock that is taken.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes of the token.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// A token gives the right to write, so it is not shown.
impl fmt::Debug for LockToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LockToken(..)")
    }
}

/// What proves, to the storage that gave it, that a lock is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct LockTicket {
    /// The key of the locked record.
    pub key: SessionKey,
    /// The token of the holder.
    pub token: LockToken,
}

impl LockTicket {
    /// The ticket of whoever holds the lock of this record by this token.
    #[must_use]
    pub const fn new(key: SessionKey, token: LockToken) -> Self {
        Self { key, token }
    }
}

/// Takes back locks that were dropped.
///
/// A storage implements it for whatever part of itself may outlive the call that took the lock.
pub trait Unlock: Send + Sync + 'static {
    /// Releases a lock whose holder went away. It must not block; what takes time is done in the background.
    fn unlock(&self, ticket: LockTicket);
}

/// The exclusive right to change one session, for as long as its lease lasts.
///
/// A lock is given up by [`Storage::commit`](crate::Storage::commit), [`rotate`](crate::Storage::rotate),
/// [`release`](crate::Storage::release) and [`destroy`](crate::Storage::destroy). One that is dropped before, because
/// its holder was cancelled or panicked, goes back to its storage by itself.
#[must_use = "a lock that is dropped is released"]
pub struct Lock {
    ticket: LockTicket,
    lease: Duration,
    unlock: Option<Arc<dyn Unlock>>,
}

impl Lock {
    /// A lock that `unlock` takes back when it is dropped.
    pub fn new(ticket: LockTicket, lease: Duration, unlock: Arc<dyn Unlock>) -> Self {
        Self {
            ticket,
            lease,
            unlock: Some(unlock),
        }
    }

    /// The key of the locked record.
    #[must_use]
    pub fn key(&self) -> &SessionKey {
        &self.ticket.key
    }

    /// What proves that the lock is held.
    #[must_use]
    pub fn ticket(&self) -> LockTicket {
        self.ticket
    }

    /// For how long the lock is held without being [renewed](crate::Storage::renew).
    #[must_use]
    pub fn lease(&self) -> Duration {
        self.lease
    }

    /// Marks the lock as given up: dropping it does nothing from now on. For storages.
    pub fn spend(&mut self) {
        self.unlock = None;
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Some(unlock) = self.unlock.take() {
            unlock.unlock(self.ticket);
        }
    }
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lock")
            .field("key", &self.ticket.key)
            .field("lease", &self.lease)
            .field("spent", &self.unlock.is_none())
            .finish()
    }
}
