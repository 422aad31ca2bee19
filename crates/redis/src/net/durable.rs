//! [`DurableConnection`]: the connection for writes that have to reach replicas.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use redis::{Cmd, Pipeline, Value};
use tokio::sync::oneshot;
use tokio::task::yield_now;
use tokio::time::{Instant, timeout_at};

use super::Connection;
use crate::durability::Durability;
use crate::error::Failure;
use crate::sync::lock;

/// The largest number of commands that share one WAIT.
const MAX_BATCH: usize = 256;

/// The outcome of a durable command: its reply, and the number of replicas that have acknowledged it.
pub(crate) type Durable = Result<(Value, u32), Failure>;

/// Sends commands followed by a WAIT.
///
/// WAIT counts the replicas that have the writes of its own connection, and blocks that connection until they have
/// acknowledged them. Durable commands therefore have a connection of their own. Commands that arrive during one WAIT
/// are sent together, with one WAIT for all of them.
///
/// One task sends for all callers. It can be dropped at any moment, with its runtime, while callers in other runtimes
/// wait. Its [`Runner`] then notifies the callers whose commands are still queued, and they start another. The outcome
/// of commands that were already sent is ambiguous.
pub(crate) struct DurableConnection {
    pub(super) connection: Arc<Connection>,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    jobs: Vec<Job>,
    /// The number of runners so far. It distinguishes the present one from those before it.
    runners: u64,
    /// The present runner, and the deadline for its next batch.
    running: Option<(u64, Instant)>,
}

struct Job {
    cmd: Cmd,
    /// True if the slot is migrating to this node.
    asking: bool,
    done: oneshot::Sender<Outcome>,
}

enum Outcome {
    Sent(Durable),
    /// The runner was dropped before the command was sent.
    NotSent,
}

impl DurableConnection {
    pub(crate) fn new(connection: Arc<Connection>) -> Arc<Self> {
        Arc::new(Self {
            connection,
            queue: Mutex::default(),
        })
    }

    /// Sends a command, and returns when the required number of replicas have it, or the time for that is over.
    pub(crate) async fn send(
        self: &Arc<Self>,
        cmd: &Cmd,
        asking: bool,
        durability: &Durability,
        deadline: Instant,
    ) -> Durable {
        loop {
            let (done, outcome) = oneshot::channel();
            let cmd = cmd.clone();
            let runner = self.enqueue(Job { cmd, asking, done }, durability.timeout);
            if let Some(runner) = runner {
                // A task of its own, because it sends for other callers too, which must not fail when this call is
                // dropped.
                tokio::spawn(runner.run(durability.replicas, durability.timeout));
            }
            match timeout_at(deadline, outcome).await {
                Ok(Ok(Outcome::Sent(outcome))) => return outcome,
                // If this runtime is shutting down, each runner ends at once, together with the queued commands of
                // others. Yielding lets the runtime drop this future.
                Ok(Ok(Outcome::NotSent)) if Instant::now() < deadline => yield_now().await,
                Ok(Ok(Outcome::NotSent)) | Err(_) => return Err(Failure::Timeout),
                // The runner was dropped after it had sent the command.
                Ok(Err(_)) => {
                    return Err(Failure::Broken(
                        io::Error::from(io::ErrorKind::ConnectionAborted).into(),
                    ));
                }
            }
        }
    }

    /// Queues a job. Returns the runner to start if none is running.
    fn enqueue(self: &Arc<Self>, job: Job, timeout: Duration) -> Option<Runner> {
        let mut queue = lock(&self.queue);
        queue.jobs.push(job);
        let now = Instant::now();
        // A runner that misses its deadline is in a runtime that is no longer driven.
        if queue.running.is_some_and(|(_, until)| now < until) {
            return None;
        }
        queue.runners += 1;
        let number = queue.runners;
        queue.running = Some((number, now + self.longest(timeout)));
        drop(queue);
        let durable = Arc::clone(self);
        Some(Runner { durable, number })
    }

    /// Returns the longest time for one batch.
    fn longest(&self, timeout: Duration) -> Duration {
        (timeout + self.connection.timeout) * 2
    }

    async fn send_batch(&self, batch: Vec<Job>, replicas: u32, timeout: Duration) {
        let mut pipeline = Pipeline::with_capacity(batch.len() + 1);
        for job in &batch {
            if job.asking {
                pipeline.cmd("ASKING");
            }
            pipeline.add_command(job.cmd.clone());
        }
        let millis = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX).max(1);
        pipeline.cmd("WAIT").arg(replicas).arg(millis);
        let replies = pipeline.len();
        let deadline = Instant::now() + timeout + self.connection.timeout;
        let outcome = self.connection.send_all(&pipeline, replies, deadline).await;
        let mut replies = match outcome {
            Ok(replies) => replies,
            Err(failure) => {
                for job in batch {
                    let _ = job.done.send(Outcome::Sent(Err(failure.clone())));
                }
                return;
            }
        };
        let reached = match replies.pop() {
            Some(Value::Int(reached)) => u32::try_from(reached).unwrap_or(0),
            // WAIT failed, so no acknowledgement is known.
            _ => 0,
        };
        let mut replies = replies.into_iter();
        for job in batch {
            if job.asking {
                replies.next();
            }
            let outcome = match replies.next() {
                Some(Value::ServerError(error)) => Err(Failure::Refused(error)),
                Some(reply) => Ok((reply, reached)),
                None => Err(Failure::UnexpectedReply),
            };
            let _ = job.done.send(Outcome::Sent(outcome));
        }
    }
}

/// Sends the queued jobs.
struct Runner {
    durable: Arc<DurableConnection>,
    number: u64,
}

impl Runner {
    /// Sends batches until the queue is empty.
    async fn run(self, replicas: u32, timeout: Duration) {
        while let Some(batch) = self.next(timeout) {
            self.durable.send_batch(batch, replicas, timeout).await;
        }
    }

    /// Returns the next batch; `None` if the queue is empty, or another runner has taken over.
    fn next(&self, timeout: Duration) -> Option<Vec<Job>> {
        let mut queue = lock(&self.durable.queue);
        if queue.running.is_none_or(|(number, _)| number != self.number) {
            return None;
        }
        queue.jobs.retain(|job| !job.done.is_closed());
        if queue.jobs.is_empty() {
            queue.running = None;
            return None;
        }
        queue.running = Some((self.number, Instant::now() + self.durable.longest(timeout)));
        let length = queue.jobs.len().min(MAX_BATCH);
        Some(queue.jobs.drain(..length).collect())
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        let left = {
            let mut queue = lock(&self.durable.queue);
            if queue.running.is_none_or(|(number, _)| number != self.number) {
                return;
            }
            queue.running = None;
            std::mem::take(&mut queue.jobs)
        };
        for job in left {
            let _ = job.done.send(Outcome::NotSent);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::durability::Shortfall;
    use crate::net::runtime_shutdown::in_a_runtime_that_shuts_down;
    use crate::net::{Connector, Tls};

    #[test]
    fn a_write_in_a_runtime_that_shuts_down_gives_up() {
        let timeout = Duration::from_secs(60);
        let connector = Connector::new("redis://127.0.0.1:1", timeout, &Arc::new(Tls::default())).unwrap();
        let durable = DurableConnection::new(connector.connection(connector.addr(), None));
        in_a_runtime_that_shuts_down({
            let durable = Arc::clone(&durable);
            async move {
                let durability = Durability {
                    replicas: 1,
                    timeout,
                    commits: false,
                    shortfall: Shortfall::Fail,
                };
                let deadline = Instant::now() + timeout;
                let _ = durable.send(&redis::cmd("PING"), false, &durability, deadline).await;
            }
        });
        // The call may retry a few times before it is dropped.
        let runners = lock(&durable.queue).runners;
        assert!(runners < 100, "{runners}");
    }
}
