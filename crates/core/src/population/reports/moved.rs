//! The end of a session by a former key, of which the present key is not known.
//!
//! A session that has moved is on the watchlist of its shard, which it has kept. So the end is noted at all sessions of
//! that shard, of which there are few, and a round finds out which of them is gone.

use super::watchlist::watchlist_of;
use crate::clock::Timestamp;
use crate::events::EndReason;
use crate::id::SessionKey;
use crate::population::roster::{Ending, Place};
use crate::settings::Settings;
use crate::telemetry;

impl Settings {
    /// Notes that a session that has left this key, or cannot be read under it, is about to be ended by this process.
    /// Returns the moment from which others report it, by which the marks of this caller are known.
    pub(crate) async fn mark_moved(&self, key: &SessionKey, reason: EndReason) -> Option<Timestamp> {
        if !self.watches {
            return None;
        }
        let marked = self.change_watchlist(key, |held| {
            let due = held.now + self.report_within;
            for place in held.roster.places.iter_mut().filter(|place| place.may_have_left(key)) {
                place.ending.get_or_insert(Ending { reason, due });
            }
            due
        });
        marked
            .await
            .inspect_err(|error| telemetry::mark_failed(key, error))
            .ok()
    }

    /// Reports the end of a session that had left this key, by the marks of this caller. Marks of others are left to
    /// them. If that fails, it is up to the next round.
    pub(crate) async fn report_moved(&self, key: &SessionKey, reason: EndReason, marked: Option<Timestamp>) {
        if !self.watches {
            return self.report_unseen(key, reason);
        }
        let changed = self.change_watchlist(key, |held| {
            let due = held.now;
            for place in held.roster.places.iter_mut().filter(|place| place.may_have_left(key)) {
                let ending = place.ending.get_or_insert(Ending { reason, due });
                if marked == Some(ending.due) {
                    ending.due = due;
                }
            }
        });
        if changed.await.is_ok() {
            let _ = self.report_due(watchlist_of(key), None).await;
        }
    }
}

impl Place {
    /// Returns whether the session of this place has this key, or may once have had it. One that has not moved since it
    /// took its place has not had another, and it may be about to be created.
    fn may_have_left(&self, key: &SessionKey) -> bool {
        let may_have_moved = !self.next.is_empty() || self.settled;
        self.is_of(key) || (may_have_moved && self.key.shard_bytes() == key.shard_bytes())
    }
}
