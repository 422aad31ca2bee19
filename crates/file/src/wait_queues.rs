//! Those who wait for a lock in this process: in the order in which they came, and not too many.
//!
//! Only the first in the line asks for the lock; the others wait for their turn. So a process asks once for each key
//! it waits for, however many wait in it.

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use sessile_core::{SessionKey, StorageError, StorageErrorKind};
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore};
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::folder::leases::Holding;

/// The first and the longest pause between two questions about a lock that another process holds.
const PAUSES: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(25));

/// A lock that is held here is announced when it is given up. It may also end in other ways: in another process, say.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// A lock that is passed on at once is never free for those who wait in other processes. After this long it is left to
/// them for a moment, if there are any.
const AMONG_OURSELVES: Duration = Duration::from_millis(500);

/// The lines, one for each key that is waited for.
#[derive(Default)]
pub(crate) struct Waiters {
    lines: Mutex<HashMap<SessionKey, Arc<Line>>>,
}

struct Line {
    /// Fair: given to those who wait in the order in which they came.
    turn: Semaphore,
    given_up: Notify,
    /// How many stand in the line, the one who is asking included. Changed under the lock of the lines only.
    members: AtomicUsize,
    /// Since when the lock has been passed on within this line, as far as is known.
    ours_since: Mutex<Instant>,
}

/// What asking for a lock has led to.
pub(crate) enum Asked<T> {
    Answer(T),
    Held(Holding),
}

/// When a wait that begins now is over.
pub(crate) fn deadline_after(wait: Duration) -> Instant {
    /// Longer than anyone waits, and short enough to be added to any clock.
    const LONGEST: Duration = Duration::from_secs(60 * 60 * 24 * 365);
    Instant::now() + wait.min(LONGEST)
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum NoAnswer<E> {
    TooMany,
    Timeout,
    /// Waiting takes a runtime with a clock, and there is none.
    NoRuntime,
    Failed(E),
}

impl NoAnswer<StorageError> {
    pub(crate) fn into_error(self, operation: &'static str, storage: &'static str) -> StorageError {
        let error = |kind| StorageError::new(kind, operation, storage);
        match self {
            Self::TooMany => error(StorageErrorKind::TooManyWaiters),
            Self::Timeout => error(StorageErrorKind::LockTimeout),
            Self::NoRuntime => error(StorageErrorKind::Unsupported)
                .with_source("the lock is held, and waiting for it takes a tokio runtime"),
            Self::Failed(error) => error,
        }
    }
}

impl Waiters {
    fn lines(&self) -> MutexGuard<'_, HashMap<SessionKey, Arc<Line>>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lock on this key has been given up, or there is nothing to be locked any more.
    pub(crate) fn wake(&self, key: &SessionKey) {
        if let Some(line) = self.lines().get(key) {
            line.given_up.notify_one();
        }
    }

    /// Asks for a lock, in turn, until there is an answer. Who cannot ask at once looks first whether there is anything
    /// to wait for.
    pub(crate) async fn ask<T, E, L, F>(
        &self,
        key: SessionKey,
        deadline: Instant,
        limit: usize,
        look: impl FnOnce() -> L,
        mut ask: impl FnMut() -> F,
    ) -> Result<T, NoAnswer<E>>
    where
        L: Future<Output = Result<Option<T>, E>>,
        F: Future<Output = Result<Asked<T>, E>>,
    {
        let Some(place) = self.join(key, limit) else {
            let answer = look().await.map_err(NoAnswer::Failed)?;
            return answer.ok_or(NoAnswer::TooMany);
        };
        let line = &*place.line;
        let mut turn = pin!(line.turn.acquire());
        // Before anything else is done, so that the order is that in which they came.
        let _turn = match poll_fn(|cx| Poll::Ready(turn.as_mut().poll(cx))).await {
            Poll::Ready(turn) => turn,
            Poll::Pending => {
                if let Some(answer) = look().await.map_err(NoAnswer::Failed)? {
                    return Ok(answer);
                }
                require_runtime()?;
                timeout_at(deadline, turn).await.map_err(|_| NoAnswer::Timeout)?
            }
        };
        let mut pause = PAUSES.0;
        loop {
            // An answer is not interrupted: it comes soon, and the first one may come although there is no time to wait.
            let holding = match ask().await.map_err(NoAnswer::Failed)? {
                Asked::Answer(answer) => return Ok(answer),
                Asked::Held(holding) => holding,
            };
            let now = Instant::now();
            if now >= deadline {
                return Err(NoAnswer::Timeout);
            }
            require_runtime()?;
            let next = holding.left.min(if holding.here { LOOK_AGAIN } else { pause });
            pause = (pause * 3 / 2).min(PAUSES.1);
            // Woken or not: the lock may be free now.
            let woken = timeout_at(deadline.min(now + next), line.given_up.notified())
                .await
                .is_ok();
            if !holding.here {
                line.begin_anew();
            } else if woken && holding.shared && line.has_gone_on_for_long() {
                sleep_until(deadline.min(Instant::now() + 2 * PAUSES.1)).await;
                line.begin_anew();
            }
        }
    }

    /// Joins the line; `None` if too many wait in it.
    fn join(&self, key: SessionKey, limit: usize) -> Option<Place<'_>> {
        let mut lines = self.lines();
        let line = lines.entry(key).or_insert_with(|| Arc::new(Line::new()));
        if line.members.load(Ordering::Relaxed) >= limit.max(1) {
            return None;
        }
        line.members.fetch_add(1, Ordering::Relaxed);
        let line = line.clone();
        Some(Place {
            waiters: self,
            key,
            line,
        })
    }
}

fn require_runtime<E>() -> Result<(), NoAnswer<E>> {
    Handle::try_current().map(drop).map_err(|_| NoAnswer::NoRuntime)
}

impl Line {
    fn new() -> Self {
        Self {
            turn: Semaphore::new(1),
            given_up: Notify::new(),
            members: AtomicUsize::new(0),
            ours_since: Mutex::new(Instant::now()),
        }
    }

    /// Whether those in this line have passed the lock on among themselves for so long that others should get a chance.
    fn has_gone_on_for_long(&self) -> bool {
        self.ours_since.lock().unwrap_or_else(PoisonError::into_inner).elapsed() >= AMONG_OURSELVES
    }

    fn begin_anew(&self) {
        *self.ours_since.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

/// A place in a line; dropping it leaves the line.
struct Place<'a> {
    waiters: &'a Waiters,
    key: SessionKey,
    line: Arc<Line>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut lines = self.waiters.lines();
        if self.line.members.fetch_sub(1, Ordering::Relaxed) == 1 {
            lines.remove(&self.key);
        }
    }
}
