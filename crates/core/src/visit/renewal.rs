//! Keeping a lock while its holder works.
//!
//! A renewal is part of the scope it belongs to, not a task of its own: it ends with the scope, and a visit that never
//! has to wait while it holds a lock pays nothing for it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Context as TaskContext;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::expiration::DAY;
use crate::storage::{LockTicket, StorageErrorKind};
use crate::visit::Context;
use crate::visit::state::{SessionData, State};

/// How long before a session idles out under a lock that is held its end is moved, if no lease is longer. The storage may
/// take its time to answer, or be unable to for a while.
const IN_GOOD_TIME: Duration = Duration::from_secs(30);

/// Renews one lock at every third of its lease, and sooner again when that fails. Several scopes of one visit may do
/// so side by side; they share the moments at which it is due, and whoever comes first renews.
pub(super) struct Renewal {
    ticket: LockTicket,
    /// `None` once the lock is lost.
    work: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Renewal {
    fn of(ticket: LockTicket, lease: Duration, context: Arc<Context>) -> Self {
        let pause = pause_of(lease);
        let work = async move {
            loop {
                // This scope may be dropped before it has renewed, and another has to do so in time.
                let start = Instant::now();
                let due = context.state().claim_renewal(start + pause / 3);
                if let Err(later) = due {
                    sleep_until(later).await;
                    continue;
                }
                use StorageErrorKind::{Gone, LockLost, Superseded};
                match context.settings.storage.renew(&ticket).await {
                    Ok(()) => {
                        context.state().data_mut().renew_at = Some(start + pause);
                        // A session that is locked and worked on does not idle out meanwhile.
                        if context.ends_soon(lease) {
                            context.slide_now().await;
                        }
                    }
                    Err(error) if matches!(error.kind(), LockLost | Gone | Superseded) => return,
                    Err(_) => context.state().data_mut().renew_at = Some(Instant::now() + pause / 3),
                }
            }
        };
        Self {
            ticket,
            work: Some(Box::pin(work)),
        }
    }
}

/// How long a lock is left alone between renewals: never no time at all, as a lease that short cannot be kept, and never so
/// long that there is no such moment.
fn pause_of(lease: Duration) -> Duration {
    (lease / 3).clamp(Duration::from_millis(1), 30 * DAY)
}

impl State {
    /// Takes on the renewal that is due, and says when the next one is; or, if none is due yet, when it will be.
    fn claim_renewal(&mut self, next: Instant) -> Result<(), Instant> {
        let started = self.data_mut();
        match started.renew_at {
            Some(due) if due > Instant::now() => Err(due),
            _ => {
                started.renew_at = Some(next);
                Ok(())
            }
        }
    }
}

impl SessionData {
    /// The lock that was loaded with the rest has just been taken.
    pub(super) fn plan_renewal(&mut self) {
        self.renew_at = self.lock.as_ref().map(|lock| Instant::now() + pause_of(lock.lease()));
    }
}

impl fmt::Debug for Renewal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Renewal")
            .field("ticket", &self.ticket)
            .finish_non_exhaustive()
    }
}

impl Context {
    /// Notes that the visit may be used without entering a scope, by which locks would be renewed.
    pub(crate) fn used_elsewhere(&self) {
        self.used_elsewhere.store(true, Ordering::Relaxed);
    }

    /// Sees to it that the task of the visit, which waits, is woken when others take the lock, to renew it for them.
    pub(super) fn keep_lock_of_others(&self, cx: &TaskContext<'_>) {
        if self.used_elsewhere.load(Ordering::Relaxed) {
            let waker = cx.waker().clone();
            let before = self.state().cold_mut().renewal_waker.replace(waker);
            drop(before);
        }
    }

    /// Whether, as far as this visit knows, the session ends so soon that a later renewal may come too late.
    fn ends_soon(&self, lease: Duration) -> bool {
        let now = self.settings.storage.clock().now();
        let state = self.state();
        let deadline = state.meta().and_then(|meta| meta.deadline);
        deadline.is_some_and(|deadline| deadline <= now + lease.max(IN_GOOD_TIME))
    }

    /// Sees to it that the task is woken when the lock it holds, if it holds one, is due for renewal.
    pub(super) fn keep_lock(self: &Arc<Self>, renewal: &mut Option<Box<Renewal>>, cx: &mut TaskContext<'_>) {
        let held = self.state().lock().map(|lock| (lock.ticket(), lock.lease()));
        // What the storage has under way for another lock is dropped here, when the state is not locked.
        let Some((ticket, lease)) = held else {
            *renewal = None;
            return;
        };
        if renewal.as_ref().is_none_or(|renewal| renewal.ticket != ticket) {
            // Without a runtime there is no timer; the lease is then all there is.
            if tokio::runtime::Handle::try_current().is_err() {
                return;
            }
            *renewal = Some(Box::new(Renewal::of(ticket, lease, Arc::clone(self))));
        }
        if let Some(renewal) = renewal
            && let Some(work) = &mut renewal.work
            && work.as_mut().poll(cx).is_ready()
        {
            renewal.work = None;
        }
    }
}
