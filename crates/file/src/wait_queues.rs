//! [`WaitQueues`]: the waiters for locks in this process, first in first out and bounded.
//!
//! Only the waiter at the head of a queue tries to take the lock; the others wait for it to finish. A process therefore
//! polls the folder once for each key, however many tasks wait for it.

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

use crate::folder::leases::HeldLease;

/// The first and the longest interval at which a lock that another process holds is polled.
const POLL: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(25));

/// The interval at which a lock that this storage holds is checked.
///
/// Its release is notified. It may also end in other ways, such as a destroy by another process.
const RECHECK: Duration = Duration::from_millis(250);

/// The time for which a lock may be passed on within this process.
///
/// A lock that is passed on at once is never free for waiters in other processes. After this time it is left to them
/// for a moment, if there are any.
const MAX_LOCAL_STREAK: Duration = Duration::from_millis(500);

/// The wait queues, one for each key that has waiters.
#[derive(Default)]
pub(crate) struct WaitQueues {
    queues: Mutex<HashMap<SessionKey, Arc<WaitQueue>>>,
}

struct WaitQueue {
    /// Held by the waiter at the head. The semaphore is fair: waiters acquire it in order of arrival.
    head: Semaphore,
    released: Notify,
    /// The number of waiters, including the head. Changed only while the map of queues is locked, so `Relaxed`
    /// suffices.
    waiters: AtomicUsize,
    /// The start of the time in which only this queue is known to have had the lock.
    streak_since: Mutex<Instant>,
}

/// The result of one attempt to take a lock.
pub(crate) enum Attempt<T> {
    Done(T),
    Held(HeldLease),
}

/// Returns the deadline of a wait that begins now.
pub(crate) fn deadline_after(wait: Duration) -> Instant {
    /// Longer than any wait, and short enough to be added to any clock.
    const LONGEST: Duration = Duration::from_secs(60 * 60 * 24 * 365);
    Instant::now() + wait.min(LONGEST)
}

/// The reason why a wait ended without a result.
#[derive(Debug)]
pub(crate) enum WaitError<E> {
    TooManyWaiters,
    Timeout,
    /// Waiting needs a tokio runtime with a clock, and there is none.
    NoRuntime,
    Failed(E),
}

impl WaitError<StorageError> {
    pub(crate) fn into_error(self, operation: &'static str, storage: &'static str) -> StorageError {
        let error = |kind| StorageError::new(kind, operation, storage);
        match self {
            Self::TooManyWaiters => error(StorageErrorKind::TooManyWaiters),
            Self::Timeout => error(StorageErrorKind::LockTimeout),
            Self::NoRuntime => error(StorageErrorKind::Unsupported)
                .with_source("the lock is held, and waiting for it takes a tokio runtime"),
            Self::Failed(error) => error,
        }
    }
}

impl WaitQueues {
    fn queues(&self) -> MutexGuard<'_, HashMap<SessionKey, Arc<WaitQueue>>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notifies the head of the queue of a key that the lock has been released, or that its session has ended.
    pub(crate) fn notify(&self, key: &SessionKey) {
        if let Some(queue) = self.queues().get(key) {
            queue.released.notify_one();
        }
    }

    /// Waits in the queue of a key, and then runs `attempt` until it is done.
    ///
    /// If the queue is full or has another head, `peek` first tells whether there is anything to wait for.
    pub(crate) async fn wait<T, E, P, A>(
        &self,
        key: SessionKey,
        deadline: Instant,
        limit: usize,
        peek: impl FnOnce() -> P,
        mut attempt: impl FnMut() -> A,
    ) -> Result<T, WaitError<E>>
    where
        P: Future<Output = Result<Option<T>, E>>,
        A: Future<Output = Result<Attempt<T>, E>>,
    {
        let Some(waiter) = self.join(key, limit) else {
            let result = peek().await.map_err(WaitError::Failed)?;
            return result.ok_or(WaitError::TooManyWaiters);
        };
        let queue = &*waiter.queue;
        let mut head = pin!(queue.head.acquire());
        // Poll before anything else is awaited: the first poll enters the semaphore's queue, in order of arrival.
        let _head = match poll_fn(|cx| Poll::Ready(head.as_mut().poll(cx))).await {
            Poll::Ready(head) => head,
            Poll::Pending => {
                if let Some(result) = peek().await.map_err(WaitError::Failed)? {
                    return Ok(result);
                }
                require_runtime()?;
                timeout_at(deadline, head).await.map_err(|_| WaitError::Timeout)?
            }
        };
        let mut pause = POLL.0;
        loop {
            // An attempt is not cut off at the deadline: it is short, and the first may succeed with no time to wait.
            let lease = match attempt().await.map_err(WaitError::Failed)? {
                Attempt::Done(result) => return Ok(result),
                Attempt::Held(lease) => lease,
            };
            let now = Instant::now();
            if now >= deadline {
                return Err(WaitError::Timeout);
            }
            require_runtime()?;
            let next = lease.remaining.min(if lease.is_local { RECHECK } else { pause });
            pause = (pause * 3 / 2).min(POLL.1);
            // The lock may be free now, with or without a notification.
            let notified = timeout_at(deadline.min(now + next), queue.released.notified())
                .await
                .is_ok();
            if !lease.is_local {
                queue.restart_streak();
            } else if notified && lease.is_folder_shared && queue.exceeds_streak() {
                // Leave the lock alone long enough for a waiter in another process to poll it.
                sleep_until(deadline.min(Instant::now() + 2 * POLL.1)).await;
                queue.restart_streak();
            }
        }
    }

    /// Joins the queue of a key. Returns `None` if it is full.
    fn join(&self, key: SessionKey, limit: usize) -> Option<Waiter<'_>> {
        let mut queues = self.queues();
        let queue = queues.entry(key).or_insert_with(|| Arc::new(WaitQueue::new()));
        if queue.waiters.load(Ordering::Relaxed) >= limit.max(1) {
            return None;
        }
        queue.waiters.fetch_add(1, Ordering::Relaxed);
        let queue = queue.clone();
        Some(Waiter {
            queues: self,
            key,
            queue,
        })
    }
}

fn require_runtime<E>() -> Result<(), WaitError<E>> {
    Handle::try_current().map(drop).map_err(|_| WaitError::NoRuntime)
}

impl WaitQueue {
    fn new() -> Self {
        Self {
            head: Semaphore::new(1),
            released: Notify::new(),
            waiters: AtomicUsize::new(0),
            streak_since: Mutex::new(Instant::now()),
        }
    }

    /// Returns whether this process has passed the lock on for so long that others should get a chance.
    fn exceeds_streak(&self) -> bool {
        self.streak_since
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .elapsed()
            >= MAX_LOCAL_STREAK
    }

    fn restart_streak(&self) {
        *self.streak_since.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

/// A waiter in a queue. Dropping it leaves the queue.
struct Waiter<'a> {
    queues: &'a WaitQueues,
    key: SessionKey,
    queue: Arc<WaitQueue>,
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let mut queues = self.queues.queues();
        if self.queue.waiters.fetch_sub(1, Ordering::Relaxed) == 1 {
            queues.remove(&self.key);
        }
    }
}
