//! [`LockTable`]: the locks that were given out, and what their holders may replace.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::clock::Timestamp;
use crate::id::SessionKey;
use crate::storage::{Lock, LockTicket};
use crate::store::EntryVersion;

/// Below this many keys nobody looks for leftovers.
const FEW: usize = 64;

/// The locks that were given out and have not come back.
#[derive(Default)]
pub(super) struct LockTable(Mutex<Table>);

#[derive(Default)]
struct Table {
    /// Of several for one key, all but one have lost it.
    by_key: HashMap<SessionKey, Vec<HeldLock>>,
    /// At how many keys to look for locks whose lease is over.
    tidy_at: usize,
}

/// A lock that was given out.
pub(super) struct HeldLock {
    /// The lock itself. Its holder has one with the same ticket, which goes back to [`LockTable`] first.
    pub(super) lock: Lock,
    pub(super) base: KnownVersion,
    /// The end of its lease. It is reckoned from a moment before the lock was taken, so that it never comes late.
    pub(super) lease_until: Timestamp,
}

/// The state of the session that a holder knows, and may replace.
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
        let left = table.tidy(now);
        table.by_key.entry(*held.lock.key()).or_default().push(held);
        drop(table);
        // What locks do when they are dropped is not done under the mutex.
        drop(left);
    }

    /// What the holder of this lock may replace, if its lease is not over.
    pub(super) fn base(&self, ticket: &LockTicket, now: Timestamp) -> Option<KnownVersion> {
        let mut table = self.table();
        let held = table.get_mut(ticket)?;
        (now < held.lease_until).then_some(held.base)
    }

    /// The session was touched: takes note of its state. Returns whether the holder may still replace it.
    pub(super) fn follow(&self, ticket: &LockTicket, base: KnownVersion, now: Timestamp) -> bool {
        let mut table = self.table();
        match table.get_mut(ticket) {
            Some(held) if now < held.lease_until && held.base.written == base.written => {
                held.base = base;
                true
            }
            _ => false,
        }
    }

    /// The lease was renewed, no earlier than at this moment.
    pub(super) fn renewed(&self, ticket: &LockTicket, asked: Timestamp) {
        if let Some(held) = self.table().get_mut(ticket) {
            held.lease_until = asked + held.lock.lease();
        }
    }

    /// Takes a lock out: it is given up.
    pub(super) fn take(&self, ticket: &LockTicket) -> Option<HeldLock> {
        let mut table = self.table();
        let all = table.by_key.get_mut(&ticket.key)?;
        let index = all.iter().position(|held| held.lock.ticket() == *ticket)?;
        let held = all.swap_remove(index);
        if all.is_empty() {
            table.by_key.remove(&ticket.key);
        }
        Some(held)
    }

    /// Takes out whatever there is of a key: there is nothing left to hold.
    pub(super) fn take_all(&self, key: &SessionKey) -> Vec<HeldLock> {
        self.table().by_key.remove(key).unwrap_or_default()
    }

    /// Whether any holder may still come back in time.
    pub(super) fn is_any_running(&self, now: Timestamp) -> bool {
        let table = self.table();
        table.by_key.values().flatten().any(|held| now < held.lease_until)
    }

    /// Takes out whatever there is.
    pub(super) fn take_whole(&self) -> Vec<HeldLock> {
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
    fn get_mut(&mut self, ticket: &LockTicket) -> Option<&mut HeldLock> {
        let mut all = self.by_key.get_mut(&ticket.key)?.iter_mut();
        all.find(|held| held.lock.ticket() == *ticket)
    }

    /// Now and then, so seldom that it costs next to nothing, takes out what holders that never came back have left.
    fn tidy(&mut self, now: Timestamp) -> Vec<HeldLock> {
        if self.by_key.len() < self.tidy_at.max(FEW) {
            return Vec::new();
        }
        let mut left = Vec::new();
        self.by_key.retain(|_, all| {
            left.extend(all.extract_if(.., |held| held.lease_until <= now));
            !all.is_empty()
        });
        self.tidy_at = self.by_key.len() * 2;
        left
    }
}
