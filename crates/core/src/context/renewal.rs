//! Keeping a lock while its holder works.
//!
//! A renewal is part of the scope it belongs to, not a task of its own: it ends with the scope, and a visit that never
//! has to wait while it holds a lock pays nothing for it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context as TaskContext;

use super::Context;
use crate::storage::{Lock, LockTicket, Storage, StorageErrorKind};

/// Renews one lock at every third of its lease.
pub(super) struct Renewal {
    ticket: LockTicket,
    /// `None` once the lock is lost.
    work: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Renewal {
    fn of(lock: &Lock, storage: Arc<dyn Storage>) -> Self {
        let ticket = lock.ticket();
        let pause = lock.lease() / 3;
        let work = async move {
            loop {
                tokio::time::sleep(pause).await;
                use StorageErrorKind::{Gone, LockLost, Superseded};
                match storage.renew(&ticket).await {
                    Err(error) if matches!(error.kind(), LockLost | Gone | Superseded) => return,
                    // Two more tries fit into the lease.
                    Ok(()) | Err(_) => {}
                }
            }
        };
        Self {
            ticket,
            work: Some(Box::pin(work)),
        }
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
    /// Sees to it that the task is woken when the lock it holds, if it holds one, is due for renewal.
    pub(super) fn keep_lock(&self, renewal: &mut Option<Renewal>, cx: &mut TaskContext<'_>) {
        {
            let state = self.state();
            let Some(lock) = &state.lock else {
                *renewal = None;
                return;
            };
            if renewal.as_ref().is_none_or(|renewal| renewal.ticket != lock.ticket()) {
                // Without a runtime there is no timer; the lease is then all there is.
                if tokio::runtime::Handle::try_current().is_err() {
                    return;
                }
                *renewal = Some(Renewal::of(lock, Arc::clone(&self.engine.storage)));
            }
        }
        if let Some(Renewal {
            work: work @ Some(_), ..
        }) = renewal
        {
            let ready = work.as_mut().is_some_and(|work| work.as_mut().poll(cx).is_ready());
            if ready {
                *work = None;
            }
        }
    }
}
