//! [`FileLocks`]: the locks alone, for records that are kept elsewhere.

pub(crate) mod builder;

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use sessile_core::{Clock, Lock, LockId, LockToken, Locks, SessionKey, StorageError, StorageErrorKind, Unlock};

use crate::failure::{Failure, Result as BlockingResult};
use crate::folder::Folder;
use crate::folder::format::Nonce;
use crate::folder::layout::stripe_of;
use crate::folder::leases::HeldLease;
use crate::threads::{JobClass, ReleaseLock, Threads};
use crate::wait_queues::{Attempt, WaitQueues, deadline_after};

/// The name of these locks in errors.
const NAME: &str = "file locks";

/// The stamp of the leases, which belong to no record.
const NO_RECORD: Nonce = [0; 16];

/// Locks in a folder that processes on one machine share, one for each key.
///
/// They are the locks of a [`FileStorage`](crate::FileStorage) without the sessions. A lock is a lease: a holder that
/// dies loses it at once, a holder that is stopped loses it when the lease ends. The folder may be on a `tmpfs`, and
/// must not be the folder of a `FileStorage`. Cloning is cheap; all clones are the same locks.
///
/// ```
/// use std::time::Duration;
/// use sessile_core::{Locks, OsEntropy, SessionId, StorageErrorKind};
/// use sessile_file::FileLocks;
///
/// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = std::env::temp_dir().join(format!("sessile-doc-locks-{}", std::process::id()));
/// # let folder = folder.as_path();
/// let locks = FileLocks::open(folder)?;
/// let key = SessionId::generate(&OsEntropy).key();
///
/// let lock = locks.acquire(&key, Duration::from_secs(10)).await?;
/// let other = locks.acquire(&key, Duration::ZERO).await.unwrap_err();
/// assert_eq!(other.kind(), StorageErrorKind::LockTimeout);
/// locks.release(lock).await?;
/// # std::fs::remove_dir_all(folder)?; Ok(()) }
/// ```
#[derive(Clone)]
pub struct FileLocks {
    shared: Arc<SharedLocks>,
}

/// The state that all clones share.
struct SharedLocks {
    folder: Folder,
    threads: Threads,
    wait_queues: WaitQueues,
    max_waiters: usize,
    this: Weak<Self>,
}

impl FileLocks {
    /// Returns whether a lock is still held.
    ///
    /// # Errors
    ///
    /// Errors of the file system.
    pub async fn is_held(&self, lock_id: &LockId) -> Result<bool, StorageError> {
        let lock_id = *lock_id;
        self.block(JobClass::Operation, "renew", move |shared| {
            shared.folder.is_holder(&lock_id, NO_RECORD)
        })
        .await
    }

    /// Runs a function on a thread that may block.
    async fn block<T: Send + 'static>(
        &self,
        class: JobClass,
        name: &'static str,
        function: impl FnOnce(&Arc<SharedLocks>) -> BlockingResult<T> + Send + 'static,
    ) -> Result<T, StorageError> {
        let shared = self.shared.clone();
        let threads = &self.shared.threads;
        threads.run(class, (name, NAME), move || function(&shared)).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Locks for FileLocks {
    fn clock(&self) -> &dyn Clock {
        &*self.shared.folder.clocks.wall
    }

    async fn acquire(&self, key: &SessionKey, wait: Duration) -> Result<Lock, StorageError> {
        let key = *key;
        let attempt = || {
            self.block(JobClass::Operation, "acquire", move |shared| {
                let token = LockToken::generate(&*shared.folder.entropy);
                let lock_id = LockId::new(key, token);
                Ok(match shared.with_retries(|folder| try_acquire(folder, &lock_id))? {
                    // Make the guard on this thread: if the waiter is gone, dropping the guard releases the lock.
                    None => Attempt::Done(Lock::new(lock_id, shared.folder.lease, shared.clone())),
                    Some(lease) => Attempt::Held(lease),
                })
            })
        };
        let limit = self.shared.max_waiters;
        let peek = || std::future::ready(Ok(None));
        let acquired = self
            .shared
            .wait_queues
            .wait(key, deadline_after(wait), limit, peek, attempt)
            .await;
        acquired.map_err(|error| error.into_error("acquire", NAME))
    }

    async fn release(&self, mut lock: Lock) -> Result<(), StorageError> {
        let lock_id = lock.id();
        self.block(JobClass::Release, "release", move |shared| shared.release(&lock_id))
            .await?;
        lock.disarm();
        Ok(())
    }

    async fn renew(&self, lock_id: &LockId) -> Result<(), StorageError> {
        let lock_id = *lock_id;
        self.block(JobClass::Renewal, "renew", move |shared| {
            shared.with_retries(|folder| {
                let staged = folder.stage_lease(&lock_id, NO_RECORD)?;
                let guard = folder.lock_stripe(stripe_of(&lock_id.key), &[&staged])?;
                if !folder.is_holder(&lock_id, NO_RECORD)? {
                    return Err(Failure::Refused(StorageErrorKind::LockLost));
                }
                guard.publish(staged, &folder.tree.layout.lease(&lock_id.key))
            })
        })
        .await
    }

    /// Does nothing: the operating system ends the locks of a process with the process.
    async fn drain(&self, _patience: Duration) {}
}

/// Takes the lock if it is free, and returns the lease of its holder if it is not.
fn try_acquire(folder: &Folder, lock_id: &LockId) -> BlockingResult<Option<HeldLease>> {
    // Check without the stripe first, so that waiters do not slow down the holder.
    if let Some(lease) = folder.held_lease(&lock_id.key, NO_RECORD)? {
        return Ok(Some(lease));
    }
    let staged = folder.stage_lease(lock_id, NO_RECORD)?;
    let guard = folder.lock_stripe(stripe_of(&lock_id.key), &[&staged])?;
    let held = folder.held_lease(&lock_id.key, NO_RECORD)?;
    if held.is_none() {
        guard.publish(staged, &folder.tree.layout.lease(&lock_id.key))?;
    }
    Ok(held)
}

impl SharedLocks {
    fn new(folder: Folder, threads: Threads, max_waiters: usize) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            folder,
            threads,
            wait_queues: WaitQueues::default(),
            max_waiters,
            this: this.clone(),
        })
    }

    fn release(&self, lock_id: &LockId) -> BlockingResult<()> {
        let released = self.with_retries(|folder| folder.release(lock_id));
        self.wait_queues.notify(&lock_id.key);
        released
    }

    fn with_retries<T>(&self, operation: impl Fn(&Folder) -> BlockingResult<T>) -> BlockingResult<T> {
        self.folder.with_retries(|| operation(&self.folder))
    }
}

impl ReleaseLock for SharedLocks {
    fn release_lock(&self, lock_id: &LockId) {
        // If this fails, the lock ends with its lease.
        let _ = self.release(lock_id);
    }
}

impl Unlock for SharedLocks {
    fn unlock(&self, lock_id: LockId) {
        if let Some(this) = self.this.upgrade() {
            self.threads.release_in_background(this, lock_id);
        }
    }
}

impl fmt::Debug for FileLocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileLocks")
            .field("folder", &self.shared.folder.tree.layout.root())
            .finish_non_exhaustive()
    }
}
