//! [`Line`]: one connection to one server, made when it is needed and made anew when it broke.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard, Weak};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, ConnectionInfo, PushInfo, PushKind, RedisError, Value};
use tokio::time::Instant;

use super::in_time;
use crate::error::Failure;

/// How many commands may lie between the tasks and the socket before a sender has to wait.
const BUFFER: usize = 1_024;

/// Told of what the server says unasked, and of the end of a connection.
pub(crate) trait OnPush: Send + Sync + 'static {
    /// A message; `data` is what the server sent along.
    fn message(&self, kind: &PushKind, data: Vec<Value>);
    /// The connection has ended.
    fn ended(&self);
}

/// A connection that many tasks share, and the rule by which it is replaced: whoever finds it broken puts it aside,
/// and the next who needs one makes a new one while the others wait for it.
pub(crate) struct Line {
    server: ConnectionInfo,
    timeout: Duration,
    on_push: Option<Weak<dyn OnPush>>,
    /// Read for each command, by all threads at once, and written when a connection comes or goes.
    state: RwLock<State>,
    dialling: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    /// How many connections have been made. Tells the present one from those before it.
    made: u64,
    /// The latest that is known to have ended. The news can come before the connection is in its place.
    ended: u64,
    live: Option<Live>,
}

/// A connection, and which it is.
#[derive(Clone)]
pub(crate) struct Live {
    pub(crate) generation: u64,
    connection: MultiplexedConnection,
}

impl Line {
    pub(crate) fn new(server: ConnectionInfo, timeout: Duration, on_push: Option<Weak<dyn OnPush>>) -> Arc<Self> {
        Arc::new(Self {
            server,
            timeout,
            on_push,
            state: RwLock::default(),
            dialling: tokio::sync::Mutex::default(),
        })
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
        let live = in_time(deadline, self.dial()).await?;
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
        let mut live = in_time(deadline, self.dial()).await?;
        let sent = async {
            let outcome = live.connection.send_packed_commands(pipeline, 0, answers).await;
            outcome.map_err(|error| self.blame(live.generation, error))
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
            Ok(Value::ServerError(error)) => Err(Failure::Refused(error)),
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

    /// The present connection, if there is one.
    pub(crate) fn current(&self) -> Option<Live> {
        self.state.read().unwrap_or_else(PoisonError::into_inner).live.clone()
    }

    /// Puts this connection aside, unless another has taken its place already.
    pub(crate) fn discard(&self, generation: u64) {
        let mut state = self.change();
        state.ended = state.ended.max(generation);
        if state.live.as_ref().is_some_and(|live| live.generation == generation) {
            state.live = None;
        }
    }

    /// The present connection, or a new one.
    pub(crate) async fn dial(self: &Arc<Self>) -> Result<Live, Failure> {
        if let Some(live) = self.current() {
            return Ok(live);
        }
        let _only_one_dials = self.dialling.lock().await;
        if let Some(live) = self.current() {
            return Ok(live);
        }
        let generation = {
            let mut state = self.change();
            state.made += 1;
            state.made
        };
        let (line, on_push) = (Arc::downgrade(self), self.on_push.clone());
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.timeout))
            .set_response_timeout(Some(self.timeout))
            .set_pipeline_buffer_size(BUFFER)
            .set_push_sender(move |push| {
                heard(push, generation, &line, on_push.as_ref());
                Ok::<(), ()>(())
            });
        let client = Client::open(self.server.clone()).map_err(Failure::Setup)?;
        let connection = client
            .get_multiplexed_async_connection_with_config(&config)
            .await
            .map_err(Failure::Unreachable)?;
        let live = Live { generation, connection };
        let mut state = self.change();
        if state.ended < generation {
            state.live = Some(live.clone());
        }
        Ok(live)
    }

    fn change(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs in the task that reads the connection, so it must not wait.
fn heard(push: PushInfo, generation: u64, line: &Weak<Line>, on_push: Option<&Weak<dyn OnPush>>) {
    let on_push = on_push.and_then(Weak::upgrade);
    if push.kind == PushKind::Disconnection {
        if let Some(line) = line.upgrade() {
            line.discard(generation);
        }
        if let Some(on_push) = on_push {
            on_push.ended();
        }
    } else if let Some(on_push) = on_push {
        on_push.message(&push.kind, push.data);
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line")
            .field("addr", &self.server.addr().to_string())
            .field("connected", &self.current().is_some())
            .finish()
    }
}
