//! [`Refresh`]: reloads the topology, once for all callers and at limited frequency.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::is_runtime_shutting_down;
use crate::error::Failure;
use crate::sync::lock;

/// The shortest interval between two refreshes.
const INTERVAL: Duration = Duration::from_millis(250);

/// A value that is loaded from servers and can be reloaded.
pub(super) trait Refreshable: Send + Sync + 'static {
    fn refresh(&self) -> &Refresh;
    /// Returns the time limit of a load.
    fn limit(&self) -> Duration;
    /// Loads the value.
    fn load(self: Arc<Self>) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// The progress of the refreshes of one value.
#[derive(Default)]
pub(super) struct Refresh {
    progress: Mutex<Progress>,
    over: Notify,
}

#[derive(Default)]
struct Progress {
    /// The number of refreshes that have begun, and of those that are over.
    begun: u64,
    over: u64,
    /// The last refresh that was requested. One that had already begun may have been too early to see the change.
    wanted: u64,
    /// The failure of the last refresh, if it failed.
    failure: Option<Failure>,
    not_before: Option<Instant>,
    /// The number of refreshing tasks so far. It distinguishes the present one from those before it.
    tasks: u64,
    /// The present task, and its deadline.
    task: Option<(u64, Instant)>,
}

impl Progress {
    /// Returns whether this task is the present one.
    fn is_run_by(&self, number: u64) -> bool {
        self.task.is_some_and(|(present, _)| present == number)
    }
}

/// Requests a refresh without waiting for it. Returns the number of the refresh that satisfies the request.
pub(super) fn request<T: Refreshable>(subject: &Arc<T>) -> u64 {
    let mut progress = lock(&subject.refresh().progress);
    let wanted = progress.begun + 1;
    progress.wanted = wanted;
    let now = Instant::now();
    // A task that misses its deadline is in a runtime that is no longer driven.
    if progress.task.is_none_or(|(_, until)| now >= until) {
        progress.tasks += 1;
        let number = progress.tasks;
        progress.task = Some((number, task_deadline(now, subject.limit())));
        drop(progress);
        let subject = Arc::clone(subject);
        tokio::spawn(Task { subject, number }.run());
    }
    wanted
}

/// Requests a refresh and waits for it.
pub(super) async fn request_and_wait<T: Refreshable>(subject: &Arc<T>, deadline: Instant) -> Result<(), Failure> {
    let wanted = request(subject);
    let mut has_ended = false;
    loop {
        if std::mem::take(&mut has_ended) {
            // If this runtime is shutting down, each new task ends at once, and the loop would go on for ever. Yielding
            // lets the runtime drop this future.
            yield_now().await;
        }
        let mut over = pin!(subject.refresh().over.notified());
        over.as_mut().enable();
        {
            let progress = lock(&subject.refresh().progress);
            if progress.over >= wanted {
                return progress.failure.clone().map_or(Ok(()), Err);
            }
            if progress.task.is_none() {
                drop(progress);
                if Instant::now() >= deadline {
                    return Err(Failure::Timeout);
                }
                // The task was dropped with its runtime.
                has_ended = true;
                request(subject);
            }
        }
        timeout_at(deadline, over).await.map_err(|_| Failure::Timeout)?;
    }
}

fn task_deadline(now: Instant, limit: Duration) -> Instant {
    now + (limit + INTERVAL) * 2
}

/// The task that refreshes a value.
struct Task<T: Refreshable> {
    subject: Arc<T>,
    number: u64,
}

impl<T: Refreshable> Task<T> {
    async fn run(self) {
        while let Some((refresh, not_before)) = self.next() {
            if let Some(not_before) = not_before {
                sleep_until(not_before).await;
            }
            {
                let mut progress = self.progress();
                if !progress.is_run_by(self.number) {
                    return;
                }
                progress.begun = refresh;
            }
            let loaded = timeout(self.subject.limit(), Arc::clone(&self.subject).load()).await;
            if !matches!(loaded, Ok(Ok(()))) && is_runtime_shutting_down().await {
                // The failure says nothing about the servers. Callers in other runtimes start another task.
                return;
            }
            let mut progress = self.progress();
            // The load may have taken so long that another task has taken over.
            if !progress.is_run_by(self.number) {
                return;
            }
            progress.over = refresh;
            progress.failure = loaded.unwrap_or(Err(Failure::Timeout)).err();
            progress.not_before = Some(Instant::now() + INTERVAL);
            drop(progress);
            self.subject.refresh().over.notify_waiters();
        }
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        lock(&self.subject.refresh().progress)
    }

    /// Returns the next refresh and its earliest moment; `None` if none is requested, or another task has taken over.
    fn next(&self) -> Option<(u64, Option<Instant>)> {
        let mut progress = self.progress();
        if !progress.is_run_by(self.number) {
            return None;
        }
        if progress.over >= progress.wanted {
            progress.task = None;
            return None;
        }
        progress.task = Some((self.number, task_deadline(Instant::now(), self.subject.limit())));
        Some((progress.begun + 1, progress.not_before))
    }
}

impl<T: Refreshable> Drop for Task<T> {
    fn drop(&mut self) {
        let mut progress = self.progress();
        if progress.is_run_by(self.number) {
            progress.task = None;
            drop(progress);
            self.subject.refresh().over.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::mpsc;
    use std::thread;

    use tokio::runtime::Builder;

    use super::*;
    use crate::net::runtime_shutdown::{SOON, in_a_runtime_that_shuts_down};

    const MINUTE: Duration = Duration::from_secs(60);

    /// A value whose load never ends.
    #[derive(Default)]
    struct Endless(Refresh);

    impl Refreshable for Endless {
        fn refresh(&self) -> &Refresh {
            &self.0
        }

        fn limit(&self) -> Duration {
            MINUTE
        }

        async fn load(self: Arc<Self>) -> Result<(), Failure> {
            pending().await
        }
    }

    #[test]
    fn a_caller_in_a_runtime_that_shuts_down_does_not_block_it() {
        in_a_runtime_that_shuts_down(async {
            let subject = Arc::new(Endless::default());
            let _ = request_and_wait(&subject, Instant::now() + MINUTE).await;
        });
    }

    /// A value that is loaded by a task.
    #[derive(Default)]
    struct Loadable(Refresh);

    impl Refreshable for Loadable {
        fn refresh(&self) -> &Refresh {
            &self.0
        }

        fn limit(&self) -> Duration {
            MINUTE
        }

        async fn load(self: Arc<Self>) -> Result<(), Failure> {
            tokio::spawn(async {}).await.map_err(|_| Failure::Timeout)
        }
    }

    #[test]
    fn a_failure_in_a_runtime_that_shuts_down_is_not_recorded() {
        let subject = Arc::new(Loadable::default());
        let number = 1;
        *lock(&subject.0.progress) = Progress {
            wanted: 1,
            tasks: number,
            task: Some((number, Instant::now() + MINUTE)),
            ..Progress::default()
        };
        let task = Task {
            subject: Arc::clone(&subject),
            number,
        };
        in_a_runtime_that_shuts_down(task.run());
        assert_eq!(lock(&subject.0.progress).over, 0);
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let loaded = runtime.block_on(request_and_wait(&subject, Instant::now() + MINUTE));
        assert!(loaded.is_ok(), "{loaded:?}");
    }

    #[test]
    fn a_caller_on_the_handle_of_a_runtime_that_has_ended_times_out() {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let handle = runtime.handle().clone();
        drop(runtime);
        let (done, outcome) = mpsc::channel();
        thread::spawn(move || {
            let subject = Arc::new(Endless::default());
            let deadline = Instant::now() + Duration::from_millis(20);
            done.send(handle.block_on(request_and_wait(&subject, deadline)))
        });
        let outcome = outcome.recv_timeout(SOON).expect("it gives up");
        assert!(matches!(outcome, Err(Failure::Timeout)), "{outcome:?}");
    }
}
