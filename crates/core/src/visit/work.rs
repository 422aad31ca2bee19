//! [`Work`]: runs the work of a visit.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use pin_project_lite::pin_project;

use super::renewal::Renewal;
use crate::visit::stack::Frame;
use crate::visit::{ActiveVisit, stack};

pin_project! {
    /// The work of a visit as a future, which returns the visit when it completes; created by [`ActiveVisit::work`].
    ///
    /// As with [`Scoped`](crate::Scoped), the context is entered for each poll and once more when the future is
    /// dropped, and while the visit holds a lock, polling renews the lock's lease. Dropping the future before it
    /// completes ends the visit without writing.
    #[must_use = "it does nothing unless it is polled"]
    pub struct Work<F> {
        #[pin]
        inner: Option<F>,
        // `None` during a poll, and after the visit was returned.
        frame: Option<Frame>,
        renewal: Option<Box<Renewal>>,
    }

    impl<F> PinnedDrop for Work<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let frame = EndOnDrop(this.frame);
            if this.inner.is_some() {
                stack::within(frame.0, || this.inner.set(None));
            }
        }
    }
}

/// Ends the visit when it is dropped, even if the destructor of the inner future panics.
struct EndOnDrop<'a>(&'a mut Option<Frame>);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        drop(self.0.take().map(ActiveVisit::from));
    }
}

impl ActiveVisit {
    /// Runs a function inside the visit, and the future that it returns: the work of a request. Returns the visit
    /// together with the output of the future.
    ///
    /// It is cheaper than [`handle`](ActiveVisit::handle) with [`in_session`](crate::InSession::in_session), as no
    /// handle is created.
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
    pub(super) fn new(visit: ActiveVisit, make: impl FnOnce() -> F) -> Self {
        let frame = visit.into_frame();
        frame.context.begin_work();
        let mut frame = Some(frame);
        // Ends the visit if `make` panics.
        let end_on_drop = EndOnDrop(&mut frame);
        let inner = stack::within(end_on_drop.0, make);
        // From here on the future owns the frame and ends the visit.
        std::mem::forget(end_on_drop);
        Self {
            inner: Some(inner),
            frame,
            renewal: None,
        }
    }
}

/// # Panics
///
/// Polling panics after completion.
impl<F: Future> Future for Work<F> {
    type Output = (ActiveVisit, F::Output);

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let polled = stack::within(this.frame, || {
            let inner = this.inner.as_mut().as_pin_mut();
            let polled = inner.expect("it is not polled after completion").poll(cx);
            if polled.is_ready() {
                this.inner.set(None);
            }
            polled
        });
        match polled {
            Poll::Ready(output) => {
                let frame = this.frame.take().expect("the frame is in its slot between polls");
                Poll::Ready((ActiveVisit::from(frame), output))
            }
            Poll::Pending => {
                let frame = this.frame.as_mut().expect("the frame is in its slot between polls");
                frame.context.mark_pended();
                frame.context.poll_renewal(this.renewal, cx);
                frame.context.register_renewal_waker(cx);
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
