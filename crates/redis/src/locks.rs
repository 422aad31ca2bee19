//! [`RedisLocks`]: the locks alone, for records that are kept elsewhere.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use redis::Value;
use sessile_core::{Lock, LockTicket, Lookup, SessionKey, StorageError, StorageErrorKind};

use crate::answer::Answer;
use crate::engine::{Engine, Kind, Options};
use crate::error::Failure;
use crate::net::Again;
use crate::servers::RedisServers;

/// What these locks are called in errors.
const NAME: &str = Kind::Locks.name();

/// Locks that processes share through Redis: one on each key.
///
/// They are those of a [`RedisStorage`](crate::RedisStorage), without the sessions: a lock is a lease, those who wait in
/// one process are served in the order in which they came, processes take turns, and a lock that is given up is handed
/// over by message. Cloning is cheap; all clones are the same.
///
/// Who writes elsewhere under such a lock must let that other place check that nobody else has written meanwhile, by a
/// version or the like: when a lease is over, or in a failover, another may hold the lock without the first knowing.
///
/// ```
/// use std::time::Duration;
/// use sessile_core::{OsEntropy, SessionId, StorageErrorKind};
/// use sessile_redis::RedisLocks;
///
/// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = sessile_testkit::redis::RedisServer::start();
/// # let url = server.url();
/// let locks = RedisLocks::connect(&url).await?;
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
    engine: Arc<Engine>,
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
    /// What all keys begin with: `sessile-locks:` unless set. It must not contain braces, nor be that of a storage.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// How long a lock is held without being renewed: 6 seconds unless set.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.options.lease = lease;
        self
    }

    /// How many may wait for one lock in this process: 1,024 unless set.
    pub fn max_waiters(mut self, max_waiters: usize) -> Self {
        self.options.max_waiters = max_waiters;
        self
    }

    /// How often a process that waits looks by itself, should a message have been lost: every second unless set.
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
        let engine = Engine::connect(self.servers, self.prefix, self.options, Kind::Locks).await?;
        Ok(RedisLocks { engine })
    }
}

impl RedisLocks {
    /// Connects, with the defaults for everything else.
    ///
    /// # Errors
    ///
    /// As for [`RedisStorageBuilder::connect`](crate::RedisStorageBuilder::connect).
    pub async fn connect(servers: impl Into<RedisServers>) -> Result<Self, StorageError> {
        Self::builder(servers).connect().await
    }

    /// For locks that are not as they are by default.
    pub fn builder(servers: impl Into<RedisServers>) -> RedisLocksBuilder {
        RedisLocksBuilder {
            servers: servers.into(),
            prefix: "sessile-locks:".into(),
            options: Options::default(),
        }
    }

    /// Takes the lock on a key, and waits for it at most for `wait`.
    ///
    /// A lock that is dropped is released in the background. If the future is dropped, no lock is left behind.
    ///
    /// # Errors
    ///
    /// [`LockTimeout`](StorageErrorKind::LockTimeout) when `wait` is over;
    /// [`TooManyWaiters`](StorageErrorKind::TooManyWaiters), at once, when too many are waiting already; trouble with the
    /// servers.
    pub async fn acquire(&self, key: &SessionKey, wait: Duration) -> Result<Lock, StorageError> {
        match self.engine.lock(key, wait).await? {
            Lookup::Found((lock, _)) => Ok(lock),
            Lookup::Missing | Lookup::Superseded => Err(Failure::Nonsense.into_error("acquire", NAME)),
        }
    }

    /// Gives a lock up. One that is no longer held is no error.
    ///
    /// # Errors
    ///
    /// Trouble with the servers. The lock then ends with its lease.
    pub async fn release(&self, mut lock: Lock) -> Result<(), StorageError> {
        let released = self.engine.release(&lock.ticket()).await;
        released.map_err(|failure| failure.into_error("release", NAME))?;
        lock.spend();
        Ok(())
    }

    /// Extends the lease of a lock that is still held: it runs anew from now.
    ///
    /// # Errors
    ///
    /// [`LockLost`](StorageErrorKind::LockLost) when it is not; trouble with the servers.
    pub async fn renew(&self, ticket: &LockTicket) -> Result<(), StorageError> {
        match self.engine.renew(ticket).await {
            Ok(Answer::Done(_)) => Ok(()),
            Ok(Answer::Lost) => Err(StorageError::new(StorageErrorKind::LockLost, "renew", NAME)),
            Ok(_) => Err(Failure::Nonsense.into_error("renew", NAME)),
            Err(failure) => Err(failure.into_error("renew", NAME)),
        }
    }

    /// Waits until no lock that was taken through this value, or a clone of it, is held any more, at most for
    /// `patience`, and then gives up those that are left: their holders find that they are lost. Waits for what is
    /// released in the background as well. For a process that is about to end.
    ///
    /// ```
    /// use std::time::Duration;
    /// use sessile_core::{OsEntropy, SessionId};
    /// use sessile_redis::RedisLocks;
    ///
    /// # #[tokio::main] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = sessile_testkit::redis::RedisServer::start();
    /// # let url = server.url();
    /// let locks = RedisLocks::connect(&url).await?;
    /// let key = SessionId::generate(&OsEntropy).key();
    /// let lock = locks.acquire(&key, Duration::ZERO).await?;
    ///
    /// locks.drain(Duration::from_millis(10)).await;
    /// assert!(!locks.is_held(&lock.ticket()).await?);
    /// # Ok(()) }
    /// ```
    pub async fn drain(&self, patience: Duration) {
        self.engine.drain(patience).await;
    }

    /// Whether a lock is still held.
    ///
    /// # Errors
    ///
    /// Trouble with the servers.
    pub async fn is_held(&self, ticket: &LockTicket) -> Result<bool, StorageError> {
        let mut get = redis::cmd("GET");
        get.arg(self.engine.keys.lock(&ticket.key));
        let holder = self.engine.net.send(ticket.key.shard(), &get, Again::Harmless).await;
        let holder = holder.map_err(|failure| failure.into_error("is_held", NAME))?;
        Ok(matches!(holder, Value::BulkString(token) if token == ticket.token.as_bytes()))
    }
}

impl fmt::Debug for RedisLocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisLocks")
            .field("keys", &self.engine.keys)
            .finish_non_exhaustive()
    }
}
