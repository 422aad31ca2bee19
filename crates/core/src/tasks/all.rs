//! [`RunInAll`]: a task on every session.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use pin_project_lite::pin_project;

use crate::error::SessionError;
use crate::settings::Settings;
use crate::tasks::pool::{TaskResult, run_in_keys};
use crate::tasks::progress::TaskProgress;
use crate::tasks::scan::ScannedKeys;
use crate::visit::Context as VisitContext;

pin_project! {
    /// A task on every session of a storage, as a stream of results; created by
    /// [`Session::run_in_all`](crate::Session::run_in_all).
    #[must_use = "it does nothing unless it is polled"]
    pub struct RunInAll<S> {
        #[pin]
        results: S,
        progress: TaskProgress,
    }
}

/// Returns the results of a task on all sessions.
pub(crate) fn run_in_all<T, R, F>(
    settings: Arc<Settings>,
    bound: Option<Arc<VisitContext>>,
    task: R,
) -> RunInAll<impl Stream<Item = Result<TaskResult<T>, SessionError>> + use<T, R, F>>
where
    R: Fn() -> F,
    F: Future<Output = Result<T, SessionError>>,
{
    let progress = TaskProgress::new();
    let keys = ScannedKeys::new(&settings.storage);
    RunInAll {
        results: run_in_keys(settings, bound, keys, task, progress.clone()),
        progress,
    }
}

impl<S: Stream> RunInAll<S> {
    /// Sets how many tasks run at a time: by default 16, and at least one.
    pub fn concurrency(self, tasks: usize) -> Self {
        self.progress.set_concurrency(tasks);
        self
    }

    /// Returns the progress, which can be read elsewhere while the tasks run.
    #[must_use]
    pub fn progress(&self) -> TaskProgress {
        self.progress.clone()
    }

    /// Returns the next result, in the order in which tasks end. `None` after the last.
    ///
    /// If the future is dropped, no result is lost; the tasks go on with the next call.
    pub async fn next(&mut self) -> Option<S::Item>
    where
        S: Unpin,
    {
        poll_fn(|cx| Pin::new(&mut self.results).poll_next(cx)).await
    }

    /// Runs all tasks and returns their results, in the order in which they end.
    pub async fn collect(self) -> Vec<S::Item> {
        let mut results = pin!(self.results);
        let mut all = Vec::new();
        while let Some(result) = poll_fn(|cx| results.as_mut().poll_next(cx)).await {
            all.push(result);
        }
        all
    }
}

impl<S: Stream> Stream for RunInAll<S> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.project().results.poll_next(cx)
    }
}

impl<S> fmt::Debug for RunInAll<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunInAll")
            .field("progress", &self.progress)
            .finish_non_exhaustive()
    }
}
