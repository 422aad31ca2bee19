//! Ending a session, and reporting that.

use super::{EndReason, EventKind};
use crate::error::SessionError;
use crate::id::SessionKey;
use crate::settings::Settings;
use crate::storage::{Lookup, Record, Stored};
use crate::telemetry;

/// The end of a session that has not been reported yet, as a lock may be held.
#[derive(Debug)]
#[must_use]
pub(crate) struct PendingEnd {
    pub(super) key: SessionKey,
    pub(super) owner: Option<Box<str>>,
    pub(super) reason: EndReason,
    /// The data as this process saw it last.
    pub(super) last: Option<Record>,
}

impl PendingEnd {
    fn new(stored: Stored, reason: EndReason) -> Self {
        Self {
            key: stored.key,
            owner: stored.record.meta.facts.owner().map(Into::into),
            reason,
            last: Some(stored.record),
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

impl Settings {
    /// Prepares the end of a session by its key. Returns `None` if nobody has asked for events, or there is no session.
    pub(crate) async fn prepare_end(
        &self,
        key: &SessionKey,
        reason: EndReason,
    ) -> Result<Option<PendingEnd>, SessionError> {
        if self.hub.is_none() {
            return Ok(None);
        }
        match self.storage.read(key).await? {
            Lookup::Found(stored) => self.prepare_known_end(stored, reason).await.map(Some),
            _ => Ok(None),
        }
    }

    async fn prepare_known_end(&self, stored: Stored, reason: EndReason) -> Result<PendingEnd, SessionError> {
        let end = PendingEnd::new(stored, reason);
        self.mark_ending(&end.key, end.owner.as_deref(), reason).await?;
        Ok(end)
    }

    /// Ends a session, whoever holds its lock. Returns its end if it lived.
    pub(crate) async fn end(&self, stored: Stored, reason: EndReason) -> Result<Option<PendingEnd>, SessionError> {
        let end = self.prepare_known_end(stored, reason).await?;
        let found = self.storage.destroy(&end.key).await?.is_found();
        Ok(found.then_some(end))
    }

    /// Reports ends, and takes the sessions off their watchlists. The caller holds no lock.
    ///
    /// A session that stays on its watchlist is reported again.
    pub(crate) async fn deliver(&self, ends: Vec<PendingEnd>) {
        for end in ends {
            let key = end.key;
            self.report(end);
            let _ = self.unwatch(&key).await;
        }
    }

    /// Records an end that nobody has asked to be told of.
    pub(crate) fn report_unheard(&self, key: &SessionKey, reason: EndReason) {
        telemetry::ended(key, reason);
        self.emit(EventKind::Ended(reason), key, None);
    }

    pub(super) fn report(&self, end: PendingEnd) {
        telemetry::ended(&end.key, end.reason);
        self.emit(EventKind::Ended(end.reason), &end.key, end.owner.as_deref());
        if let Some(hub) = &self.hub {
            hub.callbacks.run(end);
        }
    }
}
