//! Fifty parallel visits, each of which adds one to the session's counter, and to a counter in a store without locks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sessile::{Expiration, SessionError, SessionId, Visit};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::{Moment, ShopSession, Visitor, counter};

/// The number of visits.
pub(crate) const VISITS: u64 = 50;

/// The time that each visit takes between reading and writing, such as for a database query.
const WORK: Duration = Duration::from_millis(2);

/// The lifetime of the result.
const KEPT: Duration = Duration::from_secs(300);

/// The final values of the two counters.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Fifty {
    /// The initial value of both.
    pub(crate) before: u64,
    /// The final value of the session's counter.
    pub(crate) with_locks: u64,
    /// The final value of the other one.
    pub(crate) without_locks: u64,
    /// The end of this value.
    pub(crate) ends: Moment,
}

/// Runs fifty visits to this session that add to both counters, and keeps the result in the session for a while.
pub(crate) async fn immediate(session: &ShopSession) -> Result<Fifty, SessionError> {
    // Creates the session for a new visitor, so that the fifty visits have an id.
    let before = counter::add(session, 0).await?;
    session.close().await?;
    let id = session.id().ok_or(SessionError::Gone)?;

    let store = Arc::new(StoreWithoutLocks(AtomicU64::new(before)));
    let mut visits = JoinSet::new();
    for _ in 0..VISITS {
        // A spawned task is outside of this visit, like another request.
        visits.spawn(add_with_lock(session.clone(), id.clone()));
        visits.spawn(add_without_lock(Arc::clone(&store)));
    }
    while let Some(done) = visits.join_next().await {
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
    }

    // Takes the lock again, and sees the commits of the other visits.
    session.start().await?;
    let fifty = Fifty {
        before,
        with_locks: session.get(Visitor::COUNT)?.unwrap_or(0),
        without_locks: store.load(),
        ends: Moment::now().after(KEPT),
    };
    session.set_with_expiration(Visitor::FIFTY, fifty.clone(), Expiration::After(KEPT))?;
    Ok(fifty)
}

async fn add_with_lock(session: ShopSession, id: SessionId) -> Result<(), SessionError> {
    let visit = session.clone();
    session
        .enter(Visit::from(id), async move {
            let count = visit.get(Visitor::COUNT)?.unwrap_or(0);
            sleep(WORK).await;
            visit.set(Visitor::COUNT, count + 1)
        })
        .await?;
    Ok(())
}

async fn add_without_lock(store: Arc<StoreWithoutLocks>) -> Result<(), SessionError> {
    let count = store.load();
    sleep(WORK).await;
    store.save(count + 1);
    Ok(())
}

/// A typical store without locks: each request loads, works and saves, which overwrites concurrent changes.
struct StoreWithoutLocks(AtomicU64);

impl StoreWithoutLocks {
    fn load(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn save(&self, count: u64) {
        self.0.store(count, Ordering::Relaxed);
    }
}
