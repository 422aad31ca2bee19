//! [`Engine`]: the verbs, told to the server.

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Weak};
use std::time::Duration;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use redis::{Cmd, ErrorKind, Value};
use sessile_core::{
    DEFAULT_LEASE, DEFAULT_MAX_WAITERS, Entropy as _, LockTicket, LockToken, OsEntropy, SessionKey, StorageError,
    Timestamp,
};

use crate::answer::Answer;
use crate::background::Background;
use crate::check::refuse_nodes_of_a_cluster;
use crate::clock::ServerClock;
use crate::conditions::Conditions;
use crate::durable::Durability;
use crate::error::Failure;
use crate::held::Held;
use crate::keys::Keyspace;
use crate::net::{Again, Fleet, Net};
use crate::servers::RedisServers;
use crate::wait::Lines;

/// What can be set, apart from the way to the servers.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) lease: Duration,
    pub(crate) max_waiters: usize,
    pub(crate) tombstone: Duration,
    pub(crate) poll: Duration,
    pub(crate) durability: Option<Durability>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            lease: DEFAULT_LEASE,
            max_waiters: DEFAULT_MAX_WAITERS,
            tombstone: Duration::from_secs(60),
            poll: Duration::from_secs(1),
            durability: None,
        }
    }
}

/// What an engine is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Sessions, and locks on them.
    Sessions,
    /// Locks alone.
    Locks,
}

impl Kind {
    /// What it is called in errors and logs.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sessions => "redis",
            Self::Locks => "redis locks",
        }
    }

    /// What taking a lock is called.
    pub(crate) const fn locking(self) -> &'static str {
        match self {
            Self::Sessions => "lock",
            Self::Locks => "acquire",
        }
    }
}

type MakeFleet = Box<dyn Fn(&Arc<Lines>) -> Fleet + Send + Sync>;

/// The parts of an engine.
pub(crate) struct Parts {
    kind: Kind,
    keys: Keyspace,
    prefix: String,
    options: Options,
    timeout: Duration,
    /// The name of this process in the names of its channels.
    process: String,
    /// The way to the servers, with connections of its own.
    fleet: MakeFleet,
}

/// What storage and locks have in common.
pub(crate) struct Engine {
    pub(crate) me: Weak<Self>,
    pub(crate) kind: Kind,
    pub(crate) net: Net,
    pub(crate) keys: Keyspace,
    pub(crate) clock: ServerClock,
    /// Which servers set a key only if it has a certain value.
    pub(crate) conditions: Conditions,
    pub(crate) options: Options,
    /// How often a write has reached too few replicas.
    pub(crate) shortfalls: AtomicU64,
    /// Those of this process who wait.
    pub(crate) lines: Arc<Lines>,
    /// What this process is called in the names of its channels.
    pub(crate) process: String,
    /// The locks that are held.
    pub(crate) held: Held,
    /// Work that nobody waits for.
    pub(crate) background: Background,
}

impl Engine {
    /// Connects, and makes sure that somebody answers.
    pub(crate) async fn connect(
        servers: RedisServers,
        prefix: String,
        options: Options,
        kind: Kind,
    ) -> Result<Arc<Self>, StorageError> {
        let failed = |failure: Failure| failure.into_error("connect", kind.name());
        let brace = || Failure::Setup((ErrorKind::InvalidClientConfig, "the prefix contains a brace").into());
        let keys = Keyspace::new(prefix.clone()).ok_or_else(|| failed(brace()))?;
        let options = options.checked().map_err(failed)?;
        let timeout = servers.limit();
        let replication = options
            .durability
            .as_ref()
            .map_or(Duration::ZERO, |durability| durability.timeout);
        let fleet = Box::new(servers.prepare(replication).map_err(failed)?);
        let process = process_name();
        let engine = Self::assemble(&Arc::new(Parts {
            kind,
            keys,
            prefix,
            options,
            timeout,
            process,
            fleet,
        }));
        engine.greet().await.map_err(failed)?;
        refuse_nodes_of_a_cluster(&engine).await.map_err(failed)?;
        crate::probe::rights(&engine).await.map_err(failed)?;
        Ok(engine)
    }

    /// An engine that is not connected yet.
    pub(crate) fn assemble(parts: &Arc<Parts>) -> Arc<Self> {
        Arc::new_cyclic(|me: &Weak<Self>| {
            let lines = Lines::new(parts.options.max_waiters, abandon(Weak::clone(me)));
            Self {
                me: Weak::clone(me),
                kind: parts.kind,
                net: Net::new(parts.timeout, (parts.fleet)(&lines), &parts.prefix),
                keys: parts.keys.clone(),
                clock: ServerClock::default(),
                conditions: Conditions::default(),
                options: parts.options.clone(),
                shortfalls: AtomicU64::new(0),
                lines,
                process: parts.process.clone(),
                held: Held::default(),
                background: Background::new(Arc::clone(parts)),
            }
        })
    }

    /// Makes sure that there is a server, and asks it for the time.
    async fn greet(&self) -> Result<(), Failure> {
        let Value::Array(time) = self.net.send("", &redis::cmd("TIME"), Again::Harmless).await? else {
            return Err(Failure::Nonsense);
        };
        let int = |index: usize| match time.get(index) {
            Some(Value::BulkString(text)) => std::str::from_utf8(text).ok()?.parse::<u64>().ok(),
            _ => None,
        };
        let (seconds, micros) = int(0).zip(int(1)).ok_or(Failure::Nonsense)?;
        self.clock
            .learn(Timestamp::from_millis(seconds * 1_000 + micros / 1_000));
        Ok(())
    }

    /// Sends a command and reads its answer as that of a script.
    pub(crate) async fn ask(&self, key: &SessionKey, cmd: &Cmd, again: Again) -> Result<Answer, Failure> {
        let (answer, now) = Answer::read(self.net.send(key.shard(), cmd, again).await?)?;
        self.learn(now);
        Ok(answer)
    }

    /// Takes note of the time that has come with an answer.
    pub(crate) fn learn(&self, now: Option<Timestamp>) {
        if let Some(now) = now {
            self.clock.learn(now);
        }
    }
}

/// Gives a token back that nobody wants any longer.
fn abandon(engine: Weak<Engine>) -> Box<dyn Fn(SessionKey, LockToken) + Send + Sync> {
    Box::new(move |key, token| {
        if let Some(engine) = engine.upgrade() {
            engine.abandon(LockTicket::new(key, token));
        }
    })
}

/// A name that no other process has: 96 random bits.
fn process_name() -> String {
    let mut random = [0; 12];
    OsEntropy.fill(&mut random);
    Base64UrlUnpadded::encode_string(&random)
}

/// As Redis takes durations.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).max(1)
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("net", &self.net)
            .field("keys", &self.keys)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
