//! The sessions of the logged-in user: a list of them, and how to end them.
//!
//! Sessions are named by their keys, which unlike ids grant no access. A session that was ended is ended for all
//! requests with its id, on all machines; requests in flight cannot commit.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sessile::population::{ClientFacts, SessionInfo};
use sessile::{Expiration, SessionError, SessionKey};

use super::{Moment, ShopSession, Visitor};

/// The time for which the page shows that other sessions were ended.
const SHOWN: Duration = Duration::from_secs(60);

/// A session of the user.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) key: SessionKey,
    pub(crate) created: Moment,
    /// The last activity, to within a minute.
    pub(crate) last_seen: Moment,
    /// The client that logged in. It can be any text.
    pub(crate) client: ClientFacts<'static>,
    /// `true` for the session of the visit.
    pub(crate) current: bool,
}

/// The result of a logout from all other sessions.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Elsewhere {
    /// The number of sessions ended.
    pub(crate) ended: usize,
    /// The end of this value.
    pub(crate) ends: Moment,
}

/// A refused operation on the sessions of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    NotLoggedIn,
    /// The user has no session with this key.
    NoSuchSession,
}

type Result<T> = std::result::Result<std::result::Result<T, Refusal>, SessionError>;

/// Lists the sessions of the user, in the order of their logins. Does not wait for writers.
pub(crate) async fn list(session: &ShopSession) -> Result<Vec<Listed>> {
    session.start_readonly().await?;
    let Some((owner, current)) = login(session) else {
        return Ok(Err(Refusal::NotLoggedIn));
    };
    let sessions = session.registry().by_owner(&owner).await?;
    Ok(Ok(sessions
        .into_iter()
        .map(|info| Listed::new(info, &current))
        .collect()))
}

/// Ends the session of the user with this key, which may be the current one.
pub(crate) async fn end(session: &ShopSession, key: &str) -> Result<()> {
    session.start_readonly().await?;
    let Some((owner, current)) = login(session) else {
        return Ok(Err(Refusal::NotLoggedIn));
    };
    let Ok(key) = key.parse::<SessionKey>() else {
        return Ok(Err(Refusal::NoSuchSession));
    };
    if key == current {
        // Tells the client, too, that it has no session any more.
        session.destroy().await?;
        return Ok(Ok(()));
    }
    let registry = session.registry();
    let ended = match registry.get(&key).await? {
        // The result does not tell whether another user has a session with this key.
        Some(info) if info.owner.as_deref() == Some(&*owner) => registry.end(&info.key).await?,
        _ => false,
    };
    Ok(if ended { Ok(()) } else { Err(Refusal::NoSuchSession) })
}

/// Ends all sessions of the user but the current one, and returns how many.
pub(crate) async fn end_others(session: &ShopSession) -> Result<usize> {
    session.start().await?;
    let Some((owner, current)) = login(session) else {
        return Ok(Err(Refusal::NotLoggedIn));
    };
    let ended = session.registry().end_others(&owner, &current).await?;
    let elsewhere = Elsewhere {
        ended,
        ends: Moment::now().after(SHOWN),
    };
    session.set_with_expiration(Visitor::ELSEWHERE, elsewhere, Expiration::After(SHOWN))?;
    Ok(Ok(ended))
}

/// Ends all sessions of the user, and returns how many. The current one ends last: if the storage fails before, the
/// user can try again.
pub(crate) async fn end_all(session: &ShopSession) -> Result<usize> {
    session.start_readonly().await?;
    let Some((owner, current)) = login(session) else {
        return Ok(Err(Refusal::NotLoggedIn));
    };
    let others = session.registry().end_others(&owner, &current).await?;
    session.destroy().await?;
    Ok(Ok(others + 1))
}

/// Returns the user and the key of the current session, in a visit that was started.
fn login(session: &ShopSession) -> Option<(String, SessionKey)> {
    session.owner().zip(session.key())
}

impl Listed {
    fn new(info: SessionInfo, current: &SessionKey) -> Self {
        Self {
            key: info.key,
            created: info.created_at.into(),
            last_seen: info.last_active_at.into(),
            client: info.client,
            current: info.key == *current,
        }
    }
}
