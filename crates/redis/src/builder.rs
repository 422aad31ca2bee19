//! [`RedisStorageBuilder`].

use std::sync::{Arc, Weak};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sessile_core::{
    DEFAULT_LEASE, DEFAULT_MAX_WAITERS, Entropy as _, LockTicket, LockToken, OsEntropy, SessionKey, StorageError,
    StorageErrorKind,
};
use tokio::runtime::Handle;

use crate::clock::ServerClock;
use crate::engine::{Engine, Options};
use crate::error::NAME;
use crate::keys::Keyspace;
use crate::net::{Dialer, Net, Node};
use crate::storage::RedisStorage;
use crate::wait::Lines;

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
                poll: Duration::from_secs(1),
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

    /// How often a process that waits for a lock looks by itself, should a message have been lost: every second unless
    /// set. A lock that is given up is handed over by message and does not wait for this.
    pub fn poll(mut self, poll: Duration) -> Self {
        self.options.poll = poll;
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
        let mut dialer = Dialer::new(&self.url, self.timeout).map_err(|f| f.into_error("connect"))?;
        dialer.authenticate(self.username.as_deref(), self.password.as_deref());
        if let Some(database) = self.database {
            dialer.select(database);
        }
        let options = self.options;
        let engine = Arc::new_cyclic(|me: &Weak<Engine>| {
            let lines = Lines::new(options.max_waiters, abandon(Weak::clone(me)));
            let node = Node::new(&dialer, dialer.addr(), &lines);
            Engine {
                me: Weak::clone(me),
                net: Net::new(self.timeout, node),
                keys,
                clock: ServerClock::default(),
                options,
                lines,
                process: process_name(),
                runtime: Handle::current(),
            }
        });
        engine.greet().await.map_err(|f| f.into_error("connect"))?;
        Ok(RedisStorage::new(engine))
    }
}

/// Gives a token back that nobody wants any longer.
fn abandon(engine: Weak<Engine>) -> Box<dyn Fn(SessionKey, LockToken) + Send + Sync> {
    Box::new(move |key, token| {
        if let Some(engine) = engine.upgrade() {
            let ticket = LockTicket { key, token };
            engine.in_background(move |engine| async move { engine.abandon(&ticket).await });
        }
    })
}

/// A name that no other process has: 96 random bits.
fn process_name() -> String {
    let mut random = [0; 12];
    OsEntropy.fill(&mut random);
    URL_SAFE_NO_PAD.encode(random)
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
