//! A round: looks for ends of sessions that were not reported.

use std::time::Duration;

use super::watchlist::WATCHLISTS;
use crate::clock::Timestamp;
use crate::error::SessionError;
use crate::events::{EndReason, Hub, PendingEnd};
use crate::expiration::earliest;
use crate::id::SessionKey;
use crate::population::roster::{ATTEMPTS, Committed, Ending, HeldRoster, Place, Roster, RosterName};
use crate::population::verify::{BARRIER, RESERVATION, is_corrupt};
use crate::settings::Settings;
use crate::storage::{Lookup, Stored};

impl Settings {
    /// Reports the ends of sessions that were not reported yet. Returns how many there were.
    pub(in crate::population) async fn run_round(&self) -> Result<u64, SessionError> {
        let mut reported = 0;
        let Some(hub) = &self.hub else { return Ok(0) };
        let round = hub.next_round();
        // A failure, such as that of one server of several, does not keep others from being looked through.
        let mut failure = None;
        if self.watches {
            for number in 0..WATCHLISTS {
                match self.look_through(RosterName::Watchlist(number), round).await {
                    Ok(count) => reported += count,
                    Err(error) => failure = failure.or(Some(error)),
                }
            }
        }
        self.look_after_callbacks(hub).await?;
        match failure {
            None => Ok(reported),
            Some(error) => Err(error),
        }
    }

    async fn look_through(&self, name: RosterName<'_>, round: usize) -> Result<u64, SessionError> {
        let roster = HeldRoster::peek(self, name).await?;
        let now = self.storage.clock().now();
        let evicted = self.sample(&roster, round, now).await?;
        if evicted.is_none() && !roster.places.iter().any(|place| place.is_due(now)) {
            return Ok(0);
        }
        self.report_due(name, evicted.as_ref()).await
    }

    /// Reports the ends that a watchlist shows, and removes them from it. Returns how many there were.
    pub(super) async fn report_due(
        &self,
        name: RosterName<'_>,
        evicted: Option<&SessionKey>,
    ) -> Result<u64, SessionError> {
        let claimed = self.claim(name, evicted).await?;
        let count = claimed.len() as u64;
        let keys: Vec<SessionKey> = claimed.iter().map(|end| end.key).collect();
        for end in claimed {
            self.report(end);
        }
        if count > 0 {
            HeldRoster::change(self, name, |held| keys.iter().for_each(|key| held.roster.remove(key))).await?;
        }
        Ok(count)
    }

    /// Looks up one session before its time, another in each round: a storage may have evicted it. Returns its key if it
    /// is gone.
    async fn sample(&self, roster: &Roster, round: usize, now: Timestamp) -> Result<Option<SessionKey>, SessionError> {
        let Some(index) = round.checked_rem(roster.places.len()) else {
            return Ok(None);
        };
        let place = &roster.places[index];
        // A session that has just taken its place may be about to be created.
        if place.ending.is_some() || place.since.until(now) < RESERVATION {
            return Ok(None);
        }
        let is_gone = matches!(self.find_any(place).await, Ok(None));
        Ok(is_gone.then_some(place.key))
    }

    /// Takes it upon this process to report the ends that a watchlist shows: for a while, no other does.
    async fn claim(&self, name: RosterName<'_>, evicted: Option<&SessionKey>) -> Result<Vec<PendingEnd>, SessionError> {
        for _ in 0..ATTEMPTS {
            let mut held = HeldRoster::take(self, name).await?;
            let mut claimed = Vec::new();
            for index in 0..held.roster.places.len() {
                let place = &held.roster.places[index];
                if !place.is_due(held.now) && (place.ending.is_some() || evicted != Some(&place.key)) {
                    continue;
                }
                held.keep(self).await?;
                let now = held.now;
                let place = &mut held.roster.places[index];
                match self.find_any(place).await {
                    Ok(Some(stored)) => {
                        place.update(&stored, now, self.report_within);
                        continue;
                    }
                    Ok(None) => {}
                    // It says nothing of the others, and is looked at again.
                    Err(error) if is_corrupt(&error) => continue,
                    Err(error) => return Err(error),
                }
                if !self.is_gone_for_ever(place, now).await? {
                    continue;
                }
                let key = self.ended_key(place, now).await?;
                // The present end of a session is later than the deadline that it had when it was looked at.
                let is_over = place.deadline.is_some_and(|deadline| deadline <= now);
                let unmarked = if is_over {
                    EndReason::Expired
                } else {
                    EndReason::Evicted
                };
                let reason = place.ending.map_or(unmarked, |ending| ending.reason);
                place.ending = Some(Ending {
                    reason,
                    due: now + self.report_within,
                });
                let mut end = PendingEnd::unseen(key, reason);
                end.owner = place.owner.clone();
                claimed.push(end);
                if let Some(hub) = &self.hub {
                    // Callbacks were registered under whichever key the session had then.
                    place
                        .keys()
                        .chain(&place.former)
                        .for_each(|former| hub.callbacks.saw(former, &key, None));
                }
            }
            if held.commit(self).await? == Committed::Yes {
                return Ok(claimed);
            }
        }
        Err(SessionError::LockTimeout)
    }

    /// Returns whether there will never be a session in a place again. One that has just taken it may be about to be
    /// created, by a visit that destroys it if it has taken too long.
    async fn is_gone_for_ever(&self, place: &mut Place, now: Timestamp) -> Result<bool, SessionError> {
        if place.settled || !place.next.is_empty() || place.since.until(now) > BARRIER + RESERVATION {
            return Ok(true);
        }
        if self.bar(&place.key).await? {
            return Ok(true);
        }
        // It was created after all, or a barrier stands there already.
        place.settled = true;
        Ok(false)
    }

    /// Returns the key under which the session of a place has ended, as far as that can be told. A session that was about
    /// to move a moment ago has moved if it has left a tombstone. Later there may be none any more, and a move that has
    /// not failed is likely to have taken place.
    async fn ended_key(&self, place: &Place, now: Timestamp) -> Result<SessionKey, SessionError> {
        let has_moved = match place.since.until(now) < RESERVATION {
            true => matches!(self.storage.read(&place.key).await?, Lookup::Superseded),
            false => true,
        };
        Ok(if has_moved { *place.last_key() } else { place.key })
    }

    /// Returns the session of a place, if it lives.
    async fn find_any(&self, place: &Place) -> Result<Option<Stored>, SessionError> {
        for key in place.keys() {
            if let Some(stored) = self.find_session(key).await? {
                return Ok(Some(stored));
            }
        }
        Ok(None)
    }

    /// Runs the callbacks of sessions that other processes have ended or that have expired, and notes the data of those
    /// that live.
    async fn look_after_callbacks(&self, hub: &Hub) -> Result<(), SessionError> {
        for key in hub.callbacks.keys() {
            let mut found = self.find_session(&key).await?;
            // A move that is under way in this process has not been noted yet.
            if let (None, Some(next)) = (&found, hub.callbacks.next_of(&key)) {
                found = self.find_session(&next).await?;
            }
            match found {
                Some(stored) => hub.callbacks.saw(&key, &stored.key, Some(stored.record)),
                None => {
                    let reason = match hub.callbacks.has_expired(&key, self.storage.clock().now()) {
                        true => EndReason::Expired,
                        false => EndReason::Elsewhere,
                    };
                    hub.callbacks.run(PendingEnd::unseen(key, reason));
                }
            }
        }
        Ok(())
    }
}

impl Place {
    /// Brings the place of a session that lives up to date. If it may be moving, its end may come earlier: it is looked
    /// at again in time. A move that takes longer than a barrier stands is undone.
    fn update(&mut self, stored: &Stored, now: Timestamp, report_within: Duration) {
        let meta = &stored.record.meta;
        self.found_at(stored.key);
        let may_move = !self.next.is_empty() && self.since.until(now) <= BARRIER + RESERVATION;
        self.deadline = earliest(meta.deadline, may_move.then_some(now + report_within));
        self.owner = meta.facts.owner().map(Into::into);
        self.ending = None;
        self.former.clear();
    }
}
