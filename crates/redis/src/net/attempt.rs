//! How a connection is made: once for all that want it, not too often, and not by any caller, who may be gone before
//! it is there.

use std::io;
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ServerError};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout, timeout_at};

use super::backoff::Backoff;
use super::gather::Gather;
use super::has_runtime_begun_to_end;
use super::line::{Driver, Line, Live, heard};
use crate::error::Failure;

/// How many commands may lie between the tasks and the socket before a sender has to wait.
const BUFFER: usize = 1_024;

/// A connection that has lasted this long was a good one.
const SETTLED: Duration = Duration::from_secs(1);

/// The state of the connections of a [`Line`].
pub(super) struct State {
    /// How many attempts there have been. Tells the present connection from those before it.
    made: u64,
    /// The latest that is known to have ended. The news can come before the connection is in its place.
    ended: u64,
    live: Option<Live>,
    /// When it was made.
    since: Option<Instant>,
    /// Dropped with the connection; see [`Watch`].
    watched: Option<oneshot::Sender<()>>,
    /// The attempt that is under way, and when it began.
    attempt: Option<(u64, Instant)>,
    /// The attempt that failed last, and how.
    failure: Option<(u64, Failure)>,
    /// When the next attempt may begin.
    not_before: Option<Instant>,
    backoff: Backoff,
}

/// The next step of a call that wants a connection.
enum Step {
    Use(Live),
    GiveUp(Failure),
    /// Begin this attempt.
    Dial(u64),
    /// Wait for the end of the attempt that is under way.
    Wait,
    /// Wait until then, or give up like this.
    Pause(Instant, Failure),
}

impl State {
    pub(super) fn new(timeout: Duration) -> Self {
        Self {
            made: 0,
            ended: 0,
            live: None,
            since: None,
            watched: None,
            attempt: None,
            failure: None,
            not_before: None,
            backoff: Backoff::within(timeout),
        }
    }

    pub(super) fn live(&self) -> Option<Live> {
        self.live.clone()
    }

    pub(super) fn is_live(&self) -> bool {
        self.live.is_some()
    }

    pub(super) fn discard(&mut self, generation: u64) -> bool {
        self.ended = self.ended.max(generation);
        let present = self.live.as_ref().is_some_and(|live| live.generation == generation);
        if present {
            (self.live, self.watched) = (None, None);
            if self.is_settled() {
                self.backoff.reset();
            }
        }
        present
    }

    pub(super) fn turn_away(&mut self, generation: u64, error: &ServerError) -> bool {
        let present = self.discard(generation);
        if present && !self.is_settled() {
            self.failure = Some((generation, Failure::Refused(error.clone())));
            self.pause();
        }
        present
    }

    fn is_settled(&self) -> bool {
        self.since.is_some_and(|since| since.elapsed() >= SETTLED)
    }

    /// Lets some time pass before the next attempt.
    fn pause(&mut self) {
        self.not_before = Some(Instant::now() + self.backoff.next());
    }

    /// Returns the next step of a call that came after so many attempts. Its outcome is that of an attempt which began
    /// after they came: a server that is back is not missed by anybody for longer than one pause.
    fn step(&mut self, came: u64, limit: Duration) -> Step {
        if let Some(live) = self.live() {
            return Step::Use(live);
        }
        if let Some((number, failure)) = &self.failure
            && *number > came
        {
            return Step::GiveUp(failure.clone());
        }
        let now = Instant::now();
        if let Some((_, since)) = self.attempt
            // One that takes longer is in a runtime that nobody drives any longer.
            && now < since + limit * 2
        {
            return Step::Wait;
        }
        if let Some(until) = self.not_before
            && now < until
        {
            let failure = self.failure.as_ref().map(|(_, failure)| failure.clone());
            return Step::Pause(until, failure.unwrap_or_else(too_late));
        }
        self.made += 1;
        self.attempt = Some((self.made, now));
        Step::Dial(self.made)
    }
}

impl Line {
    /// The present connection, or a new one.
    pub(crate) async fn dial(self: &Arc<Self>, deadline: Instant) -> Result<Live, Failure> {
        if let Some(live) = self.current() {
            return Ok(live);
        }
        Box::pin(self.dial_anew(deadline)).await
    }

    async fn dial_anew(self: &Arc<Self>, deadline: Instant) -> Result<Live, Failure> {
        let came = self.change().made;
        loop {
            let mut settled = pin!(self.settled.notified());
            settled.as_mut().enable();
            let step = self.change().step(came, self.timeout);
            let until = match step {
                Step::Use(live) => return Ok(live),
                Step::GiveUp(failure) => return Err(failure),
                Step::Dial(number) => {
                    let line = Arc::clone(self);
                    tokio::spawn(Attempt { line, number }.run());
                    deadline
                }
                Step::Wait => deadline,
                Step::Pause(until, failure) if until >= deadline => return Err(failure),
                Step::Pause(until, _) => until,
            };
            let _ = timeout_at(until, settled).await;
            if Instant::now() >= deadline {
                return Err(too_late());
            }
        }
    }

    async fn connect(self: &Arc<Self>, generation: u64) -> Result<Live, Failure> {
        let (line, on_push) = (Arc::downgrade(self), self.on_push.clone());
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(Some(self.timeout))
            .set_pipeline_buffer_size(BUFFER)
            .set_push_sender(move |push| {
                heard(push, generation, &line, on_push.as_ref());
                Ok::<(), ()>(())
            });
        let settings = self.door.settings().await?;
        let driver = Arc::new(Driver::default());
        // Above TLS: what is gathered beneath it would be gathered too late, each command in a record of its own.
        let stream = Gather::new(self.door.open().await?, Arc::downgrade(&driver));
        let (connection, driving) = MultiplexedConnection::new_with_config(&settings, stream, config)
            .await
            .map_err(Failure::Unreachable)?;
        driver.runs(tokio::spawn(driving).abort_handle());
        Ok(Live {
            generation,
            connection,
            _held: driver,
        })
    }
}

/// An attempt that is under way. Dropped, with its runtime or by a panic of whatever gives it credentials, it is over
/// without an outcome, and those who wait try again.
struct Attempt {
    line: Arc<Line>,
    number: u64,
}

impl Attempt {
    async fn run(self) {
        let connecting = timeout(self.line.timeout, self.line.connect(self.number));
        let outcome = connecting.await.unwrap_or_else(|_| Err(too_late()));
        if outcome.is_err() && has_runtime_begun_to_end().await {
            // Callers who wait elsewhere try again.
            return;
        }
        let mut state = self.line.change();
        if state.attempt.is_none_or(|(number, _)| number != self.number) {
            return;
        }
        state.attempt = None;
        match outcome {
            Ok(live) => {
                state.failure = None;
                if state.ended >= self.number {
                    state.pause();
                    return;
                }
                let (watched, connection_gone) = oneshot::channel();
                state.live = Some(live);
                state.since = Some(Instant::now());
                state.watched = Some(watched);
                self.line.trust(0);
                drop(state);
                let watch = Watch {
                    line: Arc::downgrade(&self.line),
                    generation: self.number,
                };
                tokio::spawn(watch.until(connection_gone));
            }
            Err(failure) => {
                state.failure = Some((self.number, failure));
                state.pause();
            }
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let mut state = self.line.change();
        if state.attempt.is_some_and(|(number, _)| number == self.number) {
            state.attempt = None;
            state.pause();
        }
        drop(state);
        self.line.settled.notify_waiters();
    }
}

/// Stands beside a connection in the runtime that drives it. That runtime may end while others still use the
/// connection: then this is dropped, and says so before anybody has asked in vain.
struct Watch {
    line: Weak<Line>,
    generation: u64,
}

impl Watch {
    async fn until(self, connection_gone: oneshot::Receiver<()>) {
        let _ = connection_gone.await;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(line) = self.line.upgrade() {
            line.discard(self.generation);
        }
    }
}

/// There was no connection before the time was over.
fn too_late() -> Failure {
    Failure::Unreachable(io::Error::from(io::ErrorKind::TimedOut).into())
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use async_trait::async_trait;

    use super::*;
    use crate::credentials::{Credentials, CredentialsProvider};
    use crate::net::ending::in_a_runtime_that_ends;
    use crate::net::{Dialer, Tls};

    /// Leaves the work to a task.
    struct Delegating;

    #[async_trait]
    impl CredentialsProvider for Delegating {
        async fn credentials(&self) -> Result<Credentials, Box<dyn Error + Send + Sync>> {
            Ok(tokio::spawn(async { Credentials::password("secret") }).await?)
        }
    }

    #[test]
    fn that_an_attempt_fails_in_a_runtime_that_ends_is_no_news_to_others() {
        let timeout = Duration::from_secs(60);
        let mut dialer = Dialer::new("redis://127.0.0.1:1", timeout, &Arc::new(Tls::default())).unwrap();
        dialer.ask_for_credentials(Some(Arc::new(Delegating)));
        let line = dialer.line(dialer.addr(), None);
        let number = 1;
        line.change().attempt = Some((number, Instant::now()));
        let attempt = Attempt {
            line: Arc::clone(&line),
            number,
        };
        in_a_runtime_that_ends(attempt.run());
        let state = line.change();
        assert!(state.attempt.is_none());
        assert!(state.failure.is_none(), "{:?}", state.failure);
    }
}
