//! [`RedisStorageBuilder`].

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Weak};
use std::time::Duration;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use sessile_core::{
    DEFAULT_LEASE, DEFAULT_MAX_WAITERS, Entropy as _, LockTicket, LockToken, OsEntropy, SessionKey, StorageError,
    StorageErrorKind,
};
use tokio::runtime::Handle;

use crate::clock::ServerClock;
use crate::durable::{Durability, Shortfall};
use crate::engine::{Engine, Options};
use crate::error::{Failure, NAME};
use crate::keys::Keyspace;
use crate::net::{Cluster, Dialer, Fleet, Net, Node, Sentinel, Tls};
use crate::storage::RedisStorage;
use crate::wait::Lines;

/// Where the servers are.
#[derive(Clone)]
pub(crate) enum Servers {
    /// One, at this URL.
    Single(String),
    /// Whichever the sentinels at these URLs say is the primary of this name.
    Sentinel(Vec<String>, String),
    /// A cluster, of which some nodes are at these URLs.
    Cluster(Vec<String>),
}

/// Configures a [`RedisStorage`].
#[derive(Clone)]
#[must_use]
pub struct RedisStorageBuilder {
    servers: Servers,
    prefix: String,
    timeout: Duration,
    username: Option<String>,
    password: Option<String>,
    database: Option<i64>,
    tls: Tls,
    options: Options,
}

impl RedisStorageBuilder {
    pub(crate) fn new(servers: Servers) -> Self {
        Self {
            servers,
            prefix: "sessile:".into(),
            timeout: Duration::from_secs(2),
            username: None,
            password: None,
            database: None,
            tls: Tls::default(),
            options: Options {
                lease: DEFAULT_LEASE,
                max_waiters: DEFAULT_MAX_WAITERS,
                tombstone: Duration::from_secs(60),
                poll: Duration::from_secs(1),
                durability: None,
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

    /// Lets logouts and rotations count only when this many replicas have them, and waits for that at most this long.
    ///
    /// Unless set, what the primary has done counts. A write that falls short is an error; see [`Shortfall`].
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

    /// Trusts this authority (certificates as PEM) instead of those the operating system trusts.
    #[cfg(feature = "tls")]
    pub fn root_certificate(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.tls.root = Some(pem.into());
        self
    }

    /// Shows this certificate (chain as PEM) to servers that ask for one, and proves it with this key (PEM).
    #[cfg(feature = "tls")]
    pub fn client_certificate(mut self, chain: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        self.tls.client = Some((chain.into(), key.into()));
        self
    }

    /// Connects.
    ///
    /// # Errors
    ///
    /// When the URL or the prefix cannot be used, or the server cannot be reached or refuses.
    pub async fn connect(self) -> Result<RedisStorage, StorageError> {
        let error = |kind| StorageError::new(kind, "connect", NAME);
        let keys = Keyspace::new(self.prefix.clone())
            .ok_or_else(|| error(StorageErrorKind::Unsupported).with_source("the prefix contains a brace"))?;
        let fleet = self.fleet().map_err(|failure| failure.into_error("connect"))?;
        let options = self.options;
        let engine = Arc::new_cyclic(|me: &Weak<Engine>| {
            let lines = Lines::new(options.max_waiters, abandon(Weak::clone(me)));
            Engine {
                me: Weak::clone(me),
                net: Net::new(self.timeout, fleet(&lines)),
                keys,
                clock: ServerClock::default(),
                options,
                shortfalls: AtomicU64::new(0),
                lines,
                process: process_name(),
                runtime: Handle::current(),
            }
        });
        engine.greet().await.map_err(|failure| failure.into_error("connect"))?;
        // That a server does not tell about itself is no reason not to use it.
        #[cfg(feature = "tracing")]
        if let Ok(findings) = crate::check::check(&engine).await {
            for finding in findings {
                tracing::warn!(%finding, "sessions are at risk");
            }
        }
        Ok(RedisStorage::new(engine))
    }

    /// What the servers will be, once there are lines to tell about their messages.
    fn fleet(&self) -> Result<impl FnOnce(&Arc<Lines>) -> Fleet + use<>, Failure> {
        let dial = |url: &String| Dialer::new(url, self.timeout, &self.tls);
        let urls = match &self.servers {
            Servers::Single(url) => std::slice::from_ref(url),
            Servers::Sentinel(urls, _) | Servers::Cluster(urls) => urls,
        };
        let dialers = urls.iter().map(dial).collect::<Result<Vec<_>, _>>()?;
        let Some(first) = dialers.first() else {
            let kind = redis::ErrorKind::InvalidClientConfig;
            return Err(Failure::Setup((kind, "at least one URL is needed").into()));
        };
        let mut dialer = match self.servers {
            // The credentials of the sentinels' URLs are for the sentinels.
            Servers::Sentinel(..) => first.without_credentials(),
            _ => first.clone(),
        };
        dialer.authenticate(self.username.as_deref(), self.password.as_deref());
        if let Some(database) = self.database {
            dialer.select(database);
        }
        if let Some(durability) = &self.options.durability {
            dialer.allow_for_replication(durability.timeout);
        }
        let servers = self.servers.clone();
        Ok(move |lines: &Arc<Lines>| match servers {
            Servers::Single(_) => Fleet::Single(Node::new(&dialer, dialer.addr(), lines)),
            Servers::Sentinel(_, name) => {
                let sentinels = dialers.iter().map(|dialer| dialer.line(dialer.addr(), None)).collect();
                Fleet::Sentinel(Sentinel::new(sentinels, name, dialer, Arc::clone(lines)))
            }
            Servers::Cluster(_) => {
                let seeds = dialers.iter().map(Dialer::addr).collect();
                Fleet::Cluster(Cluster::new(dialer, seeds, Arc::clone(lines)))
            }
        })
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
    Base64UrlUnpadded::encode_string(&random)
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
