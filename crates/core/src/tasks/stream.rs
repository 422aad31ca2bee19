//! [`TaskStream`]: the results of tasks that run while it is polled.

use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use futures_core::Stream;
use pin_project_lite::pin_project;

use crate::tasks::progress::TaskProgress;

pin_project! {
    /// Tasks on sessions, as a stream of their results; created by
    /// [`Session::run_in_each`](crate::Session::run_in_each) and [`run_in_all`](crate::Session::run_in_all).
    #[must_use = "it does nothing unless it is polled"]
    pub struct TaskStream<S> {
        #[pin]
        results: S,
        progress: TaskProgress,
    }
}

impl<S> TaskStream<S> {
    pub(super) fn new(results: S, progress: TaskProgress) -> Self {
        Self { results, progress }
    }
}

impl<S: Stream> TaskStream<S> {
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

impl<S: Stream> Stream for TaskStream<S> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.project().results.poll_next(cx)
    }
}

impl<S> fmt::Debug for TaskStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskStream")
            .field("progress", &self.progress)
            .finish_non_exhaustive()
    }
}
