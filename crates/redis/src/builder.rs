//! [`RedisStorageBuilder`].

use std::pin::Pin;
use std::time::Duration;

use sessile_core::StorageError;

use crate::client::Kind;
use crate::connect::connect;
use crate::durability::{Durability, Shortfall};
use crate::options::Options;
use crate::servers::RedisServers;
use crate::storage::RedisStorage;

/// Configures a [`RedisStorage`].
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until it connects"]
pub struct RedisStorageBuilder {
    servers: RedisServers,
    prefix: String,
    options: Options,
}

impl RedisStorageBuilder {
    /// Sets the prefix of all keys; the default is `sessile:`. It must not contain braces. Each byte of it is stored
    /// with each session.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Sets how long a lock is held without being renewed; the default is 6 seconds. Connecting refuses less than a
    /// millisecond, as for the other durations of this builder except the tombstone's. More than a century counts as a
    /// century.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.options.lease = lease;
        self
    }

    /// Sets how many tasks of this process may wait for the lock of one session; the default is 1,024.
    pub fn max_waiters(mut self, max_waiters: usize) -> Self {
        self.options.max_waiters = max_waiters;
        self
    }

    /// Sets how long the tombstone of a rotated key remains; the default is 60 seconds.
    pub fn tombstone_ttl(mut self, tombstone_ttl: Duration) -> Self {
        self.options.tombstone_ttl = tombstone_ttl;
        self
    }

    /// Sets the interval at which a process that waits for a lock polls, in case a message was lost; the default is one
    /// second. A lock that is released is handed over by message and does not wait for this.
    pub fn poll(mut self, poll: Duration) -> Self {
        self.options.poll = poll;
        self
    }

    /// Requires that logouts and rotations have reached this many replicas, and waits for them up to `timeout`.
    ///
    /// By default, a write counts once the primary has executed it, and a failover can undo it. A write that reaches
    /// too few replicas fails; see [`Shortfall`].
    ///
    /// ```
    /// use std::time::Duration;
    /// use sessile_redis::{RedisServers, RedisStorage};
    ///
    /// let servers = RedisServers::sentinel(["redis://s1:26379"], "primary");
    /// let builder = RedisStorage::builder(servers).durable(1, Duration::from_millis(200));
    /// # let _ = builder;
    /// ```
    pub fn durable(mut self, replicas: u32, timeout: Duration) -> Self {
        self.options.durability = Some(Durability {
            replicas,
            timeout,
            commits: false,
            shortfall: Shortfall::Fail,
        });
        self
    }

    /// Requires the same of new sessions and commits. Has no effect without [`durable`](Self::durable).
    pub fn durable_commits(mut self) -> Self {
        if let Some(durability) = &mut self.options.durability {
            durability.commits = true;
        }
        self
    }

    /// Sets what happens when a write reaches too few replicas. Has no effect without [`durable`](Self::durable).
    pub fn on_shortfall(mut self, shortfall: Shortfall) -> Self {
        if let Some(durability) = &mut self.options.durability {
            durability.shortfall = shortfall;
        }
        self
    }

    /// Connects, and checks for [settings that put sessions at risk](crate::Finding).
    ///
    /// The storage may be used in other runtimes than the current one, and may outlive it. A connection that ends with
    /// its runtime is replaced in the next runtime that needs it. A lock that is dropped outside of a runtime is
    /// released by a dedicated thread. A runtime that exists but is no longer driven looks like a server that does not
    /// reply: a call that uses one of its connections times out before another is made.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](sessile_core::StorageErrorKind::Unsupported) if a URL, a certificate or the prefix cannot be
    /// used, or if a server that was configured as a single server, or named by sentinels, is a node of a cluster;
    /// [`Denied`](sessile_core::StorageErrorKind::Denied) if the server refuses the login;
    /// [`Unavailable`](sessile_core::StorageErrorKind::Unavailable) or
    /// [`Timeout`](sessile_core::StorageErrorKind::Timeout) if it cannot be reached.
    pub async fn connect(self) -> Result<RedisStorage, StorageError> {
        let connecting = async move {
            let client = connect(self.servers, self.prefix, self.options, Kind::Sessions).await?;
            #[cfg(feature = "tracing")]
            // A server may forbid INFO. This is no reason to refuse it.
            if let Ok(findings) = crate::check::check(&client).await {
                for finding in findings {
                    tracing::warn!(%finding, "sessions are at risk");
                }
            }
            Ok(RedisStorage { client })
        };
        // Boxed because its type is deep, and would become part of the type of every future that connects.
        let connecting: Pin<Box<dyn Future<Output = Result<RedisStorage, StorageError>> + Send>> = Box::pin(connecting);
        connecting.await
    }
}

impl RedisStorage {
    /// Connects with default settings.
    ///
    /// # Errors
    ///
    /// As for [`RedisStorageBuilder::connect`].
    pub async fn connect(servers: impl Into<RedisServers>) -> Result<Self, StorageError> {
        Self::builder(servers).connect().await
    }

    /// Returns a builder with default settings.
    pub fn builder(servers: impl Into<RedisServers>) -> RedisStorageBuilder {
        RedisStorageBuilder {
            servers: servers.into(),
            prefix: "sessile:".into(),
            options: Options::default(),
        }
    }
}
