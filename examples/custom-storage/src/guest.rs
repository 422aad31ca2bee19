//! The part of the server: what happens in a visit.

use sessile_core::{Key, Session, SessionError, SessionId, Untyped, Visit};

/// How often this client has been here.
const VISITS: Key<Untyped, u64> = Key::new("visits");

/// What there is to tell after a visit.
#[derive(Debug)]
pub(crate) struct Guest {
    pub(crate) id: SessionId,
    pub(crate) visits: u64,
}

/// Counts a visit. An id that is not known, or not any more, begins a new session.
pub(crate) async fn visit(session: &Session, id: Option<SessionId>) -> Result<Guest, SessionError> {
    session
        .enter(Visit::from(id), async {
            let visits = session.update_key(VISITS, |count| {
                *count += 1;
                *count
            })?;
            // Saved, and on the disk when this returns.
            session.close().await?;
            let id = session.id().ok_or(SessionError::Gone)?;
            Ok(Guest { id, visits })
        })
        .await
}

/// Ends the session.
pub(crate) async fn leave(session: &Session, id: Option<SessionId>) -> Result<(), SessionError> {
    session.init(Visit::from(id), session.destroy()).await?
}
