//! [`Work`]: what a visit is opened for.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use pin_project_lite::pin_project;

use super::renewal::Renewal;
use crate::visit::stack::Frame;
use crate::visit::{OpenVisit, stack};

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
        frame: Option<Frame>,
        renewal: Option<Box<Renewal>>,
    }

    impl<F> PinnedDrop for Work<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let frame = Ending(this.frame);
            if this.inner.is_some() {
                stack::within(frame.0, || this.inner.set(None));
            }
        }
    }
}

/// Ends the visit when it is dropped, though a destructor inside may panic before.
struct Ending<'a>(&'a mut Option<Frame>);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        drop(self.0.take().map(OpenVisit::from));
    }
}

impl OpenVisit {
    /// Runs a function inside the visit, and the future that it makes: the work of a request. The visit comes back with
    /// what the future returns.
    ///
    /// It costs less than [`handle`](OpenVisit::handle) and [`in_session`](crate::InSession::in_session), as there is
    /// no handle to be made.
    ///
    /// ```
    /// use sessile_core::{Session, Visit};
    /// # use sessile_memory::MemoryStorage;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let session: Session = Session::builder(MemoryStorage::new()).build();
    ///
    /// let visit = session.open(Visit::new());
    /// let (visit, inside) = visit.work(|| async { session.is_initialised() }).await;
    /// assert!(inside && visit.end_untouched());
    /// # }
    /// ```
    #[inline(always)]
    pub fn work<F: Future>(self, make: impl FnOnce() -> F) -> Work<F> {
        Work::new(self, make)
    }
}

impl<F: Future> Work<F> {
    #[inline(always)]
    pub(super) fn new(visit: OpenVisit, make: impl FnOnce() -> F) -> Self {
        let frame = visit.into_frame();
        frame.context.begin_work();
        let mut frame = Some(frame);
        // If `make` panics, this ends the visit.
        let ending = Ending(&mut frame);
        let inner = stack::within(ending.0, make);
        std::mem::forget(ending);
        Self {
            inner: Some(inner),
            frame,
            renewal: None,
        }
    }
}

/// # Panics
///
/// Polling panics when it is done already.
impl<F: Future> Future for Work<F> {
    type Output = (OpenVisit, F::Output);

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let polled = stack::within(this.frame, || {
            let inner = this.inner.as_mut().as_pin_mut();
            let polled = inner.expect("it is not polled after it was done").poll(cx);
            if polled.is_ready() {
                this.inner.set(None);
            }
            polled
        });
        match polled {
            Poll::Ready(output) => {
                let frame = this.frame.take().expect("the visit is back in its place");
                Poll::Ready((OpenVisit::from(frame), output))
            }
            Poll::Pending => {
                let frame = this.frame.as_mut().expect("the visit is back in its place");
                frame.context.mark_pended();
                frame.context.keep_lock(this.renewal, cx);
                frame.context.keep_lock_of_others(cx);
                Poll::Pending
            }
        }
    }
}

impl<F> fmt::Debug for Work<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Work")
            .field("visit", &self.frame)
            .finish_non_exhaustive()
    }
}
