//! [`LockTable`]: the locks that are held, and the versions that their holders may replace.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::clock::Timestamp;
use crate::id::SessionKey;
use crate::storage::{Lock, LockId};
use crate::store::EntryVersion;

/// The number of keys below which expired leases are not pruned.
const PRUNE_MIN: usize = 64;

/// The locks that were granted and not yet released.
#[derive(Default)]
pub(super) struct LockTable(Mutex<Table>);

#[derive(Default)]
struct Table {
    /// At most one lock per key is still valid.
    by_key: HashMap<SessionKey, Vec<HeldLock>>,
    /// The number of keys at which expired leases are pruned next.
    prune_at: usize,
}

/// A lock that was granted.
pub(super) struct HeldLock {
    /// The lock that the locks granted. Its holder has another one with the same id, which is released through
    /// [`LockTable`].
    pub(super) lock: Lock,
    pub(super) known: KnownVersion,
    /// The end of the lease, counted from a moment before the lock was taken, so that it is never too late.
    pub(super) lease_until: Timestamp,
}

/// The state of the session that a holder knows and may replace.
#[derive(Debug, Clone, Copy)]
pub(super) struct KnownVersion {
    pub(super) version: EntryVersion,
    /// See [`Live::written`](super::key_state::Live::written).
    pub(super) written: EntryVersion,
    pub(super) deadline: Option<Timestamp>,
}

impl LockTable {
    pub(super) fn len(&self) -> usize {
        self.table().by_key.values().map(Vec::len).sum()
    }

    pub(super) fn add(&self, held: HeldLock, now: Timestamp) {
        let mut table = self.table();
        let expired = table.prune_expired(now);
        table.by_key.entry(*held.lock.key()).or_default().push(held);
        // Dropping a lock calls into the locks, which must not happen under the mutex.
        drop(table);
        drop(expired);
    }

    /// Returns the state that the holder of this lock may replace, if its lease is not over.
    pub(super) fn known_version(&self, id: &LockId, now: Timestamp) -> Option<KnownVersion> {
        let mut table = self.table();
        let held = table.get_mut(id)?;
        (now < held.lease_until).then_some(held.known)
    }

    /// Updates the known state after a touch. Returns whether the holder may still replace it: not after a write by
    /// another holder.
    pub(super) fn update_version(&self, id: &LockId, current: KnownVersion, now: Timestamp) -> bool {
        let mut table = self.table();
        match table.get_mut(id) {
            Some(held) if now < held.lease_until && held.known.written == current.written => {
                held.known = current;
                true
            }
            _ => false,
        }
    }

    /// Restarts a lease that was renewed at `renewed_after` or later.
    pub(super) fn renew(&self, id: &LockId, renewed_after: Timestamp) {
        if let Some(held) = self.table().get_mut(id) {
            held.lease_until = renewed_after + held.lock.lease();
        }
    }

    /// Removes a lock, so that its holder can no longer write.
    pub(super) fn remove(&self, id: &LockId) -> Option<HeldLock> {
        let mut table = self.table();
        let all = table.by_key.get_mut(&id.key)?;
        let index = all.iter().position(|held| held.lock.id() == *id)?;
        let held = all.swap_remove(index);
        if all.is_empty() {
            table.by_key.remove(&id.key);
        }
        Some(held)
    }

    /// Removes all locks of a key.
    pub(super) fn remove_key(&self, key: &SessionKey) -> Vec<HeldLock> {
        self.table().by_key.remove(key).unwrap_or_default()
    }

    /// Returns whether any lease is still running.
    pub(super) fn has_running_lease(&self, now: Timestamp) -> bool {
        let table = self.table();
        table.by_key.values().flatten().any(|held| now < held.lease_until)
    }

    /// Removes all locks.
    pub(super) fn remove_all(&self) -> Vec<HeldLock> {
        std::mem::take(&mut self.table().by_key)
            .into_values()
            .flatten()
            .collect()
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn get_mut(&mut self, id: &LockId) -> Option<&mut HeldLock> {
        let mut all = self.by_key.get_mut(&id.key)?.iter_mut();
        all.find(|held| held.lock.id() == *id)
    }

    /// Removes expired leases that were never released, once the number of keys has doubled (amortised O(1)).
    fn prune_expired(&mut self, now: Timestamp) -> Vec<HeldLock> {
        if self.by_key.len() < self.prune_at.max(PRUNE_MIN) {
            return Vec::new();
        }
        let mut expired = Vec::new();
        self.by_key.retain(|_, all| {
            expired.extend(all.extract_if(.., |held| held.lease_until <= now));
            !all.is_empty()
        });
        self.prune_at = self.by_key.len() * 2;
        expired
    }
}
