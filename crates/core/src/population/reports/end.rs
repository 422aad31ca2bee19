//! Ending a session, and reporting that.

use crate::error::SessionError;
use crate::events::{EndReason, EventKind, PendingEnd};
use crate::id::SessionKey;
use crate::settings::Settings;
use crate::storage::{Lookup, Stored};
use crate::telemetry;

impl Settings {
    /// Prepares the end of a session by its key. Returns `None` if there are no events, no session, or one that has left
    /// this key: its end is [reported](Settings::report_moved) without it.
    pub(crate) async fn prepare_end(
        &self,
        key: &SessionKey,
        reason: EndReason,
    ) -> Result<Option<PendingEnd>, SessionError> {
        if self.hub.is_none() {
            return Ok(None);
        }
        match self.storage.read(key).await? {
            Lookup::Found(stored) if stored.record.meta.facts.is_session() => {
                self.prepare_known_end(stored, reason).await.map(Some)
            }
            Lookup::Superseded => self.mark_moved(key, reason).await.map(|()| None),
            Lookup::Found(_) | Lookup::Missing => Ok(None),
        }
    }

    async fn prepare_known_end(&self, stored: Stored, reason: EndReason) -> Result<PendingEnd, SessionError> {
        let end = PendingEnd::new(stored, reason);
        self.mark_ending(&end.key, end.owner.as_deref(), reason).await?;
        Ok(end)
    }

    /// Ends a session, even if its lock is held. Returns its end if it lived.
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

    /// Reports an end of which nothing but the key is known.
    pub(crate) fn report_unheard(&self, key: &SessionKey, reason: EndReason) {
        telemetry::ended(key, reason.name());
        self.emit(EventKind::Ended(reason), key, None);
    }

    pub(super) fn report(&self, end: PendingEnd) {
        telemetry::ended(&end.key, end.reason.name());
        self.emit(EventKind::Ended(end.reason), &end.key, end.owner.as_deref());
        if let Some(hub) = &self.hub {
            hub.callbacks.run(end);
        }
    }
}
