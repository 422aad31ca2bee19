//! [`RunInEach`]: a task on each of some sessions.

use std::convert::Infallible;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use pin_project_lite::pin_project;

use crate::error::SessionError;
use crate::id::SessionKey;
use crate::settings::Settings;
use crate::tasks::pool::{TaskResult, run_in_keys};
use crate::tasks::progress::TaskProgress;
use crate::visit::Context as VisitContext;

pin_project! {
    /// A task on each of some sessions, as a stream of their results; created by
    /// [`Session::run_in_each`](crate::Session::run_in_each).
    #[must_use = "it does nothing unless it is polled"]
    pub struct RunInEach<S> {
        #[pin]
        results: S,
        progress: TaskProgress,
    }
}

/// Returns the results of a task on the sessions under these keys.
pub(crate) fn run_in_each<K, T, R, F>(
    settings: Arc<Settings>,
    bound: Option<Arc<VisitContext>>,
    keys: K,
    task: R,
) -> RunInEach<impl Stream<Item = TaskResult<T>> + use<K, T, R, F>>
where
    K: IntoIterator<Item = SessionKey>,
    R: Fn() -> F,
    F: Future<Output = Result<T, SessionError>>,
{
    let progress = TaskProgress::new();
    let keys = keys.into_iter();
    if let (least, Some(most)) = keys.size_hint()
        && least == most
    {
        progress.set_total(most);
    }
    let results = run_in_keys(settings, bound, Listed(keys), task, progress.clone());
    RunInEach {
        results: Infallibly { results },
        progress,
    }
}

impl<S: Stream> RunInEach<S> {
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

impl<S: Stream> Stream for RunInEach<S> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.project().results.poll_next(cx)
    }
}

impl<S> fmt::Debug for RunInEach<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunInEach")
            .field("progress", &self.progress)
            .finish_non_exhaustive()
    }
}

/// The keys that the application lists.
struct Listed<I>(I);

impl<I> Unpin for Listed<I> {}

impl<I: Iterator<Item = SessionKey>> Stream for Listed<I> {
    type Item = Result<SessionKey, Infallible>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.get_mut().0.next().map(Ok))
    }
}

pin_project! {
    /// The results of tasks on keys that cannot fail.
    struct Infallibly<S> {
        #[pin]
        results: S,
    }
}

impl<T, S: Stream<Item = Result<T, Infallible>>> Stream for Infallibly<S> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let next = self.project().results.poll_next(cx);
        next.map(|next| {
            next.map(|result| match result {
                Ok(result) => result,
                Err(never) => match never {},
            })
        })
    }
}
