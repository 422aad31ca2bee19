//! Ending a session, and reporting that.

use super::watchlist::Marked;
use crate::clock::Timestamp;
use crate::error::SessionError;
use crate::events::{EndReason, EventKind, PendingEnd, Report};
use crate::id::SessionKey;
use crate::settings::Settings;
use crate::storage::{Lookup, Stored};
use crate::telemetry;

/// The knowledge of a session that is about to be ended by its key.
#[derive(Debug)]
pub(crate) enum Prepared {
    /// The session, whose end has been noted.
    Seen(PendingEnd),
    /// Nothing: there are no events, or no session that can be read under this key. If one is ended all the same, that
    /// is [reported](Settings::report_moved) without it, by the marks of this moment.
    Unseen(Option<Timestamp>),
    /// The session has ended before, and must not be created again.
    Barred,
}

impl Settings {
    /// Prepares the end of a session by its key.
    pub(crate) async fn prepare_end(&self, key: &SessionKey, reason: EndReason) -> Prepared {
        if self.hub.is_none() {
            return Prepared::Unseen(None);
        }
        // Ending comes first: if the storage fails, or the record cannot be read, the session is ended all the same, if
        // that is possible, and its end is reported as far as it is known.
        match self.storage.read(key).await {
            Ok(Lookup::Found(stored)) if stored.record.meta.facts.is_session() => {
                Prepared::Seen(self.prepare_known_end(PendingEnd::new(stored, reason)).await)
            }
            Ok(Lookup::Found(_barrier)) => Prepared::Barred,
            Ok(Lookup::Superseded) | Err(_) => Prepared::Unseen(self.mark_moved(key, reason).await),
            Ok(Lookup::Missing) => Prepared::Unseen(None),
        }
    }

    async fn prepare_known_end(&self, mut end: PendingEnd) -> PendingEnd {
        if self.watches {
            end.report = match self.mark_ending(&end).await {
                Ok(Marked::Now(due)) => Report::Here(Some(due)),
                Ok(Marked::Before) => Report::Elsewhere,
                Ok(Marked::Unlisted) => self.mark_unlisted(&end).await,
                Err(error) => {
                    // The session has been on the list since it was created, so a round reports the end in any case.
                    telemetry::mark_failed(&end.key, &error);
                    Report::Here(None)
                }
            };
        }
        end
    }

    /// Notes the end of a session of which no place names the key.
    async fn mark_unlisted(&self, end: &PendingEnd) -> Report {
        match self.storage.read(&end.key).await {
            // A place forgets a key when the session has moved twice.
            Ok(Lookup::Superseded) => Report::Moved(self.mark_moved(&end.key, end.reason).await),
            Ok(Lookup::Found(stored)) if stored.key != end.key && stored.record.meta.facts.is_session() => {
                Report::Moved(self.mark_moved(&end.key, end.reason).await)
            }
            // It began before ends were reported.
            Ok(Lookup::Found(stored)) if stored.record.meta.facts.is_session() => Report::Here(None),
            // Its end was reported a moment ago.
            Ok(Lookup::Found(_) | Lookup::Missing) => Report::Elsewhere,
            Err(_) => Report::Here(None),
        }
    }

    /// Ends a session, even if its lock is held. Returns its end if it lived under this key.
    pub(crate) async fn end(&self, stored: Stored, reason: EndReason) -> Result<Option<PendingEnd>, SessionError> {
        let end = self.prepare_known_end(PendingEnd::new(stored, reason)).await;
        let ended = self.storage.destroy(&end.key).await?;
        Ok(ended.is_found().then_some(end))
    }

    /// Ends the session of a place without looking at its record. Returns its end if there was one under these keys.
    pub(crate) async fn end_unseen<'a>(
        &self,
        keys: impl Iterator<Item = &'a SessionKey>,
        owner: &str,
        reason: EndReason,
    ) -> Result<Option<PendingEnd>, SessionError> {
        let (mut ended, mut own) = (None, None);
        for key in keys {
            let mut end = PendingEnd::unseen(*key, reason);
            end.owner = Some(owner.into());
            let mut end = self.prepare_known_end(end).await;
            match end.report {
                Report::Here(Some(_)) => own = Some(end.report),
                // The note can be that of an earlier key.
                Report::Elsewhere => end.report = own.unwrap_or(Report::Elsewhere),
                Report::Here(None) | Report::Moved(_) => {}
            }
            if self.storage.destroy(key).await?.is_found() {
                ended = Some(end);
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
            let due = match end.report {
                Report::Here(due) => due,
                Report::Moved(marked) => {
                    Box::pin(self.report_moved(&key, end.reason, marked)).await;
                    continue;
                }
                Report::Elsewhere => continue,
            };
            let is_late = due.is_some_and(|due| due <= self.storage.clock().now());
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
