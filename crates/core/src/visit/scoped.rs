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
    /// A future or stream that runs inside a session's context; made by [`InSession::in_session`].
    ///
    /// The context is entered for each poll, and once more when what runs in it is dropped, so destructors see the
    /// session too. While the visit holds a lock, polling also keeps the lock's lease alive.
    #[must_use = "it does nothing unless it is polled"]
    pub struct Scoped<T> {
        #[pin]
        inner: Option<T>,
        // `None` only while it is polled.
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
        context.enter_scope();
        Self::with(Frame::new(context), inner)
    }

    pub(super) fn updating(context: Arc<Context>, inner: T) -> Self {
        context.enter_scope();
        Self::with(Frame::updating(context), inner)
    }

    fn with(frame: Frame, inner: T) -> Self {
        Self {
            inner: Some(inner),
            frame: Some(frame),
            renewal: None,
        }
    }

    /// Polls what runs inside and, as long as that is not ready, the renewal of the lock. What is ready for good is
    /// dropped at once, inside the context.
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
                .expect("it is not polled after it was done");
            let polled = poll(inner, cx);
            if matches!(&polled, Poll::Ready(result) if is_last(result)) {
                this.inner.set(None);
            }
            polled
        });
        if polled.is_pending()
            && let Some(frame) = this.frame
        {
            frame.context.keep_lock(this.renewal, cx);
        }
        polled
    }
}

/// # Panics
///
/// Polling panics when it is done already.
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
    fn enter_scope(&self) {
        self.scopes.fetch_add(1, Ordering::Relaxed);
    }

    /// When the visit is over and nobody works on it any more, a lock that was left is released. That of an update is
    /// the update's own to give up.
    fn leave_scope(&self) {
        // What was done in a scope that ended before this one, on another thread, is to be seen here.
        if self.scopes.fetch_sub(1, Ordering::AcqRel) > 1 {
            return;
        }
        let lock = {
            let mut state = self.state();
            if state.cold().ended_at.is_some() && !state.updating {
                state.abandon_uncommitted()
            } else {
                None
            }
        };
        drop(lock);
    }
}
