//! The end of a session by a former key, of which the present key is not known.
//!
//! A session that has moved is on the watchlist of its shard, which it has kept. So the end is noted at all sessions of
//! that shard, of which there is hardly ever more than one, and a round finds out which of them is gone.

use super::watchlist::watchlist_of;
use crate::events::EndReason;
use crate::id::SessionKey;
use crate::population::roster::{Ending, Place};
use crate::settings::Settings;
use crate::telemetry;

impl Settings {
    /// Notes that a session that has left this key is about to be ended by this process.
    pub(crate) async fn mark_moved(&self, key: &SessionKey, reason: EndReason) {
        if !self.watches {
            return;
        }
        let marked = self.change_watchlist(key, |held| {
            let due = held.now + self.report_within;
            for place in held.roster.places.iter_mut().filter(|place| place.may_have_left(key)) {
                place.ending.get_or_insert(Ending { reason, due });
            }
        });
        if let Err(error) = marked.await {
            telemetry::mark_failed(key, &error);
        }
    }

    /// Reports the end of a session that had left this key. If that fails, it is up to the next round.
    pub(crate) async fn report_moved(&self, key: &SessionKey, reason: EndReason) {
        if !self.watches {
            return self.report_unseen(key, reason);
        }
        let marked = self.change_watchlist(key, |held| {
            let due = held.now;
            for place in held.roster.places.iter_mut().filter(|place| place.may_have_left(key)) {
                place.ending = place.ending.map(|ending| Ending { due, ..ending });
            }
        });
        if marked.await.is_ok() {
            let _ = self.report_due(watchlist_of(key), None).await;
        }
    }
}

impl Place {
    /// Returns whether the session of this place may once have had this key. One that has not moved since it took its
    /// place has not, and it may be about to be created.
    fn may_have_left(&self, key: &SessionKey) -> bool {
        self.key.shard_bytes() == key.shard_bytes() && (!self.next.is_empty() || self.settled)
    }
}
