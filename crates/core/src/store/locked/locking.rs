//! Taking a lock, and giving it up.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::time::Instant;

use super::lock_table::HeldLock;
use super::lookup::{Found, Part};
use super::{Failure, Paired, Parts};
use crate::clock::Timestamp;
use crate::id::SessionKey;
use crate::storage::{Lock, LockTicket, Locked, Lookup, StorageError, StorageErrorKind, Unlock};
use crate::store::{Locks, RecordStore};

/// The shortest pause before a session whose deadline should have come is looked at again.
const PAUSE: Duration = Duration::from_millis(1);

/// A lock, and a moment before it was taken.
type Acquired = (Lock, Timestamp);

impl<R: RecordStore + ?Sized, L: Locks + ?Sized> Paired<R, L> {
    pub(super) async fn lock_session(&self, key: &SessionKey, wait: Duration) -> Result<Lookup<Locked>, Failure> {
        let limit = Instant::now().checked_add(wait);
        loop {
            // Before anything is locked: a key that is not live is answered at once and leaves no lock behind.
            let found = match self.find(key, Part::Head).await? {
                Lookup::Found(found) => found,
                Lookup::Missing => return Ok(Lookup::Missing),
                Lookup::Superseded => return Ok(Lookup::Superseded),
            };
            let left = limit.map_or(Duration::MAX, |limit| limit.saturating_duration_since(Instant::now()));
            let Some((lock, asked)) = self.acquire(&found, left).await? else {
                continue;
            };
            // Under the lock nobody else writes, so this is the record that the lock protects.
            match self.find(&found.key, Part::Whole).await? {
                Lookup::Found(current) if current.key == found.key => {
                    return Ok(Lookup::Found(self.give_out(lock, asked, current)));
                }
                // It has ended or moved in between, and whoever asked has to be told what has become of his key.
                _ => drop(self.locks.release(lock).await),
            }
        }
    }

    /// Waits for the lock of this session. `None` if the session is no longer there.
    async fn acquire(&self, found: &Found, wait: Duration) -> Result<Option<Acquired>, Failure> {
        let key = &found.key;
        let mut acquire = self.locks.acquire(key, wait);
        // The lease may begin whenever the lock is asked for. To reckon with the moment before is to be on the safe
        // side.
        let mut acquire = poll_fn(move |cx| {
            let asked = self.now();
            acquire.as_mut().poll(cx).map_ok(|lock| (lock, asked))
        });
        let at_once = poll_fn(|cx| Poll::Ready(pin!(&mut acquire).poll(cx))).await;
        if let Poll::Ready(lock) = at_once {
            return Ok(Some(lock?));
        }
        let watch = self.parts.watches.watch(*key);
        loop {
            // From here on a wake-up is not missed, so what is seen now is seen in time.
            let mut woken = pin!(watch.woken());
            let deadline = match self.find(key, Part::Head).await? {
                Lookup::Found(current) if current.key == *key => current.live.meta.deadline,
                _ => return Ok(None),
            };
            let left = deadline.map_or(Duration::MAX, |deadline| self.now().until(deadline).max(PAUSE));
            let mut end = pin!(tokio::time::sleep(left));
            let acquired = poll_fn(|cx| {
                if let Poll::Ready(lock) = pin!(&mut acquire).poll(cx) {
                    return Poll::Ready(Some(lock));
                }
                let look = woken.as_mut().poll(cx).is_ready() || end.as_mut().poll(cx).is_ready();
                if look { Poll::Ready(None) } else { Poll::Pending }
            });
            if let Some(lock) = acquired.await {
                return Ok(Some(lock?));
            }
        }
    }

    /// Keeps the lock of the parts here, and gives its holder one that comes back to here.
    fn give_out(&self, lock: Lock, asked: Timestamp, found: Found) -> Locked {
        let (ticket, lease) = (lock.ticket(), lock.lease());
        let held = HeldLock {
            lease_until: asked + lease,
            base: found.known_version(),
            lock,
        };
        self.parts.held.add(held, asked);
        Locked {
            lock: Lock::new(ticket, lease, Arc::clone(&self.parts) as _),
            record: found.into_record(),
        }
    }

    pub(super) async fn release_lock(&self, mut lock: Lock) -> Result<(), StorageError> {
        let held = self.parts.held.take(&lock.ticket());
        lock.spend();
        match held {
            Some(held) => self.locks.release(held.lock).await,
            None => Ok(()),
        }
    }

    pub(super) async fn renew_lease(&self, ticket: &LockTicket) -> Result<(), Failure> {
        self.reload(ticket).await?;
        let asked = self.now();
        match self.locks.renew(ticket).await {
            Ok(()) => {
                self.parts.held.renewed(ticket, asked);
                Ok(())
            }
            Err(error) => {
                if error.kind() == StorageErrorKind::LockLost {
                    // The locks know better than what was reckoned here.
                    drop(self.parts.held.take(ticket));
                }
                Err(error.into())
            }
        }
    }
}

/// Takes back what was given out.
impl Unlock for Parts {
    fn unlock(&self, ticket: LockTicket) {
        drop(self.held.take(&ticket));
    }
}
