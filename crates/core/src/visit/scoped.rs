//! Running a future or a stream inside a context.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context as TaskContext, Poll};

use futures_core::Stream;
use pin_project_lite::pin_project;

use super::renewal::Renewal;
use crate::visit::stack::Frame;
use crate::visit::{Context, stack};

pin_project! {
    /// A future or stream that runs inside a session's context; created by [`InSession::in_session`].
    ///
    /// The context is entered for each poll, and once more when the inner future is dropped, so that destructors see
    /// the session, too. While the visit holds a lock, polling also renews the lock's lease.
    #[must_use = "it does nothing unless it is polled"]
    pub struct Scoped<T> {
        #[pin]
        inner: Option<T>,
        // `None` only during a poll.
        frame: Option<Frame>,
        renewal: Option<Box<Renewal>>,
    }

    impl<T> PinnedDrop for Scoped<T> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.inner.is_some() {
                stack::within(this.frame, || this.inner.set(None));
            }
            if let Some(frame) = this.frame {
                frame.context.leave_scope();
            }
        }
    }
}

impl<T> Scoped<T> {
    pub(super) fn new(context: Arc<Context>, inner: T) -> Self {
        Self::with(Frame::new(context), inner)
    }

    pub(super) fn in_transaction(context: Arc<Context>, inner: T) -> Self {
        Self::with(Frame::in_transaction(context), inner)
    }

    fn with(frame: Frame, inner: T) -> Self {
        frame.context.scopes.fetch_add(1, Ordering::Relaxed);
        Self {
            inner: Some(inner),
            frame: Some(frame),
            renewal: None,
        }
    }

    /// Polls the inner value and, while it is pending, the renewal of the lock. Drops a completed inner value inside
    /// the context.
    fn poll_inside<R>(
        self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        poll: impl FnOnce(Pin<&mut T>, &mut TaskContext<'_>) -> Poll<R>,
        is_last: impl FnOnce(&R) -> bool,
    ) -> Poll<R> {
        let mut this = self.project();
        let polled = stack::within(this.frame, || {
            let inner = this
                .inner
                .as_mut()
                .as_pin_mut()
                .expect("it is not polled after completion");
            let polled = poll(inner, cx);
            if matches!(&polled, Poll::Ready(result) if is_last(result)) {
                this.inner.set(None);
            }
            polled
        });
        if polled.is_pending()
            && let Some(frame) = this.frame
        {
            frame.context.poll_renewal(this.renewal, cx);
        }
        polled
    }
}

/// # Panics
///
/// Polling panics after completion.
impl<F: Future> Future for Scoped<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        self.poll_inside(cx, F::poll, |_| true)
    }
}

impl<S: Stream> Stream for Scoped<S> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        self.poll_inside(cx, S::poll_next, |_| false)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.inner.as_ref().map_or((0, Some(0)), Stream::size_hint)
    }
}

impl<T> fmt::Debug for Scoped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scoped")
            .field("context", &self.frame)
            .finish_non_exhaustive()
    }
}

impl Context {
    /// Releases a lock that was left behind, if the visit has ended and this was its last scope. A transaction releases
    /// its own lock.
    fn leave_scope(&self) {
        // AcqRel: the last scope has to see everything that scopes on other threads did before they left.
        if self.scopes.fetch_sub(1, Ordering::AcqRel) > 1 {
            return;
        }
        let mut state = self.state();
        if state.cold().ended_at.is_none() || state.in_transaction {
            return;
        }
        let lock = state.abandon_uncommitted();
        // Dropping a lock runs code of the storage, so the state is unlocked first.
        drop(state);
        drop(lock);
    }
}
