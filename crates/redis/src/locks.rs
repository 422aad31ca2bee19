//! [`RedisLocks`]: the locks alone, for records that are stored elsewhere.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use redis::Value;
use sessile_core::{Lock, LockId, Lookup, SessionKey, StorageError, StorageErrorKind};

use crate::client::{Client, Kind};
use crate::connect::connect;
use crate::error::Failure;
use crate::options::Options;
use crate::reply::Reply;
use crate::servers::RedisServers;

/// The name of these locks in errors.
const NAME: &str = Kind::Locks.name();

/// Locks that processes share through Redis: one on each key.
///
/// They are the locks of a [`RedisStorage`](crate::RedisStorage), without the sessions: a lock is a lease, waiters in
/// one process are served in order of arrival, processes take turns, and a lock that is released is handed over by
/// message. Cloning is cheap; all clones are the same.
///
/// A holder that writes to another store under such a lock must let that store check that there was no other write
/// meanwhile, for example by a version. When a lease is over, or in a failover, another process may get the lock
/// without the first holder knowing.
///
/// ```no_run
/// use std::time::Duration;
/// use sessile_core::{OsEntropy, SessionId, StorageErrorKind};
/// use sessile_redis::RedisLocks;
///
/// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let locks = RedisLocks::connect("redis://localhost").await?;
/// let key = SessionId::generate(&OsEntropy).key();
///
/// let lock = locks.acquire(&key, Duration::from_secs(10)).await?;
/// let other = locks.acquire(&key, Duration::ZERO).await.unwrap_err();
/// assert_eq!(other.kind(), StorageErrorKind::LockTimeout);
/// locks.release(lock).await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct RedisLocks {
    client: Arc<Client>,
}

/// Configures [`RedisLocks`].
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until it connects"]
pub struct RedisLocksBuilder {
    servers: RedisServers,
    prefix: String,
    options: Options,
}

impl RedisLocksBuilder {
    /// Sets the prefix of all keys; the default is `sessile-locks:`. It must not contain braces, nor be the prefix of a
    /// storage.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Sets how long a lock is held without being renewed; the default is 6 seconds.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.options.lease = lease;
        self
    }

    /// Sets how many tasks of this process may wait for one lock; the default is 1,024.
    pub fn max_waiters(mut self, max_waiters: usize) -> Self {
        self.options.max_waiters = max_waiters;
        self
    }

    /// Sets the interval at which a process that waits polls, in case a message was lost; the default is one second.
    pub fn poll(mut self, poll: Duration) -> Self {
        self.options.poll = poll;
        self
    }

    /// Connects.
    ///
    /// # Errors
    ///
    /// As for [`RedisStorageBuilder::connect`](crate::RedisStorageBuilder::connect).
    pub async fn connect(self) -> Result<RedisLocks, StorageError> {
        let client = connect(self.servers, self.prefix, self.options, Kind::Locks).await?;
        Ok(RedisLocks { client })
    }
}

impl RedisLocks {
    /// Connects with default settings.
    ///
    /// # Errors
    ///
    /// As for [`RedisStorageBuilder::connect`](crate::RedisStorageBuilder::connect).
    pub async fn connect(servers: impl Into<RedisServers>) -> Result<Self, StorageError> {
        Self::builder(servers).connect().await
    }

    /// Returns a builder with default settings.
    pub fn builder(servers: impl Into<RedisServers>) -> RedisLocksBuilder {
        RedisLocksBuilder {
            servers: servers.into(),
            prefix: "sessile-locks:".into(),
            options: Options::default(),
        }
    }

    /// Takes the lock on a key, waiting for it up to `wait`.
    ///
    /// A lock that is dropped is released in the background. If the future is dropped, no lock is left behind.
    ///
    /// # Errors
    ///
    /// [`LockTimeout`](StorageErrorKind::LockTimeout) when `wait` is over;
    /// [`TooManyWaiters`](StorageErrorKind::TooManyWaiters), at once, when too many tasks are waiting already; the
    /// errors of an unreachable or failing server.
    pub async fn acquire(&self, key: &SessionKey, wait: Duration) -> Result<Lock, StorageError> {
        match self.client.lock(key, wait).await? {
            Lookup::Found((lock, _)) => Ok(lock),
            Lookup::Missing | Lookup::Superseded => Err(Failure::UnexpectedReply.into_error("acquire", NAME)),
        }
    }

    /// Releases a lock. Releasing a lock that is no longer held is not an error.
    ///
    /// # Errors
    ///
    /// The errors of an unreachable or failing server. The lock then ends with its lease.
    pub async fn release(&self, mut lock: Lock) -> Result<(), StorageError> {
        let released = self.client.release(&lock.id()).await;
        released.map_err(|failure| failure.into_error("release", NAME))?;
        lock.disarm();
        Ok(())
    }

    /// Extends the lease of a lock that is still held: it restarts now.
    ///
    /// # Errors
    ///
    /// [`LockLost`](StorageErrorKind::LockLost) when it is not held any longer; the errors of an unreachable or failing
    /// server.
    pub async fn renew(&self, lock_id: &LockId) -> Result<(), StorageError> {
        match self.client.renew(lock_id).await {
            Ok(Reply::Done(_)) => Ok(()),
            Ok(Reply::Lost) => Err(StorageError::new(StorageErrorKind::LockLost, "renew", NAME)),
            Ok(_) => Err(Failure::UnexpectedReply.into_error("renew", NAME)),
            Err(failure) => Err(failure.into_error("renew", NAME)),
        }
    }

    /// Waits until every lock that was taken through this value or a clone of it is released, at most for `patience`,
    /// and then releases those that are left: their holders find them lost. Also waits for pending releases in the
    /// background. Intended for a process that is about to end.
    ///
    /// ```no_run
    /// use std::time::Duration;
    /// use sessile_core::{OsEntropy, SessionId};
    /// use sessile_redis::RedisLocks;
    ///
    /// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let locks = RedisLocks::connect("redis://localhost").await?;
    /// let key = SessionId::generate(&OsEntropy).key();
    /// let lock = locks.acquire(&key, Duration::ZERO).await?;
    ///
    /// locks.drain(Duration::from_millis(10)).await;
    /// assert!(!locks.is_held(&lock.id()).await?);
    /// # Ok(()) }
    /// ```
    pub async fn drain(&self, patience: Duration) {
        self.client.drain(patience).await;
    }

    /// Returns whether a lock is still held.
    ///
    /// # Errors
    ///
    /// The errors of an unreachable or failing server.
    pub async fn is_held(&self, lock_id: &LockId) -> Result<bool, StorageError> {
        let (client, key) = (&self.client, &lock_id.key);
        let holder = client.get(key, &client.keys.lock(key)).await;
        let holder = holder.map_err(|failure| failure.into_error("is_held", NAME))?;
        Ok(matches!(holder, Value::BulkString(token) if token == lock_id.token.as_bytes()))
    }
}

impl fmt::Debug for RedisLocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisLocks")
            .field("keys", &self.client.keys)
            .finish_non_exhaustive()
    }
}
