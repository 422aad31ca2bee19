//! Watchlists: rosters of the sessions whose ends have to be reported whatever happens to a process.
//!
//! A session stands in the watchlist of its [shard](SessionKey::shard), which it keeps when it moves, from before it is
//! created until its end was reported. Before a session is ended, its place says why and until when the process that
//! ends it reports that itself; then it is up to the next [round](super::round).

use crate::clock::Timestamp;
use crate::error::SessionError;
use crate::events::PendingEnd;
use crate::expiration::earliest;
use crate::id::SessionKey;
use crate::population::roster::{Ending, HeldRoster, RosterName};
use crate::settings::Settings;
use crate::storage::{Facts, Meta};

/// The number of watchlists.
pub(super) const WATCHLISTS: u16 = 1_024;

/// Returns the watchlist of a session.
pub(super) fn watchlist_of(key: &SessionKey) -> RosterName<'static> {
    let shard = key.shard_bytes().iter();
    let hash = shard.fold(0_u32, |hash, &c| hash.wrapping_mul(31).wrapping_add(c.into()));
    RosterName::Watchlist((hash % u32::from(WATCHLISTS)) as u16)
}

/// The result of noting that a session is about to be ended.
pub(super) enum Marked {
    /// It was noted, and is reported by others from this moment on.
    Now(Timestamp),
    /// Another caller has noted it before.
    Before,
    /// The session is not on the list, under this key.
    Unlisted,
}

impl Settings {
    /// Puts a session that is about to be stored under `to` on its watchlist, if ends are reported at least once.
    /// Returns `false` if it is about to move and is not on the list: its end was reported, or it began before ends were.
    pub(crate) async fn watch(
        &self,
        from: Option<&SessionKey>,
        to: &SessionKey,
        meta: &Meta,
    ) -> Result<bool, SessionError> {
        if !self.watches {
            return Ok(true);
        }
        self.change_watchlist(to, |held| {
            let now = held.now;
            let place = match from {
                None => held.roster.place_or_insert(to, now),
                Some(from) => {
                    let Some(place) = held.roster.place_of(from) else {
                        return false;
                    };
                    place.since = now;
                    place.move_on(*from, *to);
                    place.owner = meta.facts.owner().map(Into::into).or(place.owner.take());
                    // It may fail to move: look at it in time in either case.
                    place.deadline = earliest(place.deadline, meta.deadline);
                    return true;
                }
            };
            place.deadline = meta.deadline;
            place.owner = meta.facts.owner().map(Into::into);
            // The mark of a session that is being ended stays: if it lives on, the next round removes the mark.
            true
        })
        .await
    }

    /// Notes that a session ends earlier than at its present deadline. Takes no place for it: if there is none, its end
    /// may have been reported meanwhile.
    pub(crate) async fn watch_earlier(&self, key: &SessionKey, deadline: Timestamp) -> Result<(), SessionError> {
        self.change_watchlist(key, |held| {
            if let Some(place) = held.roster.place_of(key) {
                place.deadline = earliest(place.deadline, Some(deadline));
            }
        })
        .await
    }

    /// Notes that a session will never be stored under `to` after all: it was not created, or has not moved. Otherwise
    /// an end would be reported that there never was, or under a key that the session never had.
    pub(crate) async fn unwatch_move(&self, from: Option<(&SessionKey, &Facts)>, to: &SessionKey) {
        if !self.watches {
            return;
        }
        let undone = self.change_watchlist(to, |held| match from {
            None => held.roster.remove(to),
            Some((from, facts)) => {
                if let Some(place) = held.roster.place_of(from) {
                    place.move_back(to);
                    place.owner = facts.owner().map(Into::into);
                }
            }
        });
        let _ = undone.await;
    }

    /// Notes that a session is about to be ended by this process, which reports it unless it dies, or unless another has
    /// noted that before. A session that is not on the list is not put there: if it was, its end was reported, and would
    /// be reported again.
    pub(super) async fn mark_ending(&self, end: &PendingEnd) -> Result<Marked, SessionError> {
        self.change_watchlist(&end.key, |held| {
            let (now, due) = (held.now, held.now + self.report_within);
            let Some(place) = held.roster.place_of(&end.key) else {
                return Marked::Unlisted;
            };
            if place.ending.is_some_and(|ending| ending.due > now) {
                return Marked::Before;
            }
            place.owner = end.owner.clone();
            place.settled |= end.last.is_some();
            place.ending = Some(Ending {
                reason: end.reason,
                due,
            });
            Marked::Now(due)
        })
        .await
    }

    /// Takes it upon this process to report an end although others may do so by now. Returns whether none has.
    pub(super) async fn reclaim(&self, end: &PendingEnd) -> Result<bool, SessionError> {
        self.change_watchlist(&end.key, |held| {
            let due = held.now + self.report_within;
            let Some(place) = held.roster.place_of(&end.key) else {
                return false;
            };
            place.ending = place.ending.map(|ending| Ending { due, ..ending });
            true
        })
        .await
    }

    /// Takes a session off its watchlist: its end was reported, or it was never created.
    pub(crate) async fn unwatch(&self, key: &SessionKey) -> Result<(), SessionError> {
        if !self.watches {
            return Ok(());
        }
        self.change_watchlist(key, |held| held.roster.remove(key)).await
    }

    pub(super) async fn change_watchlist<T>(
        &self,
        key: &SessionKey,
        change: impl Fn(&mut HeldRoster) -> T,
    ) -> Result<T, SessionError> {
        HeldRoster::change(self, watchlist_of(key), change).await
    }
}
