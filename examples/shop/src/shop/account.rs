//! Who is logged in.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sessile::{Expiration, SessionError};

use super::{Logins, Moment, ShopSession, UserName, Visitor};

/// How long it is told that other sessions were ended.
const TOLD: Duration = Duration::from_secs(60);

/// The user has logged out elsewhere.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Elsewhere {
    /// How many sessions this has ended.
    pub(crate) ended: usize,
    /// When this is forgotten.
    pub(crate) ends: Moment,
}

/// This is for users only.
#[derive(Debug)]
pub(crate) struct NobodyLoggedIn;

/// Logs a visitor in. There is no password: this shop shows sessions.
///
/// With more rights comes a new id, so an id that somebody planted before the login is worth nothing after it. And how
/// long the session lasts is counted from here.
pub(crate) async fn log_in(session: &ShopSession, logins: &Logins, user: UserName) -> Result<(), SessionError> {
    session.start().await?;
    let former = session.key();
    session.mark_authenticated()?;
    session.set(Visitor::USER, user.clone())?;
    // The session is moved to its new id here, and can be listed by it only then.
    session.close().await?;
    if let Some(former) = former {
        // To end it by its former key would end what has become of it.
        logins.remove(former);
    }
    list(session, logins, user);
    Ok(())
}

/// Who is logged in, if anybody is. Waits for nobody who is writing.
pub(crate) async fn current(session: &ShopSession) -> Result<Option<UserName>, SessionError> {
    session.start_readonly().await?;
    session.get(Visitor::USER)
}

/// Logs in from a visit that has only read so far, in one short exclusive step.
pub(crate) async fn log_in_late(session: &ShopSession, logins: &Logins, user: UserName) -> Result<(), SessionError> {
    session
        .update(async || session.set(Visitor::USER, user.clone()))
        .await?;
    list(session, logins, user);
    Ok(())
}

/// Ends the session. Waits for nobody: a request that is writing meanwhile finds out when it commits.
pub(crate) async fn log_out(session: &ShopSession, logins: &Logins) -> Result<(), SessionError> {
    let key = session.key();
    session.destroy().await?;
    if let Some(key) = key {
        logins.remove(key);
    }
    Ok(())
}

/// Ends all other sessions of whoever is logged in here.
pub(crate) async fn log_out_elsewhere(
    session: &ShopSession,
    logins: &Logins,
) -> Result<Result<Elsewhere, NobodyLoggedIn>, SessionError> {
    session.start().await?;
    let (Some(user), Some(key)) = (session.get(Visitor::USER)?, session.key()) else {
        return Ok(Err(NobodyLoggedIn));
    };
    let elsewhere = Elsewhere {
        ended: logins.end_others(&user, key).await?,
        ends: Moment::now().after(TOLD),
    };
    session.set_with_expiration(Visitor::ELSEWHERE, elsewhere.clone(), Expiration::After(TOLD))?;
    Ok(Ok(elsewhere))
}

fn list(session: &ShopSession, logins: &Logins, user: UserName) {
    if let Some(key) = session.key() {
        logins.add(user, key);
    }
}
