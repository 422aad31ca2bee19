//! [`Pool`]: runs a bounded number of tasks at a time.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_util::stream::FuturesUnordered;
use pin_project_lite::pin_project;
use tokio::task::coop::poll_proceed;

use crate::error::SessionError;
use crate::id::SessionKey;
use crate::settings::Settings;
use crate::tasks::progress::TaskProgress;
use crate::tasks::run::run;
use crate::tasks::unwind::CatchUnwind;
use crate::visit::Context as VisitContext;

/// The result of a task on one session.
pub(crate) type TaskResult<T> = (SessionKey, Result<T, SessionError>);

pin_project! {
    /// A stream of the results of tasks, in the order in which they end: each item is a result, or the error that ended
    /// the stream of keys, which comes last.
    ///
    /// It polls only the tasks that were woken, and takes a key when a task can start.
    pub(super) struct Pool<K, M, F, E> {
        #[pin]
        keys: Option<K>,
        make: M,
        running: FuturesUnordered<F>,
        started: usize,
        failure: Option<E>,
        progress: TaskProgress,
    }
}

/// Returns the stream of the results of a task on each of these sessions.
pub(super) fn run_in_keys<K, E, R, T, F>(
    settings: Arc<Settings>,
    bound: Option<Arc<VisitContext>>,
    keys: K,
    task: R,
    progress: TaskProgress,
) -> impl Stream<Item = Result<TaskResult<T>, E>> + use<K, E, R, T, F>
where
    K: Stream<Item = Result<SessionKey, E>>,
    R: Fn() -> F,
    F: Future<Output = Result<T, SessionError>>,
{
    let task = Arc::new(task);
    let make = move |key| {
        let (settings, bound, task) = (Arc::clone(&settings), bound.clone(), Arc::clone(&task));
        async move {
            let run = async { run(&settings, bound.as_ref(), key, || task()).await };
            let result = CatchUnwind::new(run).await;
            (key, result.unwrap_or(Err(SessionError::TaskPanicked)))
        }
    };
    Pool {
        keys: Some(keys),
        make,
        running: FuturesUnordered::new(),
        started: 0,
        failure: None,
        progress,
    }
}

impl<K, M, F, T, E> Stream for Pool<K, M, F, E>
where
    K: Stream<Item = Result<SessionKey, E>>,
    M: FnMut(SessionKey) -> F,
    F: Future<Output = TaskResult<T>>,
{
    type Item = Result<TaskResult<T>, E>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut this = self.project();
        // Tasks that never wait, as with a storage in memory, leave room for other tasks of the thread.
        let progress = ready!(poll_proceed(cx));
        while this.running.len() < this.progress.concurrency() {
            let Some(keys) = this.keys.as_mut().as_pin_mut() else {
                break;
            };
            match keys.poll_next(cx) {
                Poll::Ready(Some(Ok(key))) => {
                    *this.started += 1;
                    this.running.push((this.make)(key));
                }
                Poll::Ready(ended) => {
                    *this.failure = ended.and_then(Result::err);
                    this.keys.set(None);
                    if this.failure.is_none() {
                        this.progress.set_total(*this.started);
                    }
                }
                Poll::Pending => break,
            }
        }
        match ready!(Pin::new(this.running).poll_next(cx)) {
            Some((key, result)) => {
                progress.made_progress();
                this.progress.count(result.is_err());
                Poll::Ready(Some(Ok((key, result))))
            }
            // The keys wake the task when there is another one.
            None if this.keys.is_some() => Poll::Pending,
            None => Poll::Ready(this.failure.take().map(Err)),
        }
    }
}
