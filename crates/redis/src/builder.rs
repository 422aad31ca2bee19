//! [`RedisStorageBuilder`].

use std::sync::Arc;
use std::time::Duration;

use sessile_core::{DEFAULT_LEASE, DEFAULT_MAX_WAITERS, StorageError, StorageErrorKind};
use tokio::runtime::Handle;

use crate::clock::ServerClock;
use crate::engine::{Engine, Options};
use crate::error::NAME;
use crate::keys::Keyspace;
use crate::net::{Dialer, Net};
use crate::storage::RedisStorage;

/// Configures a [`RedisStorage`].
#[derive(Clone)]
#[must_use]
pub struct RedisStorageBuilder {
    url: String,
    prefix: String,
    timeout: Duration,
    username: Option<String>,
    password: Option<String>,
    database: Option<i64>,
    options: Options,
}

impl RedisStorageBuilder {
    pub(crate) fn new(url: &str) -> Self {
        Self {
            url: url.into(),
            prefix: "sessile:".into(),
            timeout: Duration::from_secs(2),
            username: None,
            password: None,
            database: None,
            options: Options {
                lease: DEFAULT_LEASE,
                max_waiters: DEFAULT_MAX_WAITERS,
                tombstone: Duration::from_secs(60),
            },
        }
    }

    /// What all keys begin with. `sessile:` unless set; without braces.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// How long any call may take, waiting for locks apart: 2 seconds unless set.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long a lock is held without being renewed: 30 seconds unless set.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.options.lease = lease;
        self
    }

    /// How many may wait for one session's lock in this process: 1,024 unless set.
    pub fn max_waiters(mut self, max_waiters: usize) -> Self {
        self.options.max_waiters = max_waiters;
        self
    }

    /// How long a tombstone stands: 60 seconds unless set.
    pub fn tombstone(mut self, tombstone: Duration) -> Self {
        self.options.tombstone = tombstone;
        self
    }

    /// The ACL user to log in as, instead of that of the URL.
    pub fn username(mut self, username: impl Into<String>) -> Self {
        self.username = Some(username.into());
        self
    }

    /// The password to log in with, instead of that of the URL.
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// The number of the database, instead of that of the URL.
    pub fn database(mut self, database: i64) -> Self {
        self.database = Some(database);
        self
    }

    /// Connects.
    ///
    /// # Errors
    ///
    /// When the URL or the prefix cannot be used, or the server cannot be reached or refuses.
    pub async fn connect(self) -> Result<RedisStorage, StorageError> {
        let error = |kind| StorageError::new(kind, "connect", NAME);
        let keys = Keyspace::new(self.prefix)
            .ok_or_else(|| error(StorageErrorKind::Unsupported).with_source("the prefix contains a brace"))?;
        let (mut dialer, addr) = Dialer::new(&self.url, self.timeout).map_err(|f| f.into_error("connect"))?;
        dialer.authenticate(self.username.as_deref(), self.password.as_deref());
        if let Some(database) = self.database {
            dialer.select(database);
        }
        let line = dialer.line(addr, None).map_err(|f| f.into_error("connect"))?;
        let engine = Engine {
            net: Net::new(self.timeout, line),
            keys,
            clock: ServerClock::default(),
            options: self.options,
            runtime: Handle::current(),
        };
        engine.greet().await.map_err(|f| f.into_error("connect"))?;
        Ok(RedisStorage::new(Arc::new(engine)))
    }
}

impl std::fmt::Debug for RedisStorageBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisStorageBuilder")
            .field("prefix", &self.prefix)
            .field("timeout", &self.timeout)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
