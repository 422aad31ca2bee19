//! Owners on a fixture, and the promises that hold whatever happens.

use std::collections::BTreeSet;

use sessile_core::{Limit, Lookup, MINUTE, Session, SessionError, SessionId, SessionKey, Storage, Visit};

use crate::common::*;

pub(crate) const OWNERS: [&str; 2] = ["ada", "bob"];

/// Returns a fixture with this limit, whose calls wait for locks as long as they have to.
pub(crate) fn limited(limit: impl Into<Option<Limit>>) -> Fixture {
    let limit = limit.into();
    fixture_with(|builder| builder.limit(limit).lock_wait(MINUTE))
}

impl Fixture {
    /// Returns the session as another process has it, with the same limit, whose calls are neither counted nor delayed
    /// nor made to fail.
    pub(crate) fn elsewhere(&self, limit: impl Into<Option<Limit>>) -> Session {
        let builder = Session::builder(std::sync::Arc::clone(&self.storage));
        builder
            .default_expiration(sessile_core::Expiration::Never)
            .lock_wait(MINUTE)
            .limit(limit)
            .build()
    }

    /// Logs an owner in, in a session of its own.
    pub(crate) async fn log_in(&self, owner: &str) -> Result<SessionId, SessionError> {
        log_in(&self.session, owner).await
    }

    /// Returns the keys of the sessions of an owner, as the storage has them.
    pub(crate) async fn stored_of(&self, owner: &str) -> BTreeSet<SessionKey> {
        let page = self.storage.scan(None, 100_000).await.expect("the storage can be read");
        let sessions = page.sessions.into_iter().filter(|head| head.meta.facts.is_session());
        let owned = sessions.filter(|head| head.meta.facts.owner() == Some(owner));
        owned.map(|head| head.key).collect()
    }

    /// Checks that each session of each owner is listed once, and nothing else, and that there are at most so many.
    pub(crate) async fn assert_complete(&self, limit: usize, context: &str) {
        let registry = self.elsewhere(None).registry();
        for owner in OWNERS {
            let stored = self.stored_of(owner).await;
            assert!(stored.len() <= limit, "{context}: {} sessions of {owner}", stored.len());
            let listed = registry.by_owner(owner).await;
            let listed = listed.unwrap_or_else(|error| panic!("{context}: {error:?}"));
            assert_eq!(listed.len(), stored.len(), "{context}: the list of {owner}");
            let listed: BTreeSet<_> = listed.into_iter().map(|info| info.key).collect();
            assert_eq!(listed, stored, "{context}: the list of {owner}");
        }
    }

    /// Checks that no lock is held and nothing waits for one.
    pub(crate) fn assert_idle(&self, context: &str) {
        let stats = self.storage.stats();
        assert_eq!((stats.locks, stats.waiters), (0, 0), "{context}: locks and waiters");
    }

    pub(crate) async fn lives(&self, id: &SessionId) -> bool {
        let found = self.storage.read(&id.key()).await.expect("the storage can be read");
        matches!(found, Lookup::Found(stored) if stored.record.meta.facts.is_session())
    }
}

pub(crate) async fn log_in(session: &Session, owner: &str) -> Result<SessionId, SessionError> {
    visit(session, Visit::new(), || session.log_in(owner)).await
}

/// Runs a visit, and returns the id of the session after it.
pub(crate) async fn visit(
    session: &Session,
    visit: impl Into<Visit>,
    work: impl FnOnce() -> Result<(), SessionError>,
) -> Result<SessionId, SessionError> {
    let work = async {
        work()?;
        session.close().await?;
        session.id().ok_or(SessionError::Gone)
    };
    Ok(session.enter(visit.into(), work).await?.output)
}
