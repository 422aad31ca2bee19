//! [`Lane`]: the connection for what must have reached replicas before it counts.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::{Cmd, Pipeline, Value};
use tokio::sync::oneshot;
use tokio::time::Instant;

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
pub(crate) struct Lane {
    line: Arc<Line>,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    jobs: Vec<Job>,
    /// Whether there is a task that sends them.
    running: bool,
}

struct Job {
    cmd: Cmd,
    /// Whether the slot is on its way to this node.
    asking: bool,
    done: oneshot::Sender<Durable>,
}

impl Lane {
    pub(crate) fn new(line: Arc<Line>) -> Arc<Self> {
        Arc::new(Self {
            line,
            queue: Mutex::default(),
        })
    }

    /// Sends a command, and returns when it has reached as many replicas as wanted, or the time for that is over.
    pub(crate) async fn send(
        self: &Arc<Self>,
        cmd: &Cmd,
        asking: bool,
        durability: &Durability,
        deadline: Instant,
    ) -> Durable {
        let (done, outcome) = oneshot::channel();
        let starts = {
            let mut queue = self.queue();
            queue.jobs.push(Job {
                cmd: cmd.clone(),
                asking,
                done,
            });
            !std::mem::replace(&mut queue.running, true)
        };
        if starts {
            // A task of its own: it sends for others, who must not be let down when this call is dropped.
            tokio::spawn(Arc::clone(self).run(durability.replicas, durability.timeout));
        }
        match tokio::time::timeout_at(deadline, outcome).await {
            Ok(Ok(outcome)) => outcome,
            // The task is gone with its runtime.
            Ok(Err(_)) | Err(_) => Err(Failure::Timeout),
        }
    }

    /// Sends what is there, and what has come meanwhile, until there is nothing.
    async fn run(self: Arc<Self>, replicas: u32, timeout: Duration) {
        loop {
            let batch: Vec<Job> = {
                let mut queue = self.queue();
                if queue.jobs.is_empty() {
                    queue.running = false;
                    return;
                }
                let length = queue.jobs.len().min(MAX_BATCH);
                queue.jobs.drain(..length).filter(|job| !job.done.is_closed()).collect()
            };
            self.send_batch(batch, replicas, timeout).await;
        }
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
                    let _ = job.done.send(Err(failure.clone()));
                }
                return;
            }
        };
        let reached = match answers.pop() {
            Some(Value::Int(reached)) => u32::try_from(reached).unwrap_or(0),
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
            let _ = job.done.send(outcome);
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane").field("line", &self.line).finish_non_exhaustive()
    }
}
