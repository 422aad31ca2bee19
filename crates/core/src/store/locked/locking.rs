//! Taking, renewing, releasing and draining locks.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};

use super::lock_table::HeldLock;
use super::lookup::{FoundSession, Part};
use super::{Failure, LockedStore, Shared};
use crate::clock::Timestamp;
use crate::id::SessionKey;
use crate::storage::{Lock, LockId, Locked, Lookup, StorageError, StorageErrorKind, Unlock};
use crate::store::{Locks, RecordStore};

/// The shortest pause before a session whose deadline should have come is read again.
const MIN_PAUSE: Duration = Duration::from_millis(1);

/// The first and the longest pause between two checks of a drain.
const PAUSES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(50));

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
            let mut notified = pin!(subscription.notify.notified());
            let deadline = match self.find(key, Part::Head).await? {
                Lookup::Found(current) if current.key == *key => current.live.meta.deadline,
                _ => return Ok(None),
            };
            let life = deadline.map_or(Duration::MAX, |deadline| self.now().until(deadline).max(MIN_PAUSE));
            let mut expired = pin!(sleep(life));
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
        let lock = Lock::new(id, lease, Arc::clone(&self.shared) as _);
        Locked::new(lock, found.into_record())
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

    /// Waits for holders, at most for `patience`, and releases the locks that are still held.
    ///
    /// If it is dropped while it waits, no lock was released. If it is dropped later, the rest is released in the
    /// background.
    pub(super) async fn drain_locks(&self, patience: Duration) {
        use StorageErrorKind::{Timeout, Unavailable};
        let start = Instant::now();
        // Without a runtime there is no timer.
        let patience = Handle::try_current().map_or(Duration::ZERO, |_| patience);
        let (mut pause, longest) = PAUSES;
        let remaining = || patience.saturating_sub(start.elapsed());
        while self.shared.held_locks.has_running_lease(self.now()) && !remaining().is_zero() {
            sleep(pause.min(remaining())).await;
            pause = longest.min(pause * 2);
        }
        // All leave the table in one step, so no holder can write while the others are released.
        for held in self.shared.held_locks.remove_all() {
            // A lock that cannot be released ends with its lease.
            let released = self.locks.release(held.lock).await;
            if released.is_err_and(|error| matches!(error.kind(), Timeout | Unavailable)) {
                // Each of the others would take as long. Dropping them releases them in the background, if possible.
                break;
            }
        }
        // The locks may be in use beside this storage, and some may still be released in the background.
        self.locks.drain(remaining()).await;
    }
}

/// Releases a lock that was granted, by dropping the one in the table.
impl Unlock for Shared {
    fn unlock(&self, id: LockId) {
        drop(self.held_locks.remove(&id));
    }
}
