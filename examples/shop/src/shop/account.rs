//! Login and logout.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sessile::{Expiration, SessionError};

use super::{Logins, Moment, ShopSession, UserName, Visitor};

/// The time for which the page shows that other sessions were ended.
const SHOWN: Duration = Duration::from_secs(60);

/// The result of a logout from all other sessions.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Elsewhere {
    /// The number of sessions ended.
    pub(crate) ended: usize,
    /// The end of this value.
    pub(crate) ends: Moment,
}

/// The operation requires a login.
#[derive(Debug)]
pub(crate) struct NotLoggedIn;

/// Logs a visitor in. There is no password: this shop shows sessions.
///
/// Replaces the id, so that an id planted before the login is invalid after it. The absolute lifetime of the session
/// starts here.
pub(crate) async fn log_in(session: &ShopSession, logins: &Logins, user: UserName) -> Result<(), SessionError> {
    session.start().await?;
    let former = session.key();
    session.mark_authenticated()?;
    session.set(Visitor::USER, user.clone())?;
    // The session moves to its new id here, and can be listed by its key only afterwards.
    session.close().await?;
    if let Some(former) = former {
        // Destroying the former key would end the moved session, so only the list entry is removed.
        logins.remove(former);
    }
    list(session, logins, user);
    Ok(())
}

/// Returns the logged-in user, if any. Does not wait for writers.
pub(crate) async fn current(session: &ShopSession) -> Result<Option<UserName>, SessionError> {
    session.start_readonly().await?;
    session.get(Visitor::USER)
}

/// Logs in from a visit that has only read, in one short exclusive step.
pub(crate) async fn log_in_late(session: &ShopSession, logins: &Logins, user: UserName) -> Result<(), SessionError> {
    session
        .transaction(async || session.set(Visitor::USER, user.clone()))
        .await?;
    list(session, logins, user);
    Ok(())
}

/// Ends the session without waiting: the commit of a concurrent writer fails.
pub(crate) async fn log_out(session: &ShopSession, logins: &Logins) -> Result<(), SessionError> {
    let key = session.key();
    session.destroy().await?;
    if let Some(key) = key {
        logins.remove(key);
    }
    Ok(())
}

/// Ends all other sessions of the logged-in user.
pub(crate) async fn log_out_elsewhere(
    session: &ShopSession,
    logins: &Logins,
) -> Result<Result<Elsewhere, NotLoggedIn>, SessionError> {
    session.start().await?;
    let (Some(user), Some(key)) = (session.get(Visitor::USER)?, session.key()) else {
        return Ok(Err(NotLoggedIn));
    };
    let elsewhere = Elsewhere {
        ended: logins.end_others(&user, key).await?,
        ends: Moment::now().after(SHOWN),
    };
    session.set_with_expiration(Visitor::ELSEWHERE, elsewhere.clone(), Expiration::After(SHOWN))?;
    Ok(Ok(elsewhere))
}

fn list(session: &ShopSession, logins: &Logins, user: UserName) {
    if let Some(key) = session.key() {
        logins.add(user, key);
    }
}
