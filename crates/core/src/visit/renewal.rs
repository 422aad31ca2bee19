//! Keeping a lock while its holder works.
//!
//! A renewal is part of its scope, not a task of its own: it ends with the scope, and a visit that never waits while it
//! holds a lock pays nothing for it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Context as TaskContext;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::expiration::DAY;
use crate::storage::{LockId, StorageErrorKind};
use crate::visit::Context;
use crate::visit::state::{SessionData, State};

/// The margin by which the idle expiration of a locked session is moved early, unless the lease is longer. It covers a
/// storage that is slow or briefly unavailable.
const SLIDE_MARGIN: Duration = Duration::from_secs(30);

/// Renews one lock at every third of its lease, and sooner after a failure. Several scopes of one visit may do so
/// concurrently; they share the due time, and the first scope that is polled after it renews.
pub(super) struct Renewal {
    lock_id: LockId,
    /// `None` once the lock is lost.
    future: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Renewal {
    fn new(lock_id: LockId, lease: Duration, context: Arc<Context>) -> Self {
        let interval = renewal_interval(lease);
        let future = async move {
            loop {
                // Claim only a third of the interval: if this scope is dropped before it has renewed, another scope
                // takes over in time.
                let start = Instant::now();
                let due = context.state().claim_renewal(start + interval / 3);
                if let Err(later) = due {
                    sleep_until(later).await;
                    continue;
                }
                use StorageErrorKind::{Gone, LockLost, Superseded};
                match context.settings.storage.renew(&lock_id).await {
                    Ok(()) => {
                        context.state().data_mut().renew_at = Some(start + interval);
                        // A session that is locked and worked on must not idle out.
                        if context.ends_soon(lease) {
                            context.slide_now().await;
                        }
                    }
                    Err(error) if matches!(error.kind(), LockLost | Gone | Superseded) => return,
                    Err(_) => context.state().data_mut().renew_at = Some(Instant::now() + interval / 3),
                }
            }
        };
        Self {
            lock_id,
            future: Some(Box::pin(future)),
        }
    }
}

/// Returns the interval between renewals: at least a millisecond, as a lease shorter than that cannot be kept, and
/// bounded so that adding it to an `Instant` cannot overflow.
fn renewal_interval(lease: Duration) -> Duration {
    (lease / 3).clamp(Duration::from_millis(1), 30 * DAY)
}

impl State {
    /// Claims the due renewal and sets the next due time; returns the due time as an error if it has not come yet.
    fn claim_renewal(&mut self, next: Instant) -> Result<(), Instant> {
        let data = self.data_mut();
        match data.renew_at {
            Some(due) if due > Instant::now() => Err(due),
            _ => {
                data.renew_at = Some(next);
                Ok(())
            }
        }
    }
}

impl SessionData {
    /// Schedules the renewal of a lock that was just taken.
    pub(super) fn plan_renewal(&mut self) {
        self.renew_at = self
            .lock
            .as_ref()
            .map(|lock| Instant::now() + renewal_interval(lock.lease()));
    }
}

impl Context {
    /// Marks that the visit may be used without entering a scope, which would renew its lock.
    pub(crate) fn mark_used_elsewhere(&self) {
        // Relaxed: the flag publishes no other data.
        self.used_elsewhere.store(true, Ordering::Relaxed);
    }

    /// Registers the waiting task of the visit to be woken when code outside of it takes the lock, so that it renews
    /// that lock.
    pub(super) fn register_renewal_waker(&self, cx: &TaskContext<'_>) {
        if self.used_elsewhere.load(Ordering::Relaxed) {
            let waker = cx.waker().clone();
            let before = self.state().cold_mut().renewal_waker.replace(waker);
            // Dropping a waker runs foreign code, so the state is unlocked first.
            drop(before);
        }
    }

    /// Returns whether, as far as this visit knows, the session idles out so soon that the next renewal may be too
    /// late.
    fn ends_soon(&self, lease: Duration) -> bool {
        let now = self.settings.storage.clock().now();
        let state = self.state();
        let deadline = state.meta().and_then(|meta| meta.deadline);
        deadline.is_some_and(|deadline| deadline <= now + lease.max(SLIDE_MARGIN))
    }

    /// Polls the renewal of the lock that the visit holds, if any, so that the task is woken when it is due.
    pub(super) fn poll_renewal(self: &Arc<Self>, renewal: &mut Option<Box<Renewal>>, cx: &mut TaskContext<'_>) {
        let held = self.state().lock().map(|lock| (lock.id(), lock.lease()));
        // Dropping the renewal of another lock drops its pending storage call, so the state must not be locked here.
        let Some((lock_id, lease)) = held else {
            *renewal = None;
            return;
        };
        if renewal.as_ref().is_none_or(|renewal| renewal.lock_id != lock_id) {
            // The timer needs a runtime; without one the lock ends with its lease.
            if tokio::runtime::Handle::try_current().is_err() {
                return;
            }
            *renewal = Some(Box::new(Renewal::new(lock_id, lease, Arc::clone(self))));
        }
        if let Some(renewal) = renewal
            && let Some(future) = &mut renewal.future
            && future.as_mut().poll(cx).is_ready()
        {
            renewal.future = None;
        }
    }
}
