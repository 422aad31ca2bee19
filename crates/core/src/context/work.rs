//! [`Work`]: what a visit is opened for.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::{Context as TaskContext, Poll};

use pin_project_lite::pin_project;

use super::renewal::Renewal;
use super::{Handle, OpenVisit, current};

pin_project! {
    /// A future that is the work of a visit, and gives the visit back when it is done; made by [`OpenVisit::work`].
    ///
    /// As with [`Scoped`](crate::Scoped), the context is entered for each poll and once more when the future is dropped,
    /// and while the visit holds a lock, polling keeps the lease of the lock alive. Dropping it before it is done ends
    /// the visit without writing.
    #[must_use = "it does nothing unless it is polled"]
    pub struct Work<F> {
        #[pin]
        inner: Option<F>,
        // `None` while it is polled, and once the visit was given back.
        visit: Option<Handle>,
        renewal: Option<Renewal>,
    }

    impl<F> PinnedDrop for Work<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let visit = Ending(this.visit);
            if this.inner.is_some() {
                current::within(visit.0, false, || this.inner.set(None));
            }
        }
    }
}

/// Ends the visit when it is dropped, though a destructor inside may panic before.
struct Ending<'a>(&'a mut Option<Handle>);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        drop(self.0.take().map(OpenVisit::from_handle));
    }
}

impl<F: Future> Work<F> {
    pub(super) fn new(visit: OpenVisit, make: impl FnOnce() -> F) -> Self {
        let mut work = Self {
            inner: None,
            visit: visit.into_handle(),
            renewal: None,
        };
        if let Some(Handle(context)) = &work.visit {
            context.at_once.store(true, Ordering::Relaxed);
        }
        let inner = current::within(&mut work.visit, false, make);
        work.inner = Some(inner);
        work
    }
}

/// # Panics
///
/// Polling panics when it is done already.
impl<F: Future> Future for Work<F> {
    type Output = (OpenVisit, F::Output);

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let polled = current::within(this.visit, false, || {
            let inner = this.inner.as_mut().as_pin_mut();
            let polled = inner.expect("it is not polled after it was done").poll(cx);
            if polled.is_ready() {
                this.inner.set(None);
            }
            polled
        });
        match polled {
            Poll::Ready(output) => {
                let visit = this.visit.take().expect("the visit is back in its place");
                Poll::Ready((OpenVisit::from_handle(visit), output))
            }
            Poll::Pending => {
                if let Some(Handle(context)) = this.visit {
                    context.at_once.store(false, Ordering::Relaxed);
                    context.keep_lock(this.renewal, cx);
                }
                Poll::Pending
            }
        }
    }
}

impl<F> fmt::Debug for Work<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Work")
            .field("visit", &self.visit)
            .finish_non_exhaustive()
    }
}
