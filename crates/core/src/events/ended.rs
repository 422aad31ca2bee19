//! [`EndedSession`]: a session that has ended, with its last data; [`PendingEnd`] before it is reported.

use std::fmt;
use std::marker::PhantomData;

use serde::de::DeserializeOwned;

use super::EndReason;
use crate::clock::Timestamp;
use crate::error::SessionError;
use crate::id::SessionKey;
use crate::json::CodecError;
use crate::keys::{Details, NamespaceName, Namespaces, ValueKey, Values};
use crate::payload::{AsOf, Payload};
use crate::storage::{Record, Stored};

/// The end of a session that has not been reported yet, as a lock may be held.
#[derive(Debug)]
#[must_use]
pub(crate) struct PendingEnd {
    pub(crate) key: SessionKey,
    pub(crate) owner: Option<Box<str>>,
    pub(crate) reason: EndReason,
    /// The data as this process saw it last.
    pub(crate) last: Option<Record>,
    pub(crate) report: Report,
}

/// The way in which the end of a session is to be reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Report {
    /// By this caller; from this moment on, if there is one, others may do so.
    Here(Option<Timestamp>),
    /// Like those of all sessions that may have left the key: the session has, and its place on its watchlist does not
    /// name the key any more. The moment is that of the marks of this caller.
    Moved(Option<Timestamp>),
    /// By another caller, who has noted it first, or by a round. If this caller is told that it has ended the session, it
    /// may have removed a barrier that has taken its place.
    Elsewhere,
}

impl PendingEnd {
    pub(crate) fn new(stored: Stored, reason: EndReason) -> Self {
        Self {
            key: stored.key,
            owner: stored.record.meta.facts.owner().map(Into::into),
            reason,
            last: Some(stored.record),
            report: Report::Here(None),
        }
    }

    /// The end of a session of which only the key is known.
    pub(crate) fn unseen(key: SessionKey, reason: EndReason) -> Self {
        Self {
            key,
            owner: None,
            reason,
            last: None,
            report: Report::Here(None),
        }
    }

    /// Adds what was seen of the session before, if nothing newer is known.
    pub(super) fn complete(&mut self, last: Option<Record>) {
        self.last = self.last.take().or(last);
        if let (None, Some(last)) = (&self.owner, &self.last) {
            self.owner = last.meta.facts.owner().map(Into::into);
        }
    }
}

/// A session that has ended, as its [callbacks](crate::Session::on_end) are told: why, and what was in it.
///
/// The values are those that were stored at last, also those whose own time was over by then. A session that this
/// process ends is read just before. Of one that has expired, or that another process has ended, the values are as the
/// last [round](crate::Registry::maintain) has seen them; there are none if it had no chance to.
pub struct EndedSession<'a, N, V> {
    end: &'a PendingEnd,
    declared: PhantomData<fn() -> (N, V)>,
}

impl<'a, N, V> EndedSession<'a, N, V> {
    pub(crate) fn new(end: &'a PendingEnd) -> Self {
        Self {
            end,
            declared: PhantomData,
        }
    }

    /// Returns the last key.
    #[must_use]
    pub fn key(&self) -> &SessionKey {
        &self.end.key
    }

    /// Returns the owner that it had.
    #[must_use]
    pub fn owner(&self) -> Option<&str> {
        self.end.owner.as_deref()
    }

    /// Returns why it has ended.
    #[must_use]
    pub fn reason(&self) -> EndReason {
        self.end.reason
    }
}

impl<N: Namespaces, V: Values> EndedSession<'_, N, V> {
    /// Returns a value, or `None` if it did not exist or nothing is known.
    ///
    /// # Errors
    ///
    /// [`Codec`](SessionError::Codec) if the value is not a `K::Value`, whatever [policy](crate::OnMismatch) the key
    /// has; [`Unreadable`](SessionError::Unreadable).
    pub fn get<K>(&self, key: K) -> Result<Option<K::Value>, SessionError>
    where
        K: ValueKey<V>,
        K::Value: DeserializeOwned,
    {
        self.read(None, &key.details())
    }

    /// Returns a value of a namespace, or `None` if it did not exist or nothing is known.
    ///
    /// # Errors
    ///
    /// The errors of [`get`](EndedSession::get).
    pub fn get_in<W, K>(&self, namespace: W, key: K) -> Result<Option<K::Value>, SessionError>
    where
        W: NamespaceName<N>,
        K: ValueKey<W::Values>,
        K::Value: DeserializeOwned,
    {
        self.read(Some(namespace.name()), &key.details())
    }

    fn read<T: DeserializeOwned>(
        &self,
        namespace: Option<&str>,
        key: &Details<'_, T>,
    ) -> Result<Option<T>, SessionError> {
        let nothing_is_over = AsOf::new(Timestamp::MIN, Timestamp::MAX);
        let Some(Record { payload, .. }) = &self.end.last else {
            return Ok(None);
        };
        let mut payload = Payload::decode(payload.clone())?;
        let Some(map) = payload.value_map(namespace, nothing_is_over)? else {
            return Ok(None);
        };
        let name = map.current_name(key.slot.name, key.slot.aliases, nothing_is_over);
        let Some(json) = map.json(name, nothing_is_over) else {
            return Ok(None);
        };
        match serde_json::from_slice(&json) {
            Ok(value) => Ok(Some(value)),
            Err(error) => Err(CodecError::new(Some(self.end.key), namespace, name, &error).into()),
        }
    }
}

impl<N, V> fmt::Debug for EndedSession<'_, N, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndedSession")
            .field("key", self.key())
            .field("owner", &self.owner())
            .field("reason", &self.reason())
            .finish_non_exhaustive()
    }
}
