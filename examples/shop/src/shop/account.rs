//! Login and logout.

use sessile::SessionError;

use super::{ShopSession, UserName, Visitor};

/// Logs a visitor in. There is no password: this shop shows sessions.
///
/// Replaces the id, so that an id planted before the login is invalid after it. The absolute lifetime of the session
/// starts here. The session gets its owner when it is committed, and not if the owner has too many sessions already.
pub(crate) async fn log_in(session: &ShopSession, user: UserName) -> Result<(), SessionError> {
    session.start().await?;
    session.log_in(user.as_ref())?;
    session.set(Visitor::USER, user)
}

/// Returns the name of the user, if any. Does not wait for writers.
pub(crate) async fn current(session: &ShopSession) -> Result<Option<UserName>, SessionError> {
    session.start_readonly().await?;
    session.get(Visitor::USER)
}

/// Changes the name from a visit that has only read, in one short exclusive step. The owner of the session stays.
pub(crate) async fn rename(session: &ShopSession, user: UserName) -> Result<(), SessionError> {
    session
        .transaction(async || session.set(Visitor::USER, user.clone()))
        .await
}

/// Ends the session without waiting: the commit of a concurrent writer fails.
pub(crate) async fn log_out(session: &ShopSession) -> Result<(), SessionError> {
    session.destroy().await
}
