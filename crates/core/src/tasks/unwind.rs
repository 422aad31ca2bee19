//! [`CatchUnwind`]: turns a panic of a task into an error.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

pin_project! {
    /// A future that completes with `None` if the inner future panics, which is then dropped.
    pub(super) struct CatchUnwind<F> {
        #[pin]
        inner: Option<F>,
    }
}

impl<F> CatchUnwind<F> {
    pub(super) fn new(inner: F) -> Self {
        Self { inner: Some(inner) }
    }
}

impl<F: Future> Future for CatchUnwind<F> {
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut inner = self.project().inner;
        let polled = catch_unwind(AssertUnwindSafe(|| {
            let inner = inner.as_mut().as_pin_mut();
            inner.expect("it is not polled after completion").poll(cx)
        }));
        match polled {
            Ok(polled) => polled.map(Some),
            Err(panic) => {
                // Both run code of the application, which may panic again.
                let _ = catch_unwind(AssertUnwindSafe(|| inner.set(None)));
                let _ = catch_unwind(AssertUnwindSafe(|| drop(panic)));
                Poll::Ready(None)
            }
        }
    }
}
