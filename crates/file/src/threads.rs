//! [`Threads`]: the threads on which a storage blocks.
//!
//! A storage has threads of its own. It depends neither on the blocking pool of a runtime, which the application may
//! have filled, nor on the lifetime of a runtime. Threads are started on demand and end when they are idle.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use sessile_core::{LockId, StorageError, StorageErrorKind};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::failure::Failure;

/// The largest number of threads for operations. Most of them wait for the disk, which syncs concurrent writes
/// together.
const OPERATION_THREADS: usize = 128;

/// The largest number of threads for renewals, which must not queue behind other work.
///
/// Each thread may wait for the mutex of a stopped process, which may hold the mutexes of many stripes.
const RENEWAL_THREADS: usize = 32;

/// The largest number of threads for releases, many of which may come at the same time.
const RELEASE_THREADS: usize = 8;

/// The time after which an idle thread ends.
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);

/// A closure for a thread to run.
type Job = Box<dyn FnOnce() + Send>;

/// The threads of one storage. They end with it.
pub(crate) struct Threads {
    operations: Pool,
    renewals: Pool,
    releases: Pool,
    /// Use the blocking threads of the runtime: a test has paused tokio's time, which stands still for them alone.
    use_runtime: bool,
}

/// The class of a job. Each class has a pool, so that a job waits only for others of its class.
#[derive(Clone, Copy)]
pub(crate) enum JobClass {
    Operation,
    Renewal,
    Release,
}

impl Threads {
    pub(crate) fn new(use_runtime: bool) -> Self {
        Self {
            // Linux shows 15 characters of a name.
            operations: Pool::new("sessile-file", OPERATION_THREADS),
            renewals: Pool::new("sessile-renew", RENEWAL_THREADS),
            releases: Pool::new("sessile-release", RELEASE_THREADS),
            use_runtime,
        }
    }

    /// Runs a blocking function. Once started it runs to its end, even if the future is dropped.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        class: JobClass,
        (operation, storage): (&'static str, &'static str),
        function: impl FnOnce() -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StorageError> {
        let unavailable =
            |reason| StorageError::new(StorageErrorKind::Unavailable, operation, storage).with_source(reason);
        let (sender, receiver) = oneshot::channel();
        // The function is consumed, and all that it captures dropped, before its result is sent.
        let job = Box::new(move || drop(sender.send(catch_unwind(AssertUnwindSafe(function)))));
        if self.spawn(class, job).is_err() {
            return Err(unavailable("no thread can be started"));
        }
        match receiver.await {
            Ok(Ok(result)) => result.map_err(|failure| failure.into_error(operation, storage)),
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(_) => Err(unavailable("the runtime is shutting down")),
        }
    }

    /// Releases the lock of a dropped guard in the background.
    pub(crate) fn release_in_background(&self, locks: Arc<dyn ReleaseLock>, lock_id: LockId) {
        let mut release = PendingRelease {
            locks,
            lock_id: Some(lock_id),
        };
        // If no thread can be started, the job comes back, and dropping it releases the lock on this thread.
        drop(self.spawn(JobClass::Release, Box::new(move || release.run())));
    }

    fn spawn(&self, class: JobClass, job: Job) -> Result<(), Job> {
        if self.use_runtime
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn_blocking(job);
            return Ok(());
        }
        match class {
            JobClass::Operation => self.operations.spawn(job),
            JobClass::Renewal => self.renewals.spawn(job),
            JobClass::Release => self.releases.spawn(job),
        }
    }
}

/// A queue of jobs and the threads that run them.
struct Pool {
    queue: Arc<JobQueue>,
    name: &'static str,
    limit: usize,
}

#[derive(Default)]
struct JobQueue {
    state: Mutex<QueueState>,
    changed: Condvar,
}

#[derive(Default)]
struct QueueState {
    jobs: VecDeque<Job>,
    threads: usize,
    /// The number of threads that wait for a job, including those that have been notified and not run yet.
    idle: usize,
    closed: bool,
}

impl Pool {
    fn new(name: &'static str, limit: usize) -> Self {
        Self {
            queue: Arc::default(),
            name,
            limit,
        }
    }

    /// Queues a job. Returns it if the pool has no thread and none can be started.
    fn spawn(&self, job: Job) -> Result<(), Job> {
        let mut state = self.queue.state();
        if state.jobs.len() >= state.idle && state.threads < self.limit {
            let queue = self.queue.clone();
            match thread::Builder::new()
                .name(self.name.into())
                .spawn(move || queue.work())
            {
                Ok(_) => state.threads += 1,
                Err(_) if state.threads == 0 => return Err(job),
                // The existing threads run the job later.
                Err(_) => {}
            }
        }
        state.jobs.push_back(job);
        let wake = state.idle > 0;
        drop(state);
        if wake {
            self.queue.changed.notify_one();
        }
        Ok(())
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.queue.state().closed = true;
        self.queue.changed.notify_all();
    }
}

impl JobQueue {
    fn state(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs jobs until the pool is closed and empty, or the thread has been idle for long.
    fn work(&self) {
        let mut state = self.state();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                drop(state);
                // A panic of the function is sent to its caller; the thread goes on.
                let _ = catch_unwind(AssertUnwindSafe(job));
                state = self.state();
                continue;
            }
            if state.closed {
                break;
            }
            state.idle += 1;
            let is_idle = |state: &mut QueueState| state.jobs.is_empty() && !state.closed;
            let waited = self.changed.wait_timeout_while(state, IDLE_TIMEOUT, is_idle);
            let waited = waited.unwrap_or_else(PoisonError::into_inner);
            state = waited.0;
            state.idle -= 1;
            if waited.1.timed_out() && state.jobs.is_empty() {
                break;
            }
        }
        state.threads -= 1;
    }
}

/// Locks that can be released from a background thread.
pub(crate) trait ReleaseLock: Send + Sync + 'static {
    /// Releases a lock if the lock id still holds it, and notifies its waiters.
    fn release_lock(&self, lock_id: &LockId);
}

/// A release that runs once: as a job, or when the job is dropped. A runtime that shuts down drops queued jobs.
struct PendingRelease {
    locks: Arc<dyn ReleaseLock>,
    lock_id: Option<LockId>,
}

impl PendingRelease {
    fn run(&mut self) {
        if let Some(lock_id) = self.lock_id.take() {
            self.locks.release_lock(&lock_id);
        }
    }
}

impl Drop for PendingRelease {
    fn drop(&mut self) {
        self.run();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::mpsc::{Receiver, channel};

    use sessile_core::{LockToken, OsEntropy, SessionId};

    use super::*;

    const SOON: Duration = Duration::from_secs(20);

    /// Blocks each release until the sender is dropped.
    struct BlockedLocks(Mutex<Receiver<()>>);

    impl ReleaseLock for BlockedLocks {
        fn release_lock(&self, _: &LockId) {
            let _ = self.0.lock().expect("the gate").recv_timeout(2 * SOON);
        }
    }

    /// A stopped process that holds many stripes can block all threads for releases and some for renewals.
    #[tokio::test]
    async fn a_renewal_waits_neither_for_releases_nor_for_a_few_renewals() {
        let threads = Arc::new(Threads::new(false));
        let (go_on, gate) = channel();
        let blocked = Arc::new(BlockedLocks(Mutex::new(gate)));
        let key = SessionId::generate(&OsEntropy).key();
        let lock_id = LockId::new(key, LockToken::generate(&OsEntropy));
        for _ in 0..100 {
            threads.release_in_background(blocked.clone(), lock_id);
        }
        // The renewals wait for each other, so each of them needs a thread.
        let all = Arc::new(Barrier::new(20));
        let renewals: Vec<_> = (0..20)
            .map(|_| {
                let (threads, all) = (threads.clone(), all.clone());
                tokio::spawn(async move {
                    let function = move || {
                        all.wait();
                        Ok(())
                    };
                    threads.run(JobClass::Renewal, ("renew", "test"), function).await
                })
            })
            .collect();
        for renewal in renewals {
            let renewed = tokio::time::timeout(SOON, renewal).await.expect("a renewal waits");
            renewed.expect("no panic").expect("renew");
        }
        drop(go_on);
    }
}
