//! [`RedisStorageBuilder`].

use std::pin::Pin;
use std::time::Duration;

use sessile_core::StorageError;

use crate::durable::{Durability, Shortfall};
use crate::engine::{Engine, Kind, Options};
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
    pub(crate) fn new(servers: RedisServers) -> Self {
        Self {
            servers,
            prefix: "sessile:".into(),
            options: Options::default(),
        }
    }

    /// What all keys begin with: `sessile:` unless set. It must not contain braces. Each byte of it is stored with each
    /// session.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// How long a lock is held without being renewed: 6 seconds unless set. Less than a millisecond is refused when
    /// connecting, as it is for the other durations here but the tombstone; more than a century is a century.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.options.lease = lease;
        self
    }

    /// How many may wait for one session's lock in this process: 1,024 unless set.
    pub fn max_waiters(mut self, max_waiters: usize) -> Self {
        self.options.max_waiters = max_waiters;
        self
    }

    /// How long the tombstone of a key that was rotated stands: 60 seconds unless set.
    pub fn tombstone(mut self, tombstone: Duration) -> Self {
        self.options.tombstone = tombstone;
        self
    }

    /// How often a process that waits for a lock looks by itself, should a message have been lost: every second unless
    /// set. A lock that is given up is handed over by message and does not wait for this.
    pub fn poll(mut self, poll: Duration) -> Self {
        self.options.poll = poll;
        self
    }

    /// Lets logouts and rotations count only when this many replicas have them, and waits for that at most this long.
    ///
    /// Unless set, what the primary has done counts, and a failover can undo it. A write that falls short is an error;
    /// see [`Shortfall`].
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

    /// Lets new sessions and commits count only then, too. Without [`durable`](Self::durable) it changes nothing.
    pub fn durable_commits(mut self) -> Self {
        if let Some(durability) = &mut self.options.durability {
            durability.commits = true;
        }
        self
    }

    /// What happens when a write falls short. Without [`durable`](Self::durable) it changes nothing.
    pub fn on_shortfall(mut self, shortfall: Shortfall) -> Self {
        if let Some(durability) = &mut self.options.durability {
            durability.shortfall = shortfall;
        }
        self
    }

    /// Connects, and looks for [settings that put sessions at risk](crate::Finding).
    ///
    /// The storage may be used in other runtimes than the one in which this is called, and longer: a connection that a
    /// runtime takes along when it ends is made anew in the next that needs it, and a lock that is dropped where there is
    /// none is given back by a thread of its own. A runtime that is kept but no longer driven is a server that does not
    /// answer: a call that uses one of its connections fails with a timeout before another is made.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](sessile_core::StorageErrorKind::Unsupported) if a URL, a certificate or the prefix cannot be used,
    /// or if what was named as one server, or by sentinels, is a node of a cluster;
    /// [`Denied`](sessile_core::StorageErrorKind::Denied) if the server does not let us in;
    /// [`Unavailable`](sessile_core::StorageErrorKind::Unavailable) or
    /// [`Timeout`](sessile_core::StorageErrorKind::Timeout) if it cannot be reached.
    pub async fn connect(self) -> Result<RedisStorage, StorageError> {
        let connecting = async move {
            let engine = Engine::connect(self.servers, self.prefix, self.options, Kind::Sessions).await?;
            #[cfg(feature = "tracing")]
            // That a server does not tell about itself is no reason not to use it.
            if let Ok(findings) = crate::check::check(&engine).await {
                for finding in findings {
                    tracing::warn!(%finding, "sessions are at risk");
                }
            }
            Ok(RedisStorage::new(engine))
        };
        // Its type is deep, and would be a part of the type of everything that connects.
        let connecting: Pin<Box<dyn Future<Output = Result<RedisStorage, StorageError>> + Send>> = Box::pin(connecting);
        connecting.await
    }
}
