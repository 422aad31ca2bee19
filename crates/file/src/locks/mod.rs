//! [`FileLocks`]: the locks alone, for records that are kept elsewhere.

mod builder;

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use sessile_core::{Clock, Lock, LockTicket, LockToken, Locks, SessionKey, StorageError, StorageErrorKind, Unlock};

pub use self::builder::FileLocksBuilder;
use crate::failure::{Failure, Result as StepResult};
use crate::folder::Folder;
use crate::folder::format::Nonce;
use crate::folder::layout::stripe_of;
use crate::folder::leases::Tenure;
use crate::threads::{Duty, GiveUp, Threads};
use crate::wait_queues::{Asked, Waiters, deadline_after};

/// The name of these locks in errors.
const NAME: &str = "file locks";

/// These locks are not based on any record.
const NO_RECORD: Nonce = [0; 16];

/// Locks that processes on one machine share, in a folder: one on each key.
///
/// They are those of a [`FileStorage`](crate::FileStorage), without the sessions. A lock is a lease: who holds it and
/// dies loses it at once, who holds it and stops loses it when the lease is over. The folder may be on a `tmpfs`, and
/// must not be that of a `FileStorage`. Cloning is cheap; all clones are the same.
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
    shared: Arc<Shared>,
}

struct Shared {
    folder: Folder,
    threads: Threads,
    waiters: Waiters,
    max_waiters: usize,
    this: Weak<Self>,
}

impl FileLocks {
    /// Opens a folder, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// As for [`FileStorage::open`](crate::FileStorage::open).
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, StorageError> {
        Self::builder(folder).open()
    }

    /// For locks that are not as they are by default.
    pub fn builder(folder: impl AsRef<Path>) -> FileLocksBuilder {
        FileLocksBuilder::new(folder.as_ref())
    }

    /// Whether a lock is still held.
    ///
    /// # Errors
    ///
    /// Trouble with the folder.
    pub async fn is_held(&self, ticket: &LockTicket) -> Result<bool, StorageError> {
        let ticket = *ticket;
        self.block(Duty::Step, "renew", move |shared| {
            shared.folder.is_holder(&ticket, NO_RECORD)
        })
        .await
    }

    /// Runs something on a thread that may block.
    async fn block<T: Send + 'static>(
        &self,
        duty: Duty,
        operation: &'static str,
        step: impl FnOnce(&Arc<Shared>) -> StepResult<T> + Send + 'static,
    ) -> Result<T, StorageError> {
        let shared = self.shared.clone();
        let threads = &self.shared.threads;
        threads.run(duty, (operation, NAME), move || step(&shared)).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Locks for FileLocks {
    fn clock(&self) -> &dyn Clock {
        &*self.shared.folder.clock
    }

    async fn acquire(&self, key: &SessionKey, wait: Duration) -> Result<Lock, StorageError> {
        let key = *key;
        let ask = || {
            self.block(Duty::Step, "acquire", move |shared| {
                let token = LockToken::generate(&*shared.folder.entropy);
                let ticket = LockTicket::new(key, token);
                Ok(match shared.retry(|folder| try_acquire(folder, &ticket))? {
                    // Made here, so that it is given up even if nobody waits for it any more.
                    Tenure::Free => Asked::Answer(Lock::new(ticket, shared.folder.lease, shared.clone())),
                    Tenure::Held(holding) => Asked::Held(holding),
                })
            })
        };
        let limit = self.shared.max_waiters;
        let look = || std::future::ready(Ok(None));
        let asked = self
            .shared
            .waiters
            .ask(key, deadline_after(wait), limit, look, ask)
            .await;
        asked.map_err(|no_answer| no_answer.into_error("acquire", NAME))
    }

    async fn release(&self, mut lock: Lock) -> Result<(), StorageError> {
        let ticket = lock.ticket();
        self.block(Duty::GiveUp, "release", move |shared| shared.release(&ticket))
            .await?;
        lock.spend();
        Ok(())
    }

    async fn renew(&self, ticket: &LockTicket) -> Result<(), StorageError> {
        let ticket = *ticket;
        self.block(Duty::Keep, "renew", move |shared| {
            shared.retry(|folder| {
                let staged = folder.stage_lease(&ticket, NO_RECORD)?;
                let held = folder.enter(stripe_of(&ticket.key)).hold(&[&staged])?;
                if !folder.is_holder(&ticket, NO_RECORD)? {
                    return Err(Failure::Refused(StorageErrorKind::LockLost));
                }
                held.publish(staged, &folder.layout.lease(&ticket.key))
            })
        })
        .await
    }

    /// There is nothing to do: the operating system ends the locks of a process with the process.
    async fn drain(&self, _patience: Duration) {}
}

/// Takes the lock if it is free, and says how it stood.
fn try_acquire(folder: &Folder, ticket: &LockTicket) -> StepResult<Tenure> {
    let tenure = folder.tenure(&ticket.key, NO_RECORD)?;
    if tenure != Tenure::Free {
        return Ok(tenure);
    }
    let staged = folder.stage_lease(ticket, NO_RECORD)?;
    let held = folder.enter(stripe_of(&ticket.key)).hold(&[&staged])?;
    let tenure = folder.tenure(&ticket.key, NO_RECORD)?;
    if tenure == Tenure::Free {
        held.publish(staged, &folder.layout.lease(&ticket.key))?;
    }
    Ok(tenure)
}

impl Shared {
    fn new(folder: Folder, threads: Threads, max_waiters: usize) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            folder,
            threads,
            waiters: Waiters::default(),
            max_waiters,
            this: this.clone(),
        })
    }

    fn release(&self, ticket: &LockTicket) -> StepResult<()> {
        let released = self.retry(|folder| folder.release(ticket));
        self.waiters.wake(&ticket.key);
        released
    }

    fn retry<T>(&self, step: impl Fn(&Folder) -> StepResult<T>) -> StepResult<T> {
        self.folder.retry(|| step(&self.folder))
    }
}

impl GiveUp for Shared {
    fn give_up(&self, ticket: &LockTicket) {
        // If it fails, the lock ends with its lease.
        let _ = self.release(ticket);
    }
}

impl Unlock for Shared {
    fn unlock(&self, ticket: LockTicket) {
        if let Some(this) = self.this.upgrade() {
            self.threads.give_up_soon(this, ticket);
        }
    }
}

impl fmt::Debug for FileLocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileLocks")
            .field("folder", &self.shared.folder.layout.root())
            .finish_non_exhaustive()
    }
}
