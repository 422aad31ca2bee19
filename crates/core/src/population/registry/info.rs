//! [`SessionInfo`]: what a listing tells of a session.

use time::OffsetDateTime;

use crate::id::SessionKey;
use crate::storage::{ClientFacts, Cursor, Meta, SessionHead, Stored};

/// A session as the [registry](crate::Registry) shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionInfo {
    /// The key, by which the session can be ended.
    pub key: SessionKey,
    /// The user who has logged in.
    pub owner: Option<String>,
    /// When the owner has logged in.
    pub authenticated_at: Option<OffsetDateTime>,
    /// When the session was created.
    pub created_at: OffsetDateTime,
    /// When it was last active, to within the [touch resolution](crate::SessionBuilder::touch_resolution).
    pub last_active_at: OffsetDateTime,
    /// When it expires if there is no other visit before; `None` if never.
    pub expires_at: Option<OffsetDateTime>,
    /// The client, as it was when the session began or its owner logged in.
    pub client: ClientFacts<'static>,
    /// The length of its data as stored, in bytes; `None` if the storage would have to read the data to know it.
    pub payload_len: Option<usize>,
}

impl SessionInfo {
    fn new(key: SessionKey, meta: &Meta, payload_len: Option<usize>) -> Self {
        Self {
            key,
            owner: meta.facts.owner().map(Into::into),
            authenticated_at: meta.facts.authenticated_at().map(Into::into),
            created_at: meta.created_at.into(),
            last_active_at: meta.last_active.into(),
            expires_at: meta.deadline.map(Into::into),
            client: meta.facts.client().into_owned(),
            payload_len,
        }
    }
}

impl From<&Stored> for SessionInfo {
    fn from(stored: &Stored) -> Self {
        let record = &stored.record;
        Self::new(stored.key, &record.meta, Some(record.payload.len()))
    }
}

impl From<&SessionHead> for SessionInfo {
    fn from(head: &SessionHead) -> Self {
        Self::new(head.key, &head.meta, head.payload_len)
    }
}

/// A page of a list of sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionList {
    /// The sessions, in no particular order.
    pub sessions: Vec<SessionInfo>,
    /// Where the list continues; `None` after the last page. An empty page may have a successor.
    pub next: Option<Cursor>,
}
