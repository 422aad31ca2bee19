//! Makes connections: once for all callers that need one, at limited frequency, and in a task of their own, because any
//! caller may be dropped before the connection is made.

use std::pin::pin;
use std::sync::{Arc, Weak};

use redis::AsyncConnectionConfig;
use redis::aio::MultiplexedConnection;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout, timeout_at};

use super::coalesce::Coalesce;
use super::state::{Driver, LiveConnection, Step, too_late};
use super::{Connection, is_runtime_shutting_down};
use crate::error::Failure;

/// The number of commands that may be buffered between the tasks and the socket before a sender has to wait.
const BUFFER: usize = 1_024;

impl Connection {
    /// Returns the present connection, or makes a new one.
    pub(crate) async fn connect(self: &Arc<Self>, deadline: Instant) -> Result<LiveConnection, Failure> {
        if let Some(live) = self.current() {
            return Ok(live);
        }
        Box::pin(self.reconnect(deadline)).await
    }

    async fn reconnect(self: &Arc<Self>, deadline: Instant) -> Result<LiveConnection, Failure> {
        let seen = self.write_state().attempts;
        loop {
            // Registered before the state is read, so that the end of an attempt is not missed in between.
            let mut attempt_over = pin!(self.attempt_over.notified());
            attempt_over.as_mut().enable();
            let step = self.write_state().step(seen, self.timeout);
            let until = match step {
                Step::Use(live) => return Ok(live),
                Step::GiveUp(failure) => return Err(failure),
                Step::Connect(number) => {
                    let connection = Arc::clone(self);
                    tokio::spawn(Attempt { connection, number }.run());
                    deadline
                }
                Step::Wait => deadline,
                Step::Pause(until, failure) if until >= deadline => return Err(failure),
                Step::Pause(until, _) => until,
            };
            let _ = timeout_at(until, attempt_over).await;
            if Instant::now() >= deadline {
                return Err(too_late());
            }
        }
    }

    async fn open(self: &Arc<Self>, generation: u64) -> Result<LiveConnection, Failure> {
        let connection = Arc::downgrade(self);
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(Some(self.timeout))
            .set_pipeline_buffer_size(BUFFER)
            .set_push_sender(move |push| {
                if let Some(connection) = connection.upgrade() {
                    connection.handle_push(push, generation);
                }
                Ok::<(), ()>(())
            });
        let settings = self.endpoint.settings().await?;
        let driver = Arc::new(Driver::default());
        // Above TLS: beneath it each command would already be in a TLS record of its own.
        let stream = Coalesce::new(self.endpoint.open().await?, Arc::downgrade(&driver));
        let (connection, driving) = MultiplexedConnection::new_with_config(&settings, stream, config)
            .await
            .map_err(Failure::Unreachable)?;
        let _ = driver.0.set(tokio::spawn(driving).abort_handle());
        Ok(LiveConnection {
            generation,
            connection,
            _driver: driver,
        })
    }
}

/// An attempt that is under way.
///
/// It may be dropped with its runtime, or by a panic of a credentials provider. It then ends without an outcome, and
/// the waiting callers try again.
struct Attempt {
    connection: Arc<Connection>,
    number: u64,
}

impl Attempt {
    async fn run(self) {
        let connecting = timeout(self.connection.timeout, self.connection.open(self.number));
        let outcome = connecting.await.unwrap_or_else(|_| Err(too_late()));
        if outcome.is_err() && is_runtime_shutting_down().await {
            // The failure says nothing about the server. Callers in other runtimes try again.
            return;
        }
        let mut state = self.connection.write_state();
        if !state.end_attempt(self.number) {
            return;
        }
        match outcome {
            Ok(live) => {
                let Some(discarded) = state.succeed(live) else { return };
                self.connection.trust_until(0);
                drop(state);
                let watch = Watch {
                    connection: Arc::downgrade(&self.connection),
                    generation: self.number,
                };
                tokio::spawn(watch.until(discarded));
            }
            Err(failure) => state.fail(self.number, failure),
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.connection.write_state().abandon_attempt(self.number);
        self.connection.attempt_over.notify_waiters();
    }
}

/// Watches a connection in the runtime that drives it.
///
/// The runtime may shut down while tasks of other runtimes use the connection. This is dropped then, and discards the
/// connection before another command is sent on it in vain.
struct Watch {
    connection: Weak<Connection>,
    generation: u64,
}

impl Watch {
    async fn until(self, discarded: oneshot::Receiver<()>) {
        let _ = discarded.await;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.upgrade() {
            connection.discard(self.generation);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;
    use std::time::Duration;

    use async_trait::async_trait;

    use super::*;
    use crate::credentials::{Credentials, CredentialsProvider};
    use crate::net::runtime_shutdown::in_a_runtime_that_shuts_down;
    use crate::net::{Connector, Tls};

    /// Delegates the work to a task.
    struct Delegating;

    #[async_trait]
    impl CredentialsProvider for Delegating {
        async fn credentials(&self) -> Result<Credentials, Box<dyn Error + Send + Sync>> {
            Ok(tokio::spawn(async { Credentials::password("secret") }).await?)
        }
    }

    #[test]
    fn a_failure_in_a_runtime_that_shuts_down_is_not_recorded() {
        let timeout = Duration::from_secs(60);
        let mut connector = Connector::new("redis://127.0.0.1:1", timeout, &Arc::new(Tls::default())).unwrap();
        connector.credentials = Some(Arc::new(Delegating));
        let connection = connector.connection(connector.addr(), None);
        let number = 1;
        connection.write_state().attempt = Some((number, Instant::now()));
        let attempt = Attempt {
            connection: Arc::clone(&connection),
            number,
        };
        in_a_runtime_that_shuts_down(attempt.run());
        let state = connection.write_state();
        assert!(state.attempt.is_none());
        assert!(state.failure.is_none(), "{:?}", state.failure);
    }
}
