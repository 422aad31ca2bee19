//! [`EventStream`]: events, to be awaited.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_core::Stream;

use super::Event;

/// The events of all sessions of one builder in this process, from [`Session::events`](crate::Session::events) on.
///
/// A reader that does not keep up misses the oldest events; [`missed`](EventStream::missed) counts them. The stream ends
/// when the last session of that builder is dropped.
///
/// ```
/// use sessile_core::{EventKind, Events, Session, SessionError, Visit};
/// use sessile_memory::MemoryStorage;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), SessionError> {
/// let session: Session = Session::builder(MemoryStorage::new()).events(Events::new()).build();
/// let mut events = session.events()?;
/// session.enter(Visit::new(), async { session.set("user", "ada") }).await?;
/// assert_eq!(events.next().await.map(|event| event.kind), Some(EventKind::Created));
/// # Ok(())
/// # }
/// ```
#[must_use = "a stream does nothing unless it is read"]
pub struct EventStream(Arc<Queue>);

/// The queue between the hub and one stream.
pub(super) struct Queue {
    limit: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    events: VecDeque<Event>,
    missed: u64,
    is_closed: bool,
    waker: Option<Waker>,
}

impl Queue {
    pub(super) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            limit: limit.max(1),
            state: Mutex::default(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn push(&self, event: Event) {
        let waker = {
            let mut state = self.state();
            if state.events.len() >= self.limit {
                state.events.pop_front();
                state.missed += 1;
            }
            state.events.push_back(event);
            state.waker.take()
        };
        // Waking runs foreign code, so the queue is unlocked first.
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(super) fn close(&self) {
        let waker = {
            let mut state = self.state();
            state.is_closed = true;
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl EventStream {
    pub(super) fn new(queue: Arc<Queue>) -> Self {
        Self(queue)
    }

    /// Waits for the next event. Returns `None` at the end.
    ///
    /// If the future is dropped, no event is lost.
    pub async fn next(&mut self) -> Option<Event> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// Returns how many events were dropped because the reader did not keep up.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.0.state().missed
    }
}

impl Stream for EventStream {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        // Cloning and dropping a waker run foreign code, so both happen while the queue is unlocked.
        let waker = cx.waker().clone();
        let (polled, _replaced) = {
            let mut state = self.0.state();
            match state.events.pop_front() {
                Some(event) => (Poll::Ready(Some(event)), Some(waker)),
                None if state.is_closed => (Poll::Ready(None), Some(waker)),
                None => (Poll::Pending, state.waker.replace(waker)),
            }
        };
        polled
    }
}

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = self.0.state().events.len();
        f.debug_struct("EventStream")
            .field("waiting", &waiting)
            .finish_non_exhaustive()
    }
}
