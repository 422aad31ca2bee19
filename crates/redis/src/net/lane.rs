//! [`Lane`]: the connection for what must have reached replicas before it counts.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::{Cmd, Pipeline, Value};
use tokio::sync::oneshot;
use tokio::task::yield_now;
use tokio::time::{Instant, timeout_at};

use super::Line;
use crate::durable::Durability;
use crate::error::Failure;

/// How many commands share one WAIT, at most.
const MAX_BATCH: usize = 256;

/// What became of a durable command: its answer, and how many replicas have it.
pub(crate) type Durable = Result<(Value, u32), Failure>;

/// Sends commands with a WAIT behind them.
///
/// WAIT tells about what the same connection has written, and blocks that connection until the replicas have answered.
/// So this is another connection than that of the other commands, and whatever arrives while one WAIT is under way is
/// sent together, with one WAIT for all of it.
///
/// A task sends for all. It can be dropped at any moment, with its runtime, while callers in other runtimes wait: its
/// [`Runner`] then tells those whose commands are still in the queue to send for themselves. Those whose commands were
/// on their way do not learn what has become of them.
pub(crate) struct Lane {
    line: Arc<Line>,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    jobs: Vec<Job>,
    /// How many runners there have been. Tells the present one from those before it.
    runners: u64,
    /// The one that sends, and until when it must have come back for more.
    running: Option<(u64, Instant)>,
}

struct Job {
    cmd: Cmd,
    /// Whether the slot is on its way to this node.
    asking: bool,
    done: oneshot::Sender<Outcome>,
}

enum Outcome {
    Sent(Durable),
    /// The runner has gone before the command was sent.
    NotSent,
}

impl Lane {
    pub(crate) fn new(line: Arc<Line>) -> Arc<Self> {
        Arc::new(Self {
            line,
            queue: Mutex::default(),
        })
    }

    pub(super) fn line(&self) -> &Arc<Line> {
        &self.line
    }

    /// Sends a command, and returns when it has reached as many replicas as wanted, or the time for that is over.
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
                // A task of its own: it sends for others, who must not be let down when this call is dropped.
                tokio::spawn(runner.run(durability.replicas, durability.timeout));
            }
            match timeout_at(deadline, outcome).await {
                Ok(Ok(Outcome::Sent(outcome))) => return outcome,
                // Where our runtime is the one that ends, each runner ends at once, and takes along what others have in the
                // queue. This is dropped when it gives way.
                Ok(Ok(Outcome::NotSent)) if Instant::now() < deadline => yield_now().await,
                Ok(Ok(Outcome::NotSent)) | Err(_) => return Err(Failure::Timeout),
                Ok(Err(_)) => return Err(cut_off()),
            }
        }
    }

    /// Puts a job into the queue, and returns what has to run for it if nothing does.
    fn enqueue(self: &Arc<Self>, job: Job, timeout: Duration) -> Option<Runner> {
        let mut queue = self.queue();
        queue.jobs.push(job);
        let now = Instant::now();
        // One that does not come back is in a runtime that nobody drives any longer.
        if queue.running.is_some_and(|(_, until)| now < until) {
            return None;
        }
        queue.runners += 1;
        let number = queue.runners;
        queue.running = Some((number, now + self.longest(timeout)));
        drop(queue);
        let lane = Arc::clone(self);
        Some(Runner { lane, number })
    }

    /// How long a batch can take.
    fn longest(&self, timeout: Duration) -> Duration {
        (timeout + self.line.timeout()) * 2
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
        let answers = pipeline.len();
        let deadline = Instant::now() + timeout + self.line.timeout();
        let outcome = self.line.send_all(&pipeline, answers, deadline).await;
        let mut answers = match outcome {
            Ok(answers) => answers,
            Err(failure) => {
                for job in batch {
                    let _ = job.done.send(Outcome::Sent(Err(failure.clone())));
                }
                return;
            }
        };
        let reached = match answers.pop() {
            Some(Value::Int(reached)) => u32::try_from(reached).unwrap_or(0),
            // It could not be asked, so nothing is known.
            _ => 0,
        };
        let mut answers = answers.into_iter();
        for job in batch {
            if job.asking {
                answers.next();
            }
            let outcome = match answers.next() {
                Some(Value::ServerError(error)) => Err(Failure::Refused(error)),
                Some(answer) => Ok((answer, reached)),
                None => Err(Failure::Nonsense),
            };
            let _ = job.done.send(Outcome::Sent(outcome));
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends the jobs of a lane.
struct Runner {
    lane: Arc<Lane>,
    number: u64,
}

impl Runner {
    /// Sends what is there, and what has come meanwhile, until there is nothing.
    async fn run(self, replicas: u32, timeout: Duration) {
        while let Some(batch) = self.next(timeout) {
            self.lane.send_batch(batch, replicas, timeout).await;
        }
    }

    /// Returns the jobs to send now; `None` if there are none, or another has taken over.
    fn next(&self, timeout: Duration) -> Option<Vec<Job>> {
        let mut queue = self.lane.queue();
        if queue.running.is_none_or(|(number, _)| number != self.number) {
            return None;
        }
        queue.jobs.retain(|job| !job.done.is_closed());
        if queue.jobs.is_empty() {
            queue.running = None;
            return None;
        }
        queue.running = Some((self.number, Instant::now() + self.lane.longest(timeout)));
        let length = queue.jobs.len().min(MAX_BATCH);
        Some(queue.jobs.drain(..length).collect())
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        let left = {
            let mut queue = self.lane.queue();
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

/// The runner has gone while the command was on its way.
fn cut_off() -> Failure {
    Failure::Broken(std::io::Error::from(std::io::ErrorKind::ConnectionAborted).into())
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane").field("line", &self.line).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::durable::Shortfall;
    use crate::net::ending::in_a_runtime_that_ends;
    use crate::net::{Dialer, Tls};

    #[test]
    fn who_writes_in_a_runtime_that_ends_does_not_insist() {
        let timeout = Duration::from_secs(60);
        let dialer = Dialer::new("redis://127.0.0.1:1", timeout, &Arc::new(Tls::default())).unwrap();
        let lane = Lane::new(dialer.line(dialer.addr(), None));
        in_a_runtime_that_ends({
            let lane = Arc::clone(&lane);
            async move {
                let durability = Durability {
                    replicas: 1,
                    timeout,
                    commits: false,
                    shortfall: Shortfall::Fail,
                };
                let deadline = Instant::now() + timeout;
                let _ = lane.send(&redis::cmd("PING"), false, &durability, deadline).await;
            }
        });
        // It may be asked a few times more before it is dropped.
        let runners = lane.queue().runners;
        assert!(runners < 100, "{runners}");
    }
}
