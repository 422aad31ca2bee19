//! All that is stored for a visitor, and until when.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sessile::{Key, SessionError};

use super::{Carts, Elsewhere, Fifty, Moment, ShopSession, Visitor};

/// How long sessions last.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lifetimes {
    /// After how long without a visit.
    pub(crate) idle: Duration,
    /// However busy they are.
    pub(crate) at_most: Duration,
}

/// A session as it is stored.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) since: Moment,
    /// When it ends if nobody comes until then.
    pub(crate) ends: Moment,
    pub(crate) entries: Vec<Entry>,
}

/// One value.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: String,
    /// In JSON, as it is stored.
    pub(crate) value: String,
    /// When it ends; `None` for with its session.
    pub(crate) ends: Option<Moment>,
}

/// What is stored for this visitor, if anything is. Waits for nobody who is writing.
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
        ends: idle.min(since.after(lifetimes.at_most)),
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
