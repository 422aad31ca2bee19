//! Fifty visits at once, each of which adds one: to the session's counter, and to a counter in a store without locks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sessile::{Expiration, SessionError, SessionId, Visit};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::{Moment, ShopSession, Visitor, counter};

/// How many visits there are.
pub(crate) const VISITS: u64 = 50;

/// What each visit does between reading and writing: it asks a database, say.
const WORK: Duration = Duration::from_millis(2);

/// How long the outcome is kept.
const KEPT: Duration = Duration::from_secs(300);

/// What has become of the two counters.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Fifty {
    /// Where both began.
    pub(crate) before: u64,
    /// Where the session's counter ended.
    pub(crate) with_locks: u64,
    /// Where the other one ended.
    pub(crate) without_locks: u64,
    /// When this outcome is forgotten.
    pub(crate) ends: Moment,
}

/// Lets fifty visits to this session add to both counters, and keeps the outcome in the session for a while.
pub(crate) async fn at_once(session: &ShopSession) -> Result<Fifty, SessionError> {
    // A visitor without a session gets one now, to which the fifty can come.
    let before = counter::add(session, 0).await?;
    session.close().await?;
    let id = session.id().ok_or(SessionError::Gone)?;

    let store = Arc::new(StoreWithoutLocks(AtomicU64::new(before)));
    let mut visits = JoinSet::new();
    for _ in 0..VISITS {
        // A task of its own is outside of this visit, as another request would be.
        visits.spawn(add_with_lock(session.clone(), id.clone()));
        visits.spawn(add_without_lock(Arc::clone(&store)));
    }
    while let Some(done) = visits.join_next().await {
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
    }

    // This visit has its lock again, and sees what the others have committed.
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
        .await
}

async fn add_without_lock(store: Arc<StoreWithoutLocks>) -> Result<(), SessionError> {
    let count = store.load();
    sleep(WORK).await;
    store.save(count + 1);
    Ok(())
}

/// A store as many are: a request loads, does its work and saves, and whatever others have saved meanwhile is lost.
struct StoreWithoutLocks(AtomicU64);

impl StoreWithoutLocks {
    fn load(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn save(&self, count: u64) {
        self.0.store(count, Ordering::Relaxed);
    }
}
