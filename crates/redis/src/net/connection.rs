//! [`Connection`]: one connection to one server, made when it is needed and replaced when it breaks.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};
use std::time::Duration;

use redis::{Cmd, PushInfo, PushKind, RedisError, ServerError, ServerErrorKind, Value};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::endpoint::Endpoint;
use super::in_time;
use super::state::{LiveConnection, State};
use crate::error::Failure;

/// Receives push messages of a server, and the end of its connection.
pub(crate) trait OnPush: Send + Sync + 'static {
    /// A push message has arrived on the connection of this generation.
    fn push(&self, generation: u64, kind: &PushKind, data: Vec<Value>);
    /// The connection has ended.
    fn disconnected(&self);
}

/// A connection that many tasks share.
///
/// A call that finds the connection broken discards it. The next call that needs one starts an attempt to make
/// another, and all calls that need one meanwhile wait for that attempt.
pub(crate) struct Connection {
    pub(super) endpoint: Endpoint,
    /// The time limit for connecting, and for the reply to a command.
    pub(super) timeout: Duration,
    on_push: Option<Weak<dyn OnPush>>,
    /// Read for each command, by all threads at once, and written when a connection is made or discarded.
    state: RwLock<State>,
    /// Notified when an attempt to connect is over.
    pub(super) attempt_over: Notify,
    /// Other connections to the same server. They end when the server turns out not to be the primary.
    siblings: OnceLock<Box<[Weak<Connection>]>>,
    /// The moment until which the server is trusted to be the primary, in milliseconds of a clock of the callers.
    /// Relaxed, because a stale value costs one proof more, or trusts the server for no longer than a proof is valid.
    trusted_until: AtomicU64,
}

impl Connection {
    pub(super) fn new(endpoint: Endpoint, timeout: Duration, on_push: Option<Weak<dyn OnPush>>) -> Arc<Self> {
        Arc::new(Self {
            endpoint,
            timeout,
            on_push,
            state: RwLock::new(State::new(timeout)),
            attempt_over: Notify::new(),
            siblings: OnceLock::new(),
            trusted_until: AtomicU64::new(0),
        })
    }

    /// Sets the connections that end when this one turns out to lead to a demoted server.
    pub(super) fn set_siblings<'a>(&self, siblings: impl Iterator<Item = &'a Arc<Self>>) {
        let _ = self.siblings.set(siblings.map(Arc::downgrade).collect());
    }

    /// Sends a command and waits for its reply until the deadline.
    pub(crate) async fn send(self: &Arc<Self>, cmd: &Cmd, deadline: Instant) -> Result<Value, Failure> {
        // An open connection enforces the time limit itself, so the usual case needs no timer.
        if let Some(live) = self.current() {
            return self.send_on(live, cmd).await;
        }
        Box::pin(self.connect_and_send(cmd, deadline)).await
    }

    async fn connect_and_send(self: &Arc<Self>, cmd: &Cmd, deadline: Instant) -> Result<Value, Failure> {
        let live = self.connect(deadline).await?;
        let reply = in_time(deadline, self.send_on(live.clone(), cmd)).await;
        self.discard_on_timeout(&live, reply)
    }

    /// Sends several commands back to back. No other command of this process comes between them.
    pub(crate) async fn send_all(
        self: &Arc<Self>,
        pipeline: &redis::Pipeline,
        count: usize,
        deadline: Instant,
    ) -> Result<Vec<Value>, Failure> {
        let mut live = self.connect(deadline).await?;
        let sent = async {
            let outcome = live.connection.send_packed_commands(pipeline, 0, count).await;
            let replies = outcome.map_err(|error| self.discard_failed(live.generation, error))?;
            let mut refusals = replies.iter().filter_map(|reply| match reply {
                Value::ServerError(error) => Some(error),
                _ => None,
            });
            if let Some(error) = refusals.find(|error| is_demoted(error)) {
                self.discard_demoted(live.generation, error);
            }
            Ok(replies)
        };
        let replies = in_time(deadline, sent).await;
        self.discard_on_timeout(&live, replies)
    }

    /// Discards a connection on which no reply came in time.
    fn discard_on_timeout<T>(&self, live: &LiveConnection, reply: Result<T, Failure>) -> Result<T, Failure> {
        if let Err(Failure::Timeout) = reply {
            self.discard(live.generation);
        }
        reply
    }

    /// Sends a command on exactly this connection.
    pub(crate) async fn send_on(&self, mut live: LiveConnection, cmd: &Cmd) -> Result<Value, Failure> {
        match live.connection.send_packed_command(cmd).await {
            Ok(Value::ServerError(error)) => {
                if is_demoted(&error) {
                    self.discard_demoted(live.generation, &error);
                }
                Err(Failure::Refused(error))
            }
            Ok(reply) => Ok(reply),
            Err(error) => Err(self.discard_failed(live.generation, error)),
        }
    }

    /// Discards a connection that failed or timed out: a peer that vanished silently looks like a slow one.
    fn discard_failed(&self, generation: u64, error: RedisError) -> Failure {
        self.discard(generation);
        if error.is_timeout() {
            Failure::Timeout
        } else {
            Failure::Broken(error)
        }
    }

    /// Discards this connection and its siblings because the server is no longer the primary.
    ///
    /// The host name may lead to another server by now, and is resolved again. Until it does, attempts are delayed.
    fn discard_demoted(&self, generation: u64, error: &ServerError) {
        let was_present = self.write_state().discard_demoted(generation, error);
        if was_present {
            self.notify_disconnected();
            for sibling in self.siblings.get().into_iter().flatten().filter_map(Weak::upgrade) {
                sibling.disconnect();
            }
        }
    }

    /// Discards the present connection, if there is one.
    pub(crate) fn disconnect(&self) {
        if let Some(live) = self.current() {
            self.discard(live.generation);
        }
    }

    /// Returns the present connection, if there is one.
    pub(crate) fn current(&self) -> Option<LiveConnection> {
        self.read_state().live.clone()
    }

    /// Returns whether there is a connection.
    pub(super) fn is_connected(&self) -> bool {
        self.read_state().live.is_some()
    }

    /// Discards the connection of this generation, unless it was replaced already, and notifies the receiver of its
    /// messages.
    pub(crate) fn discard(&self, generation: u64) {
        let was_present = self.write_state().discard(generation);
        if was_present {
            self.notify_disconnected();
        }
    }

    fn notify_disconnected(&self) {
        if let Some(on_push) = self.on_push.as_ref().and_then(Weak::upgrade) {
            on_push.disconnected();
        }
    }

    /// Passes a push message on. Runs in the task that reads the connection, so it must not block.
    pub(super) fn handle_push(&self, push: PushInfo, generation: u64) {
        if push.kind == PushKind::Disconnection {
            self.discard(generation);
            self.notify_disconnected();
        } else if let Some(on_push) = self.on_push.as_ref().and_then(Weak::upgrade) {
            on_push.push(generation, &push.kind, push.data);
        }
    }

    /// Returns whether the server has not recently accepted a write.
    pub(super) fn needs_proof(&self, now: u64) -> bool {
        now > self.trusted_until.load(Ordering::Relaxed)
    }

    /// Trusts the server to be the primary until this moment.
    pub(super) fn trust_until(&self, until: u64) {
        self.trusted_until.store(until, Ordering::Relaxed);
    }

    fn read_state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write_state(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns whether a server says that it is not, or no longer, the primary.
pub(super) fn is_demoted(error: &ServerError) -> bool {
    matches!(
        error.kind(),
        Some(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown)
    )
}
