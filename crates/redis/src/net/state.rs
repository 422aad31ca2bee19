//! [`State`]: the connection that is in use, and the attempts to make another.

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use redis::ServerError;
use redis::aio::MultiplexedConnection;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::backoff::Backoff;
use crate::error::Failure;

/// A connection that has lasted this long is not counted as a failed attempt when it ends.
const SETTLED: Duration = Duration::from_secs(1);

/// An open connection. Clones share it.
#[derive(Clone)]
pub(crate) struct LiveConnection {
    /// The number of the attempt that made it.
    pub(crate) generation: u64,
    pub(super) connection: MultiplexedConnection,
    /// Held by each call that is under way, and by the state.
    pub(super) _driver: Arc<Driver>,
}

/// The task that drives a connection. It is aborted when the last owner of this drops it.
#[derive(Default)]
pub(super) struct Driver(pub(super) OnceLock<AbortHandle>);

impl Drop for Driver {
    fn drop(&mut self) {
        if let Some(task) = self.0.get() {
            task.abort();
        }
    }
}

/// The state of a [`Connection`](super::Connection).
pub(super) struct State {
    /// The number of attempts so far. It distinguishes the present connection from those before it.
    pub(super) attempts: u64,
    /// The latest generation that is known to have ended. This may be known before the connection is stored here.
    ended: u64,
    pub(super) live: Option<LiveConnection>,
    /// The moment at which the present connection was made.
    since: Option<Instant>,
    /// Dropped with the connection, which ends the task that watches it.
    watch: Option<oneshot::Sender<()>>,
    /// The number of the attempt that is under way, and when it began.
    pub(super) attempt: Option<(u64, Instant)>,
    /// The number of the attempt that failed last, and its failure.
    pub(super) failure: Option<(u64, Failure)>,
    /// The earliest moment of the next attempt.
    not_before: Option<Instant>,
    backoff: Backoff,
}

/// The next step of a call that needs a connection.
pub(super) enum Step {
    Use(LiveConnection),
    GiveUp(Failure),
    /// Begin the attempt of this number.
    Connect(u64),
    /// Wait for the end of the attempt that is under way.
    Wait,
    /// Wait until this moment. A call that has less time fails with this failure.
    Pause(Instant, Failure),
}

impl State {
    pub(super) fn new(timeout: Duration) -> Self {
        Self {
            attempts: 0,
            ended: 0,
            live: None,
            since: None,
            watch: None,
            attempt: None,
            failure: None,
            not_before: None,
            backoff: Backoff::within(timeout),
        }
    }

    /// Removes the connection of this generation. Returns whether it was the present one.
    pub(super) fn discard(&mut self, generation: u64) -> bool {
        self.ended = self.ended.max(generation);
        let is_present = self.live.as_ref().is_some_and(|live| live.generation == generation);
        if is_present {
            (self.live, self.watch) = (None, None);
            if self.is_settled() {
                self.backoff.reset();
            }
        }
        is_present
    }

    /// Removes the connection of this generation because its server is not the primary. Returns whether it was the
    /// present one.
    pub(super) fn discard_demoted(&mut self, generation: u64, error: &ServerError) -> bool {
        let was_present = self.discard(generation);
        if was_present && !self.is_settled() {
            self.fail(generation, Failure::Refused(error.clone()));
        }
        was_present
    }

    fn is_settled(&self) -> bool {
        self.since.is_some_and(|since| since.elapsed() >= SETTLED)
    }

    /// Delays the next attempt.
    fn pause(&mut self) {
        self.not_before = Some(Instant::now() + self.backoff.next());
    }

    /// Returns the next step of a call that began after `seen` attempts.
    ///
    /// The call ends with the outcome of an attempt that began after it. A server that is back is therefore used by
    /// every call after at most one pause.
    pub(super) fn step(&mut self, seen: u64, limit: Duration) -> Step {
        if let Some(live) = &self.live {
            return Step::Use(live.clone());
        }
        if let Some((number, failure)) = &self.failure
            && *number > seen
        {
            return Step::GiveUp(failure.clone());
        }
        let now = Instant::now();
        if let Some((_, since)) = self.attempt
            // An attempt that takes longer is in a runtime that is no longer driven.
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
        self.attempts += 1;
        self.attempt = Some((self.attempts, now));
        Step::Connect(self.attempts)
    }

    /// Ends an attempt. Returns `false` if another has replaced it.
    pub(super) fn end_attempt(&mut self, number: u64) -> bool {
        let is_present = self.attempt.is_some_and(|(present, _)| present == number);
        if is_present {
            self.attempt = None;
        }
        is_present
    }

    /// Ends an attempt without an outcome.
    pub(super) fn abandon_attempt(&mut self, number: u64) {
        if self.end_attempt(number) {
            self.pause();
        }
    }

    /// Stores a new connection, unless it has ended already. Returns the receiver that is closed when the connection
    /// is discarded.
    pub(super) fn succeed(&mut self, live: LiveConnection) -> Option<oneshot::Receiver<()>> {
        self.failure = None;
        if self.ended >= live.generation {
            self.pause();
            return None;
        }
        let (watch, discarded) = oneshot::channel();
        self.live = Some(live);
        self.since = Some(Instant::now());
        self.watch = Some(watch);
        Some(discarded)
    }

    /// Records the failure of an attempt, and delays the next.
    pub(super) fn fail(&mut self, number: u64, failure: Failure) {
        self.failure = Some((number, failure));
        self.pause();
    }
}

/// Returns the failure of a call that had no connection in time.
pub(super) fn too_late() -> Failure {
    Failure::Unreachable(io::Error::from(io::ErrorKind::TimedOut).into())
}
