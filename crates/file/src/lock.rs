//! Locking a session: waiting for its lock, and following it to its present key.

use std::time::Duration;

use sessile_core::{Lock, LockId, LockToken, Locked, Lookup, SessionKey, StorageError};

use crate::failure::NAME;
use crate::files::TryLock;
use crate::storage::FileStorage;
use crate::threads::JobClass;
use crate::wait_queues::{Attempt, deadline_after};

/// The reply to an attempt to lock a session.
enum LockReply {
    Done(Lookup<Locked>),
    /// The key is an alias of this one.
    Alias(SessionKey),
}

impl FileStorage {
    /// Locks the session under a key, or under the key for which it is an alias.
    pub(crate) async fn lock_session(
        &self,
        requested: SessionKey,
        wait: Duration,
    ) -> Result<Lookup<Locked>, StorageError> {
        let deadline = deadline_after(wait);
        let mut key = requested;
        loop {
            let peek = || self.locate(key);
            let attempt = || self.try_lock(key);
            let reply = self
                .shared
                .wait_queues
                .wait(key, deadline, self.shared.max_waiters, peek, attempt)
                .await;
            match reply {
                Ok(LockReply::Done(Lookup::Missing)) if key != requested => return Ok(Lookup::Superseded),
                Ok(LockReply::Done(found)) => return Ok(found),
                // Follow aliases from the requested key again, so that the limit on their number holds.
                Ok(LockReply::Alias(_)) => match self.locate(requested).await? {
                    None => key = requested,
                    Some(LockReply::Alias(at)) => key = at,
                    Some(LockReply::Done(found)) => return Ok(found),
                },
                Err(error) => return Err(error.into_error("lock", NAME)),
            }
        }
    }

    /// Returns where a session is to be locked instead of under this key, or `None` if the key is right.
    async fn locate(&self, key: SessionKey) -> Result<Option<LockReply>, StorageError> {
        Ok(match self.run("lock", move |files| files.locate(&key)).await? {
            Lookup::Found(at) => (at != key).then_some(LockReply::Alias(at)),
            Lookup::Superseded => Some(LockReply::Done(Lookup::Superseded)),
            Lookup::Missing => Some(LockReply::Done(Lookup::Missing)),
        })
    }

    /// Tries to take a lock once.
    async fn try_lock(&self, key: SessionKey) -> Result<Attempt<LockReply>, StorageError> {
        self.block(JobClass::Operation, "lock", move |shared| {
            let token = LockToken::generate(&*shared.files.folder.entropy);
            Ok(Attempt::Done(
                match shared.files.with_retries(|files| files.try_lock(&key, token))? {
                    TryLock::Held(lease) => return Ok(Attempt::Held(lease)),
                    TryLock::Alias(to) => LockReply::Alias(to),
                    // Make the guard on this thread: if the waiter is gone, dropping the guard releases the lock.
                    TryLock::Done(found) => LockReply::Done(found.map(|record| {
                        let lock = Lock::new(LockId::new(key, token), shared.files.folder.lease, shared.clone());
                        Locked::new(lock, record)
                    })),
                },
            ))
        })
        .await
    }
}
