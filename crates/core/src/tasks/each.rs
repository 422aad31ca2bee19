//! A task on each of some sessions.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use pin_project_lite::pin_project;

use crate::error::SessionError;
use crate::id::SessionKey;
use crate::settings::Settings;
use crate::tasks::pool::{TaskResult, run_in_keys};
use crate::tasks::progress::TaskProgress;
use crate::tasks::stream::TaskStream;
use crate::visit::Context as VisitContext;

/// Returns the results of a task on the sessions under these keys.
pub(crate) fn run_in_each<K, T, R, F>(
    settings: Arc<Settings>,
    bound: Option<Arc<VisitContext>>,
    keys: K,
    task: R,
) -> TaskStream<impl Stream<Item = TaskResult<T>> + use<K, T, R, F>>
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
    TaskStream::new(Infallibly { results }, progress)
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
