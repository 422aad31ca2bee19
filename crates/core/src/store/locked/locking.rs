//! Taking, renewing and releasing locks.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::time::Instant;

use super::lock_table::HeldLock;
use super::lookup::{FoundSession, Part};
use super::{Failure, LockedStore, Shared};
use crate::clock::Timestamp;
use crate::id::SessionKey;
use crate::storage::{Lock, LockId, Locked, Lookup, StorageError, StorageErrorKind, Unlock};
use crate::store::{Locks, RecordStore};

/// The shortest pause before a session whose deadline should have come is read again.
const MIN_PAUSE: Duration = Duration::from_millis(1);

/// A lock, and a time before it was taken.
type Acquired = (Lock, Timestamp);

impl<R: RecordStore + ?Sized, L: Locks + ?Sized> LockedStore<R, L> {
    pub(super) async fn lock_session(&self, key: &SessionKey, wait: Duration) -> Result<Lookup<Locked>, Failure> {
        let limit = Instant::now().checked_add(wait);
        loop {
            // Read before locking: a key that is not live returns immediately and leaves no lock behind.
            let found = match self.find(key, Part::Head).await? {
                Lookup::Found(found) => found,
                Lookup::Missing => return Ok(Lookup::Missing),
                Lookup::Superseded => return Ok(Lookup::Superseded),
            };
            let remaining = limit.map_or(Duration::MAX, |limit| limit.saturating_duration_since(Instant::now()));
            let Some((lock, taken_after)) = self.acquire(&found, remaining).await? else {
                continue;
            };
            // Read again under the lock: no other holder writes now, so this is the record that the lock protects.
            match self.find(&found.key, Part::Whole).await? {
                Lookup::Found(current) if current.key == found.key => {
                    return Ok(Lookup::Found(self.grant(lock, taken_after, current)));
                }
                // The session has ended or moved in between. The next round returns the new state of the key.
                _ => drop(self.locks.release(lock).await),
            }
        }
    }

    /// Waits for the lock of this session. Returns `None` if the session has ended or moved meanwhile.
    async fn acquire(&self, found: &FoundSession, wait: Duration) -> Result<Option<Acquired>, Failure> {
        let key = &found.key;
        let mut acquire = self.locks.acquire(key, wait);
        // The lease may begin during any poll. The time before the last poll is a safe lower bound.
        let mut acquire = poll_fn(move |cx| {
            let before = self.now();
            acquire.as_mut().poll(cx).map_ok(|lock| (lock, before))
        });
        let first_poll = poll_fn(|cx| Poll::Ready(pin!(&mut acquire).poll(cx))).await;
        if let Poll::Ready(lock) = first_poll {
            return Ok(Some(lock?));
        }
        let subscription = self.shared.notifiers.subscribe(*key);
        loop {
            // Created before the read: a notification that comes after the read is not missed.
            let mut notified = pin!(subscription.notified());
            let deadline = match self.find(key, Part::Head).await? {
                Lookup::Found(current) if current.key == *key => current.live.meta.deadline,
                _ => return Ok(None),
            };
            let life = deadline.map_or(Duration::MAX, |deadline| self.now().until(deadline).max(MIN_PAUSE));
            let mut expired = pin!(tokio::time::sleep(life));
            let acquired = poll_fn(|cx| {
                if let Poll::Ready(lock) = pin!(&mut acquire).poll(cx) {
                    return Poll::Ready(Some(lock));
                }
                let recheck = notified.as_mut().poll(cx).is_ready() || expired.as_mut().poll(cx).is_ready();
                if recheck { Poll::Ready(None) } else { Poll::Pending }
            });
            if let Some(lock) = acquired.await {
                return Ok(Some(lock?));
            }
        }
    }

    /// Keeps the lock in the table, and returns one with the same id that is released through the table.
    fn grant(&self, lock: Lock, taken_after: Timestamp, found: FoundSession) -> Locked {
        let (id, lease) = (lock.id(), lock.lease());
        let held = HeldLock {
            lease_until: taken_after + lease,
            known: found.known_version(),
            lock,
        };
        self.shared.held_locks.add(held, taken_after);
        Locked {
            lock: Lock::new(id, lease, Arc::clone(&self.shared) as _),
            record: found.into_record(),
        }
    }

    pub(super) async fn release_lock(&self, mut lock: Lock) -> Result<(), StorageError> {
        let held = self.shared.held_locks.remove(&lock.id());
        lock.disarm();
        match held {
            Some(held) => self.locks.release(held.lock).await,
            None => Ok(()),
        }
    }

    pub(super) async fn renew_lease(&self, id: &LockId) -> Result<(), Failure> {
        self.reload_version(id).await?;
        let renewed_after = self.now();
        match self.locks.renew(id).await {
            Ok(()) => {
                self.shared.held_locks.renew(id, renewed_after);
                Ok(())
            }
            Err(error) => {
                if error.kind() == StorageErrorKind::LockLost {
                    // The locks are authoritative, even if the lease is still running by the estimate here.
                    drop(self.shared.held_locks.remove(id));
                }
                Err(error.into())
            }
        }
    }
}

/// Releases a lock that was granted, by dropping the one in the table.
impl Unlock for Shared {
    fn unlock(&self, id: LockId) {
        drop(self.held_locks.remove(&id));
    }
}
