//! [`Work`]: what a visit is opened for.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use pin_project_lite::pin_project;

use super::entry::Entry;
use super::renewal::Renewal;
use super::{OpenVisit, current};

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
        entry: Option<Entry>,
        renewal: Option<Box<Renewal>>,
    }

    impl<F> PinnedDrop for Work<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let entry = Ending(this.entry);
            if this.inner.is_some() {
                current::within(entry.0, || this.inner.set(None));
            }
        }
    }
}

/// Ends the visit when it is dropped, though a destructor inside may panic before.
struct Ending<'a>(&'a mut Option<Entry>);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        drop(self.0.take().map(OpenVisit::from));
    }
}

impl<F: Future> Work<F> {
    #[inline(always)]
    pub(super) fn new(visit: OpenVisit, make: impl FnOnce() -> F) -> Self {
        let entry = visit.into_entry();
        entry.context.begin_work();
        let mut entry = Some(entry);
        // If `make` panics, this ends the visit.
        let ending = Ending(&mut entry);
        let inner = current::within(ending.0, make);
        std::mem::forget(ending);
        Self {
            inner: Some(inner),
            entry,
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
        let polled = current::within(this.entry, || {
            let inner = this.inner.as_mut().as_pin_mut();
            let polled = inner.expect("it is not polled after it was done").poll(cx);
            if polled.is_ready() {
                this.inner.set(None);
            }
            polled
        });
        match polled {
            Poll::Ready(output) => {
                let entry = this.entry.take().expect("the visit is back in its place");
                Poll::Ready((OpenVisit::from(entry), output))
            }
            Poll::Pending => {
                let entry = this.entry.as_mut().expect("the visit is back in its place");
                entry.context.goes_on_for_a_while();
                entry.context.keep_lock(this.renewal, cx);
                entry.context.keep_lock_of_others(cx);
                Poll::Pending
            }
        }
    }
}

impl<F> fmt::Debug for Work<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Work")
            .field("visit", &self.entry)
            .finish_non_exhaustive()
    }
}
