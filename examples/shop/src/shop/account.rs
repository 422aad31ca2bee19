//! Who is logged in.

use sessile::SessionError;

use super::{ShopSession, UserName, Visitor};

/// Logs a visitor in. There is no password: this shop shows sessions.
///
/// With more rights comes a new id, so an id that somebody planted before the login is worth nothing after it.
pub(crate) async fn log_in(session: &ShopSession, user: UserName) -> Result<(), SessionError> {
    session.start().await?;
    session.regenerate_id()?;
    session.set(Visitor::USER, user)
}

/// Who is logged in, if anybody is. Waits for nobody who is writing.
pub(crate) async fn current(session: &ShopSession) -> Result<Option<UserName>, SessionError> {
    session.start_readonly().await?;
    session.get(Visitor::USER)
}

/// Logs in from a visit that has only read so far, in one short exclusive step.
pub(crate) async fn log_in_late(session: &ShopSession, user: UserName) -> Result<(), SessionError> {
    session.update(async || session.set(Visitor::USER, user)).await
}
