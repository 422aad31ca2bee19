//! Ending a session, and reporting that.

use crate::error::SessionError;
use crate::events::{EndReason, EventKind, Listing, PendingEnd};
use crate::id::SessionKey;
use crate::settings::Settings;
use crate::storage::{Lookup, Stored};
use crate::telemetry;

/// The knowledge of a session that is about to be ended by its key.
#[derive(Debug)]
pub(crate) enum Prepared {
    /// The session, whose end has been noted.
    Seen(PendingEnd),
    /// Nothing: there are no events, or no session under this key. If one has left it and is ended all the same, that is
    /// [reported](Settings::report_moved) without it.
    Unseen,
    /// The session has ended before, and must not be created again.
    Barred,
}

impl Settings {
    /// Prepares the end of a session by its key.
    pub(crate) async fn prepare_end(&self, key: &SessionKey, reason: EndReason) -> Prepared {
        if self.hub.is_none() {
            return Prepared::Unseen;
        }
        // Ending comes first: if the storage fails, or the record cannot be read, the session is ended all the same, if
        // that is possible, and its end is reported as far as it is known.
        match self.storage.read(key).await {
            Ok(Lookup::Found(stored)) if stored.record.meta.facts.is_session() => {
                Prepared::Seen(self.prepare_known_end(PendingEnd::new(stored, reason)).await)
            }
            Ok(Lookup::Found(_barrier)) => Prepared::Barred,
            Ok(Lookup::Superseded) => {
                self.mark_moved(key, reason).await;
                Prepared::Unseen
            }
            _ => Prepared::Unseen,
        }
    }

    async fn prepare_known_end(&self, mut end: PendingEnd) -> PendingEnd {
        if self.watches {
            end.due = Some(self.storage.clock().now() + self.report_within);
            match self.mark_ending(&end).await {
                Ok(true) => {}
                Ok(false) => end.listing = self.mark_unlisted(&end).await,
                // The session has been on the list since it was created, so a round reports the end in any case.
                Err(error) => telemetry::mark_failed(&end.key, &error),
            }
        }
        end
    }

    /// Finds out why no place has named the key of a session that is about to be ended.
    async fn mark_unlisted(&self, end: &PendingEnd) -> Listing {
        // It was found under this key a moment ago. A place forgets a key when the session has moved twice.
        if !matches!(self.storage.read(&end.key).await, Ok(Lookup::Superseded)) {
            return Listing::New;
        }
        let _ = self.unwatch(&end.key).await;
        self.mark_moved(&end.key, end.reason).await;
        Listing::Moved
    }

    /// Notes that a session was not ended, although that was prepared: it had ended already.
    pub(crate) async fn abandon_end(&self, end: PendingEnd) {
        if end.listing == Listing::New {
            // Its end was reported, and the mark would have it reported again.
            let _ = self.unwatch(&end.key).await;
        }
    }

    /// Ends a session, even if its lock is held. Returns its end if it lived under this key.
    pub(crate) async fn end(&self, stored: Stored, reason: EndReason) -> Result<Option<PendingEnd>, SessionError> {
        let end = self.prepare_known_end(PendingEnd::new(stored, reason)).await;
        if self.storage.destroy(&end.key).await?.is_found() {
            return Ok(Some(end));
        }
        self.abandon_end(end).await;
        Ok(None)
    }

    /// Ends the session of a place without looking at its record. Returns its end if there was one under these keys.
    pub(crate) async fn end_unseen<'a>(
        &self,
        keys: impl Iterator<Item = &'a SessionKey>,
        owner: &str,
        reason: EndReason,
    ) -> Result<Option<PendingEnd>, SessionError> {
        let mut ended = None;
        for key in keys {
            let mut end = PendingEnd::unseen(*key, reason);
            end.owner = Some(owner.into());
            let end = self.prepare_known_end(end).await;
            if self.storage.destroy(key).await?.is_found() {
                ended = Some(end);
            } else {
                self.abandon_end(end).await;
            }
        }
        Ok(ended)
    }

    /// Reports ends, and takes the sessions off their watchlists. The caller holds no lock.
    ///
    /// A session that stays on its watchlist is reported again.
    pub(crate) async fn deliver(&self, ends: Vec<PendingEnd>) {
        for end in ends {
            let key = end.key;
            if end.listing == Listing::Moved {
                Box::pin(self.report_moved(&key, end.reason)).await;
                continue;
            }
            let is_late = end.due.is_some_and(|due| due <= self.storage.clock().now());
            if is_late && matches!(self.reclaim(&end).await, Ok(false)) {
                // Another process has reported it.
                continue;
            }
            self.report(end);
            let _ = self.unwatch(&key).await;
        }
    }

    /// Reports an end of which nothing but the key is known.
    pub(crate) fn report_unseen(&self, key: &SessionKey, reason: EndReason) {
        self.report(PendingEnd::unseen(*key, reason));
    }

    pub(super) fn report(&self, end: PendingEnd) {
        telemetry::ended(&end.key, end.reason.name());
        self.emit(EventKind::Ended(end.reason), &end.key, end.owner.as_deref());
        if let Some(hub) = &self.hub {
            hub.callbacks.run(end);
        }
    }
}
