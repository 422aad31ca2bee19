//! Helpers of the cases: sessions on the storage under test, and visits to them.

use std::sync::Arc;
use std::time::Duration;

use sessile_core::{
    HOUR, Lookup, Record, Session, SessionBuilder, SessionError, SessionId, SessionKey, Storage, Untyped, Visit,
};

use crate::kit::Context;

/// The time that visits wait for locks: also for a roster that many change.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) type Builder = SessionBuilder<Untyped, Untyped>;

/// Returns a session on the storage under test.
pub(super) fn session(ctx: &Context) -> Session {
    session_with(ctx, |builder| builder)
}

pub(super) fn session_with(ctx: &Context, configure: impl FnOnce(Builder) -> Builder) -> Session {
    on(ctx.shared(), configure)
}

/// Returns a session on the second handle.
pub(super) fn second_with(ctx: &Context, configure: impl FnOnce(Builder) -> Builder) -> Session {
    on(ctx.shared_second(), configure)
}

fn on(storage: Arc<dyn Storage>, configure: impl FnOnce(Builder) -> Builder) -> Session {
    // No session lives for ever on a shared server.
    let builder = Session::builder(storage).default_expiration(sessile_core::Expiration::sliding(HOUR));
    configure(builder.lock_wait(PATIENCE)).build()
}

/// Runs a visit that must succeed, and returns the id of the session after it.
pub(super) async fn visit(
    session: &Session,
    visit: impl Into<Visit>,
    work: impl FnOnce() -> Result<(), SessionError>,
) -> SessionId {
    let visited = try_visit(session, visit, work).await;
    visited.unwrap_or_else(|error| panic!("a visit failed: {error:?}"))
}

pub(super) async fn try_visit(
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

/// Begins a session without an owner.
pub(super) async fn anonymous(session: &Session) -> SessionId {
    visit(session, Visit::new(), || session.set("cart", "full")).await
}

/// Logs an owner in, in a new session.
pub(super) async fn sign_in(session: &Session, owner: &str) -> SessionId {
    visit(session, Visit::new(), || session.log_in(owner)).await
}

/// Logs an owner in, in a session that is stored.
pub(super) async fn sign_in_again(session: &Session, id: &SessionId, owner: &str) -> SessionId {
    visit(session, id.clone(), || session.log_in(owner)).await
}

pub(super) async fn regenerate(session: &Session, id: &SessionId) -> SessionId {
    visit(session, id.clone(), || session.regenerate_id()).await
}

/// Returns whether a visit finds the session.
pub(super) async fn lives(session: &Session, id: &SessionId) -> bool {
    let started = session.init(Visit::attach(id.clone()), async { session.start_readonly().await });
    match started.await {
        Ok(Ok(())) => true,
        Ok(Err(SessionError::Unknown | SessionError::Gone | SessionError::Superseded)) => false,
        other => panic!("a visit failed: {other:?}"),
    }
}

/// Checks which sessions an owner has, in the order of the logins, in the eyes of both handles.
pub(super) async fn assert_owns(ctx: &Context, owner: &str, ids: &[&SessionId]) {
    let expected: Vec<SessionKey> = ids.iter().map(|id| id.key()).collect();
    for session in [session(ctx), second_with(ctx, |builder| builder)] {
        assert_eq!(keys_of(&session, owner).await, expected, "the sessions of {owner}");
    }
}

pub(super) async fn keys_of(session: &Session, owner: &str) -> Vec<SessionKey> {
    let sessions = session.registry().by_owner(owner).await;
    let sessions = sessions.unwrap_or_else(|error| panic!("by_owner failed: {error:?}"));
    for info in &sessions {
        assert_eq!(
            info.owner.as_deref(),
            Some(owner),
            "a session is listed under another owner"
        );
    }
    sessions.into_iter().map(|info| info.key).collect()
}

/// Returns the record of a live session, without following it to another key.
pub(super) async fn record_of(ctx: &Context, id: &SessionId) -> Record {
    match ctx.read(&id.key()).await {
        Lookup::Found(stored) if stored.key == id.key() => stored.record,
        other => panic!("a live session was expected, and read returned {other:?}"),
    }
}

/// Returns the key of the record that lists the sessions of an owner.
pub(super) fn roster_of(owner: &str) -> SessionKey {
    SessionKey::derive("owner", owner)
}

/// Returns whether the storage lists sessions. If not, checks that the registry says so.
pub(super) async fn can_list(ctx: &Context) -> bool {
    if ctx.profile().scan {
        return true;
    }
    let listed = session(ctx).registry().list(None, 10).await;
    let Err(SessionError::Storage(error)) = &listed else {
        panic!("a storage without a scan returned {listed:?}")
    };
    assert_eq!(error.kind(), sessile_core::StorageErrorKind::Unsupported, "{error:?}");
    false
}
