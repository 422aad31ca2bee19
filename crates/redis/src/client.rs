//! [`Client`]: what storage and locks have in common.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Weak};
use std::time::Duration;

use redis::{Cmd, Value};
use sessile_core::{LockId, SessionKey, Timestamp};

use crate::background::Background;
use crate::clock::ServerClock;
use crate::conditional_set::ConditionalSet;
use crate::error::Failure;
use crate::held::HeldLocks;
use crate::keys::Keyspace;
use crate::net::{Idempotency, Router, TopologyConfig};
use crate::options::Options;
use crate::reply::Reply;
use crate::wait::WaitQueues;

/// The purpose of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Sessions, and locks on them.
    Sessions,
    /// Locks alone.
    Locks,
}

impl Kind {
    /// Returns the name in errors and logs.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sessions => "redis",
            Self::Locks => "redis locks",
        }
    }

    /// Returns the name of the operation that takes a lock.
    pub(crate) const fn locking(self) -> &'static str {
        match self {
            Self::Sessions => "lock",
            Self::Locks => "acquire",
        }
    }
}

/// The settings of a client, after validation.
pub(crate) struct ClientConfig {
    pub(crate) kind: Kind,
    pub(crate) keys: Keyspace,
    pub(crate) prefix: String,
    pub(crate) options: Options,
    pub(crate) timeout: Duration,
    /// The name of this process in the names of its channels.
    pub(crate) process: String,
    pub(crate) topology: TopologyConfig,
}

/// Sends storage operations to the servers, and keeps the state of this process that belongs to them.
pub(crate) struct Client {
    me: Weak<Self>,
    pub(crate) kind: Kind,
    pub(crate) router: Router,
    pub(crate) keys: Keyspace,
    pub(crate) clock: ServerClock,
    /// The servers that support conditional `SET`.
    pub(crate) conditional_set: ConditionalSet,
    pub(crate) options: Options,
    /// The number of writes that have reached too few replicas.
    pub(crate) shortfalls: AtomicU64,
    /// The wait queues of this process.
    pub(crate) queues: Arc<WaitQueues>,
    /// The name of this process in the names of its channels.
    pub(crate) process: String,
    /// The locks that this process holds.
    pub(crate) held: HeldLocks,
    pub(crate) background: Arc<Background<Self>>,
}

impl Client {
    /// Creates a client. It connects when it is first used.
    pub(crate) fn new(config: &Arc<ClientConfig>) -> Arc<Self> {
        Arc::new_cyclic(|me: &Weak<Self>| {
            let client = Weak::clone(me);
            let abandon = Box::new(move |key, token| {
                if let Some(client) = client.upgrade() {
                    client.abandon(LockId::new(key, token));
                }
            });
            let queues = WaitQueues::new(config.options.max_waiters, abandon);
            let topology = config.topology.build(queues.clone());
            let for_background = Arc::clone(config);
            Self {
                me: Weak::clone(me),
                kind: config.kind,
                router: Router::new(config.timeout, topology, &config.prefix),
                keys: config.keys.clone(),
                clock: ServerClock::default(),
                conditional_set: ConditionalSet::default(),
                options: config.options.clone(),
                shortfalls: AtomicU64::new(0),
                queues,
                process: config.process.clone(),
                held: HeldLocks::default(),
                background: Background::new(move || Self::new(&for_background)),
            }
        })
    }

    /// Returns the value under this name, which is one of those of the session.
    pub(crate) async fn get(&self, key: &SessionKey, name: &[u8]) -> Result<Value, Failure> {
        let mut get = Cmd::with_capacity(2, 80);
        get.arg("GET").arg(name);
        self.router.send(key.shard(), &get, Idempotency::Idempotent).await
    }

    /// Sends a command that calls a script, and returns its reply.
    pub(crate) async fn eval(&self, key: &SessionKey, cmd: &Cmd, idempotency: Idempotency) -> Result<Reply, Failure> {
        let (reply, now) = Reply::read(self.router.send(key.shard(), cmd, idempotency).await?)?;
        self.learn(now);
        Ok(reply)
    }

    /// Sets the clock by the time that came with a reply.
    pub(crate) fn learn(&self, now: Option<Timestamp>) {
        if let Some(now) = now {
            self.clock.learn(now);
        }
    }

    /// Does work that no caller waits for. It may be started more than once.
    pub(crate) fn spawn_background<F>(&self, work: impl Fn(Arc<Self>) -> F + Send + Sync + 'static)
    where
        F: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        if let Some(client) = self.me.upgrade() {
            self.background.spawn(client, work);
        }
    }
}

/// The last handle waits for the locks that the background thread still has to release: the process may be about to
/// end.
impl Drop for Client {
    fn drop(&mut self) {
        self.background.wait_for_thread(self.router.timeout);
    }
}

/// Converts a duration to the milliseconds that Redis takes.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).max(1)
}
