//! A round: looks for ends of sessions that were not reported.

use super::watchlist::WATCHLISTS;
use crate::clock::Timestamp;
use crate::error::SessionError;
use crate::events::{EndReason, Hub, PendingEnd};
use crate::id::SessionKey;
use crate::population::roster::{ATTEMPTS, Committed, Ending, HeldRoster, Place, Roster, RosterName};
use crate::population::verify::RESERVATION;
use crate::settings::Settings;
use crate::storage::Stored;

impl Settings {
    /// Reports the ends of sessions that were not reported yet. Returns how many there were.
    pub(in crate::population) async fn run_round(&self) -> Result<u64, SessionError> {
        let mut reported = 0;
        let Some(hub) = &self.hub else { return Ok(0) };
        let round = hub.next_round();
        if self.watches {
            for number in 0..WATCHLISTS {
                reported += self.look_through(RosterName::Watchlist(number), round).await?;
            }
        }
        self.look_after_callbacks(hub).await?;
        Ok(reported)
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
        let is_gone = self.find_any(place).await?.is_none();
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
                if let Some(stored) = self.find_any(place).await? {
                    place.update(&stored);
                    continue;
                }
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
                claimed.push(PendingEnd {
                    key: *place.last_key(),
                    owner: place.owner.clone(),
                    reason,
                    last: None,
                });
            }
            if held.commit(self).await? == Committed::Yes {
                return Ok(claimed);
            }
        }
        Err(SessionError::LockTimeout)
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
            match self.find_session(&key).await? {
                Some(stored) => hub.callbacks.saw(&key, &stored.key, Some(stored.record)),
                None => {
                    let reason = match hub.callbacks.has_expired(&key, self.storage.clock().now()) {
                        true => EndReason::Expired,
                        false => EndReason::Elsewhere,
                    };
                    hub.callbacks.run(PendingEnd {
                        key,
                        owner: None,
                        reason,
                        last: None,
                    });
                }
            }
        }
        Ok(())
    }
}

impl Place {
    /// Brings the place of a session that lives up to date.
    fn update(&mut self, stored: &Stored) {
        let meta = &stored.record.meta;
        if stored.key != self.key {
            self.key = stored.key;
            self.next = None;
        }
        self.settled = true;
        self.deadline = meta.deadline;
        self.owner = meta.facts.owner().map(Into::into);
        self.ending = None;
    }
}
