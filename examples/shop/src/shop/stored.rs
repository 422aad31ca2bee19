//! All stored values of a visitor, with their ends.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sessile::{Key, SessionError};

use super::{Carts, Elsewhere, Fifty, Moment, ShopSession, Visitor};

/// The lifetimes of sessions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lifetimes {
    /// The idle time after which a session ends.
    pub(crate) idle: Duration,
    /// The absolute lifetime, since the login or else the creation.
    pub(crate) at_most: Duration,
}

/// The stored state of a session.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) since: Moment,
    /// The end of the session without further visits.
    pub(crate) ends: Moment,
    pub(crate) entries: Vec<Entry>,
}

/// A stored value.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: String,
    /// The stored JSON.
    pub(crate) value: String,
    /// The end of the value; `None` for that of its session.
    pub(crate) ends: Option<Moment>,
}

/// Returns the stored state of the visitor's session, if there is one. Does not wait for writers.
pub(crate) async fn stored(
    session: &ShopSession,
    carts: &Carts,
    lifetimes: Lifetimes,
) -> Result<Option<Stored>, SessionError> {
    session.start_readonly().await?;
    let (Some(created), Some(active)) = (session.created_at(), session.last_active_at()) else {
        return Ok(None);
    };
    let since = Moment::from(created);
    let counted_from = session.authenticated_at().map_or(since, Moment::from);
    let idle = Moment::from(active).after(lifetimes.idle);
    let entries = [
        entry(session, Visitor::USER, |_| None)?,
        entry(session, Visitor::COUNT, |_| None)?,
        entry(session, Visitor::FIFTY, |fifty: &Fifty| Some(fifty.ends))?,
        entry(session, Visitor::ELSEWHERE, |elsewhere: &Elsewhere| {
            Some(elsewhere.ends)
        })?,
    ];
    let cart = carts.stored()?;
    Ok(Some(Stored {
        since,
        ends: idle.min(counted_from.after(lifetimes.at_most)),
        entries: entries.into_iter().flatten().chain(cart).collect(),
    }))
}

fn entry<T: Serialize + DeserializeOwned>(
    session: &ShopSession,
    key: Key<Visitor, T>,
    ends: impl FnOnce(&T) -> Option<Moment>,
) -> Result<Option<Entry>, SessionError> {
    let value = session.get(key)?;
    Ok(value.map(|value| Entry::new(key.name(), &value, ends(&value))))
}

impl Entry {
    pub(super) fn new(name: &str, value: &impl Serialize, ends: Option<Moment>) -> Self {
        Self {
            name: name.to_owned(),
            value: serde_json::to_string(value).expect("it came from JSON"),
            ends,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use sessile::storage::Storage;
    use sessile::time::{Clock, ManualClock, Timestamp};
    use sessile::{Expiration, HOUR, MemoryStorage, Session, SessionId, Visit};

    use super::*;
    use crate::shop::{UserName, account, counter};

    const HOURS: Lifetimes = Lifetimes {
        idle: Duration::from_secs(12 * HOUR.as_secs()),
        at_most: Duration::from_secs(12 * HOUR.as_secs()),
    };
    const HALF: Duration = Duration::from_secs(6 * HOUR.as_secs());

    /// Runs a visit, and returns the id and the stored state of the session.
    async fn visit(
        session: &ShopSession,
        id: Option<SessionId>,
        work: impl AsyncFnOnce() -> Result<(), SessionError>,
    ) -> (Option<SessionId>, Stored) {
        let visited = session.init(Visit::from(id), async {
            work().await?;
            session.close().await?;
            let carts = Carts::new(session.clone(), None);
            let shown = stored(session, &carts, HOURS).await?;
            Ok::<_, SessionError>((session.id(), shown.expect("something is stored")))
        });
        visited.await.and_then(|visited| visited).expect("the storage works")
    }

    #[tokio::test]
    async fn the_absolute_lifetime_is_counted_from_the_login() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_000_000)));
        let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::builder().clock(Arc::clone(&clock)).build());
        let session: ShopSession = Session::builder(storage)
            .default_expiration(Expiration::sliding(HOURS.idle).at_most(HOURS.at_most))
            .build();
        let count = async || counter::add(&session, 1).await.map(drop);
        let begun = Moment::from(time::OffsetDateTime::from(clock.now()));

        let (id, _) = visit(&session, None, count).await;
        clock.advance(HALF);
        let (id, shown) = visit(&session, id, count).await;
        assert_eq!((shown.since, shown.ends), (begun, begun.after(HOURS.at_most)));

        let ada = UserName::late();
        let (id, shown) = visit(&session, id, async || account::log_in(&session, ada).await).await;
        let end = begun.after(HALF).after(HOURS.at_most);
        assert_eq!((shown.since, shown.ends), (begun, end));

        // The session outlives the lifetime counted from its creation, and ends at the end shown.
        clock.advance(HALF + HALF / 2);
        let (id, shown) = visit(&session, id, count).await;
        assert_eq!(shown.ends, end);
        clock.advance(HALF / 2);
        let (anew, _) = visit(&session, id.clone(), count).await;
        assert_ne!(anew, id);
    }
}
