//! [`FileLocks`]: the locks alone, for records that are kept elsewhere.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;

use sessile_core::{
    Clock, DEFAULT_MAX_WAITERS, Entropy, Lock, LockTicket, LockToken, SessionKey, StorageError, StorageErrorKind,
    Unlock,
};

use crate::background::{GiveUp, give_up_soon, run};
use crate::failure::{Failure, Result as StepResult};
use crate::folder::{Folder, Setting};
use crate::format::Nonce;
use crate::layout::stripe_of;
use crate::leases::Tenure;
use crate::waiters::{Asked, NoAnswer, Waiters, deadline_after};

/// The name of these locks in errors.
const NAME: &str = "file locks";

/// What the file `FORMAT` of a folder of locks says.
const FORMAT: &str = "sessile locks 1\n";

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
/// use sessile_core::{OsEntropy, SessionId, StorageErrorKind};
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
    waiters: Waiters,
    max_waiters: usize,
    this: Weak<Self>,
}

/// Makes [`FileLocks`].
#[must_use = "a builder does nothing until it opens"]
pub struct FileLocksBuilder {
    folder: PathBuf,
    setting: Setting,
    max_waiters: usize,
}

impl FileLocksBuilder {
    /// For how long a lock is held without being renewed: 30 seconds by default.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.setting.lease = lease;
        self
    }

    /// How many may wait for one lock in this process: 1,024 by default, 1 at least.
    pub fn max_waiters(mut self, max_waiters: usize) -> Self {
        self.max_waiters = max_waiters;
        self
    }

    /// What leases are judged by: the clock of the machine by default. Another one is for tests.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.setting.clock = Arc::new(clock);
        self
    }

    /// Where tokens come from: the operating system by default. Another one is for tests, and must not repeat itself.
    pub fn entropy(mut self, entropy: impl Entropy) -> Self {
        self.setting.entropy = Arc::new(entropy);
        self
    }

    /// Opens the folder, which is made if it is not there. Blocks for some milliseconds.
    ///
    /// # Errors
    ///
    /// As for [`FileStorage::open`](crate::FileStorage::open).
    pub fn open(self) -> Result<FileLocks, StorageError> {
        let failed = |failure: Failure| failure.into_error("open", NAME);
        let folder = Folder::open(&self.folder, FORMAT, self.setting).map_err(failed)?;
        for stripe in 0..=u8::MAX {
            folder.tidy_leases(stripe, |_| Ok(Some(NO_RECORD))).map_err(failed)?;
        }
        let max_waiters = self.max_waiters;
        let shared = Arc::new_cyclic(|this| Shared {
            folder,
            waiters: Waiters::default(),
            max_waiters,
            this: this.clone(),
        });
        Ok(FileLocks { shared })
    }
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
        FileLocksBuilder {
            folder: folder.as_ref().to_owned(),
            setting: Setting::default(),
            max_waiters: DEFAULT_MAX_WAITERS,
        }
    }

    /// Takes the lock on a key, and waits for it at most for `wait`.
    ///
    /// Those who wait in one process are served in the order in which they came. A lock that is dropped is released in
    /// the background.
    ///
    /// # Errors
    ///
    /// [`LockTimeout`](StorageErrorKind::LockTimeout) when `wait` is over;
    /// [`TooManyWaiters`](StorageErrorKind::TooManyWaiters), at once, when too many are waiting already.
    pub async fn acquire(&self, key: &SessionKey, wait: Duration) -> Result<Lock, StorageError> {
        let key = *key;
        let ask = || {
            let shared = self.shared.clone();
            run("acquire", NAME, move || {
                let token = LockToken::generate(&*shared.folder.entropy);
                let ticket = LockTicket { key, token };
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
        asked.map_err(|no_answer| match no_answer {
            NoAnswer::TooMany => StorageError::new(StorageErrorKind::TooManyWaiters, "acquire", NAME),
            NoAnswer::Timeout => StorageError::new(StorageErrorKind::LockTimeout, "acquire", NAME),
            NoAnswer::Failed(error) => error,
        })
    }

    /// Gives a lock up. One that is no longer held is no error.
    ///
    /// # Errors
    ///
    /// Trouble with the folder. The lock then ends with its lease.
    pub async fn release(&self, mut lock: Lock) -> Result<(), StorageError> {
        let ticket = lock.ticket();
        let shared = self.shared.clone();
        run("release", NAME, move || shared.release(&ticket)).await?;
        lock.spend();
        Ok(())
    }

    /// Extends the lease of a lock that is still held: it runs anew from now.
    ///
    /// # Errors
    ///
    /// [`LockLost`](StorageErrorKind::LockLost).
    pub async fn renew(&self, ticket: &LockTicket) -> Result<(), StorageError> {
        let ticket = *ticket;
        let shared = self.shared.clone();
        run("renew", NAME, move || {
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

    /// Whether a lock is still held.
    ///
    /// # Errors
    ///
    /// Trouble with the folder.
    pub async fn is_held(&self, ticket: &LockTicket) -> Result<bool, StorageError> {
        let ticket = *ticket;
        let shared = self.shared.clone();
        run("renew", NAME, move || shared.folder.is_holder(&ticket, NO_RECORD)).await
    }
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
            give_up_soon(this, ticket);
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

impl fmt::Debug for FileLocksBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileLocksBuilder")
            .field("folder", &self.folder)
            .field("lease", &self.setting.lease)
            .field("max_waiters", &self.max_waiters)
            .finish_non_exhaustive()
    }
}
