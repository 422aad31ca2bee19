//! [`Line`]: one connection to one server, made when it is needed and made anew when it broke.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, PushInfo, PushKind, RedisError, ServerError, ServerErrorKind, Value};
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::attempt::State;
use super::dialer::Door;
use super::in_time;
use crate::error::Failure;

/// Told of what the server says unasked, and of the end of a connection.
pub(crate) trait OnPush: Send + Sync + 'static {
    /// A message on the connection of this generation; `data` is what the server sent along.
    fn message(&self, generation: u64, kind: &PushKind, data: Vec<Value>);
    /// The connection has ended.
    fn ended(&self);
}

/// A connection that many tasks share, and the rule by which it is replaced: a call that finds it broken puts it
/// aside, and the next that needs one has a new one made while the others wait for it.
pub(crate) struct Line {
    pub(super) door: Door,
    pub(super) timeout: Duration,
    pub(super) on_push: Option<Weak<dyn OnPush>>,
    /// Read for each command, by all threads at once, and written when a connection comes or goes.
    state: RwLock<State>,
    /// Told when an attempt to connect is over.
    pub(super) settled: Notify,
    /// Other connections to the same server, which end when it turns out not to be the primary.
    siblings: OnceLock<Box<[Weak<Line>]>>,
    /// Until when, in milliseconds of a clock that the callers have, the present connection may be taken for one to a
    /// server that accepts writes.
    trusted: AtomicU64,
}

/// A connection, and which it is.
#[derive(Clone)]
pub(crate) struct Live {
    pub(crate) generation: u64,
    pub(super) connection: MultiplexedConnection,
    /// Held by each call that is under way, and by the line.
    pub(super) _held: Arc<Driver>,
}

/// The task that drives a connection, which ends with the last that holds this.
#[derive(Default)]
pub(super) struct Driver(OnceLock<AbortHandle>);

impl Driver {
    pub(super) fn runs(&self, task: AbortHandle) {
        let _ = self.0.set(task);
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if let Some(task) = self.0.get() {
            task.abort();
        }
    }
}

impl Line {
    pub(super) fn new(door: Door, timeout: Duration, on_push: Option<Weak<dyn OnPush>>) -> Arc<Self> {
        Arc::new(Self {
            door,
            timeout,
            on_push,
            state: RwLock::new(State::new(timeout)),
            settled: Notify::new(),
            siblings: OnceLock::new(),
            trusted: AtomicU64::new(0),
        })
    }

    /// Lets these end whenever this one turns out to lead to a server that has been demoted.
    pub(super) fn lead<'a>(&self, siblings: impl Iterator<Item = &'a Arc<Self>>) {
        let _ = self.siblings.set(siblings.map(Arc::downgrade).collect());
    }

    /// How long a connection may take to be made, and a command to be answered.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Sends a command and waits for its answer, at most until the deadline.
    pub(crate) async fn send(self: &Arc<Self>, cmd: &Cmd, deadline: Instant) -> Result<Value, Failure> {
        // The connection watches the time by itself, so the usual case needs no timer of ours.
        if let Some(live) = self.current() {
            return self.ask(live, cmd).await;
        }
        Box::pin(self.dial_and_send(cmd, deadline)).await
    }

    async fn dial_and_send(self: &Arc<Self>, cmd: &Cmd, deadline: Instant) -> Result<Value, Failure> {
        let live = self.dial(deadline).await?;
        let answer = in_time(deadline, self.ask(live.clone(), cmd)).await;
        self.judge(&live, answer)
    }

    /// Sends several commands back to back; no other command of this process comes between them.
    pub(crate) async fn send_all(
        self: &Arc<Self>,
        pipeline: &redis::Pipeline,
        answers: usize,
        deadline: Instant,
    ) -> Result<Vec<Value>, Failure> {
        let mut live = self.dial(deadline).await?;
        let sent = async {
            let outcome = live.connection.send_packed_commands(pipeline, 0, answers).await;
            let answers = outcome.map_err(|error| self.blame(live.generation, error))?;
            let mut refusals = answers.iter().filter_map(|answer| match answer {
                Value::ServerError(error) => Some(error),
                _ => None,
            });
            if let Some(error) = refusals.find(|error| is_demoted(error)) {
                self.turn_away(live.generation, error);
            }
            Ok(answers)
        };
        let answers = in_time(deadline, sent).await;
        self.judge(&live, answers)
    }

    /// Puts a connection aside on which no answer came in time.
    fn judge<T>(&self, live: &Live, answer: Result<T, Failure>) -> Result<T, Failure> {
        if let Err(Failure::Timeout) = answer {
            self.discard(live.generation);
        }
        answer
    }

    /// Sends a command on exactly this connection.
    pub(crate) async fn ask(&self, mut live: Live, cmd: &Cmd) -> Result<Value, Failure> {
        match live.connection.send_packed_command(cmd).await {
            Ok(Value::ServerError(error)) => {
                if is_demoted(&error) {
                    self.turn_away(live.generation, &error);
                }
                Err(Failure::Refused(error))
            }
            Ok(answer) => Ok(answer),
            Err(error) => Err(self.blame(live.generation, error)),
        }
    }

    /// Puts a connection aside that failed, or that answered too late: a peer that vanished without a word looks
    /// like one that is slow.
    fn blame(&self, generation: u64, error: RedisError) -> Failure {
        self.discard(generation);
        if error.is_timeout() {
            Failure::Timeout
        } else {
            Failure::Broken(error)
        }
    }

    /// Puts this connection and those beside it aside: the server is not the primary any longer. The name that led to
    /// it may lead to another by now, and is looked up anew; as long as it does not, there are pauses in between.
    fn turn_away(&self, generation: u64, error: &ServerError) {
        let was_present = self.change().turn_away(generation, error);
        if was_present {
            self.tell_of_the_end();
            for sibling in self.siblings.get().into_iter().flatten().filter_map(Weak::upgrade) {
                sibling.end();
            }
        }
    }

    /// Ends whatever connection there is.
    pub(crate) fn end(&self) {
        if let Some(live) = self.current() {
            self.discard(live.generation);
        }
    }

    /// The present connection, if there is one.
    pub(crate) fn current(&self) -> Option<Live> {
        self.read().live()
    }

    /// Whether there is a connection.
    pub(super) fn is_connected(&self) -> bool {
        self.read().is_live()
    }

    /// Puts this connection aside, unless another has taken its place already. Those that count on its messages are told.
    pub(crate) fn discard(&self, generation: u64) {
        let was_present = self.change().discard(generation);
        if was_present {
            self.tell_of_the_end();
        }
    }

    fn tell_of_the_end(&self) {
        if let Some(on_push) = self.on_push.as_ref().and_then(Weak::upgrade) {
            on_push.ended();
        }
    }

    /// Whether nobody has lately seen the server accept a write.
    pub(super) fn is_doubtful(&self, now: u64) -> bool {
        now > self.trusted.load(Ordering::Relaxed)
    }

    /// Lets the server be taken for the primary until then.
    pub(super) fn trust(&self, until: u64) {
        self.trusted.store(until, Ordering::Relaxed);
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn change(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a server says that it is not, or no longer, the primary.
pub(super) fn is_demoted(error: &ServerError) -> bool {
    matches!(
        error.kind(),
        Some(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown)
    )
}

/// Runs in the task that reads the connection, so it must not wait.
pub(super) fn heard(push: PushInfo, generation: u64, line: &Weak<Line>, on_push: Option<&Weak<dyn OnPush>>) {
    let on_push = on_push.and_then(Weak::upgrade);
    if push.kind == PushKind::Disconnection {
        if let Some(line) = line.upgrade() {
            line.discard(generation);
        }
        if let Some(on_push) = on_push {
            on_push.ended();
        }
    } else if let Some(on_push) = on_push {
        on_push.message(generation, &push.kind, push.data);
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line")
            .field("addr", &self.door.addr().to_string())
            .field("connected", &self.current().is_some())
            .finish()
    }
}
