//! The sessions of one owner, in a roster.

use super::roster::{ATTEMPTS, Committed, HeldRoster, Place, RosterName};
use super::verify::{BARRIER, PlaceEnd, Standing};
use crate::clock::Timestamp;
use crate::error::SessionError;
use crate::events::{EndReason, PendingEnd};
use crate::id::SessionKey;
use crate::limit::Excess;
use crate::settings::Settings;
use crate::storage::{Facts, Meta, Stored};

/// A roster without a limit is cleaned each time it has grown by this many places.
const CLEANING: usize = 16;

/// The changes of rosters that go with the creation or the move of a session.
#[derive(Debug)]
#[must_use]
pub(crate) struct Enlisted {
    /// The owner in whose roster the session has taken a place.
    taken: Option<Box<str>>,
    /// The owner in whose roster its place names another key.
    moved: Option<Box<str>>,
    entered_at: Timestamp,
    /// The former owner, and the key by which the session is in the former owner's roster.
    left: Option<(Box<str>, SessionKey)>,
    /// `false` if the session moves and is not on its watchlist.
    pub(crate) is_watched: bool,
}

impl Enlisted {
    /// Returns whether this process has slept for so long before it has stored the session that the place may have been
    /// given away, and the barrier that was to prevent that may have fallen since. The session must not live then.
    pub(crate) fn is_late(&self, settings: &Settings) -> bool {
        let now = settings.storage.clock().now();
        let has_place = self.taken.is_some() || settings.watches;
        has_place && self.entered_at.until(now) >= BARRIER
    }

    /// Gives up the place in the roster of a former owner, now that the session has another. If that fails, the place
    /// is found to be dead later. Puts a session on its watchlist that has `moved` and began before ends were reported.
    pub(crate) async fn complete(self, settings: &Settings, key: &SessionKey, moved: Option<&Meta>) {
        if let (false, Some(meta)) = (self.is_watched, moved) {
            let _ = settings.watch(None, key, meta).await;
        }
        if let Some((owner, former)) = self.left {
            let _ = settings.leave(&owner, &former).await;
        }
    }

    /// Gives up the place of a session that is not stored under its new key, as that was refused. If that fails, the
    /// place is found to be dead later.
    pub(crate) async fn cancel(self, settings: &Settings, key: &SessionKey) {
        if let Some(owner) = self.taken {
            let _ = settings.give_up(&owner, key).await;
        }
        if let Some(owner) = self.moved {
            let _ = settings.move_back(&owner, key).await;
        }
    }
}

impl Settings {
    /// Sees to it that a session that is about to be stored under `to` is not missing from the roster of its owner.
    /// `before` is its present key with its present facts, if it is stored. After a login, it is the last of its owner's
    /// sessions. Adds the sessions that were ended to make room, which have to be reported once no lock is held.
    pub(crate) async fn enlist(
        &self,
        before: Option<(&SessionKey, &Facts)>,
        to: &SessionKey,
        facts: &Facts,
        is_login: bool,
        ends: &mut Vec<PendingEnd>,
    ) -> Result<Enlisted, SessionError> {
        let former = before.and_then(|(key, facts)| Some((facts.owner()?, key)));
        let mut enlisted = Enlisted {
            taken: None,
            moved: None,
            entered_at: self.storage.clock().now(),
            left: None,
            is_watched: true,
        };
        match (former, facts.owner()) {
            (Some((former, from)), Some(owner)) if former == owner => {
                self.move_place(owner, from, to, is_login).await?;
                enlisted.moved = Some(owner.into());
            }
            (former, owner) => {
                if let Some(owner) = owner {
                    self.take_place(owner, to, ends).await?;
                    enlisted.taken = Some(owner.into());
                }
                enlisted.left = former.map(|(former, from)| (former.into(), *from));
            }
        }
        Ok(enlisted)
    }

    async fn take_place(&self, owner: &str, key: &SessionKey, ends: &mut Vec<PendingEnd>) -> Result<(), SessionError> {
        for _ in 0..ATTEMPTS {
            let mut held = HeldRoster::take(self, RosterName::Owner(owner)).await?;
            self.make_room(&mut held, owner, ends).await?;
            held.roster.places.push(Place::new(*key, held.now));
            if held.commit(self).await? == Committed::Yes {
                return Ok(());
            }
        }
        Err(SessionError::LockTimeout)
    }

    async fn move_place(
        &self,
        owner: &str,
        from: &SessionKey,
        to: &SessionKey,
        is_login: bool,
    ) -> Result<(), SessionError> {
        HeldRoster::change(self, RosterName::Owner(owner), |held| {
            let now = held.now;
            // A storage that has lost writes can have lost the place.
            let place = held.roster.place_or_insert(from, now);
            place.since = now;
            place.move_on(*from, *to);
            if is_login {
                // Places are in the order of the logins.
                let place = place.clone();
                held.roster.remove(to);
                held.roster.places.push(place);
            }
        })
        .await
    }

    /// Removes the key to which a session has not moved from its place.
    async fn move_back(&self, owner: &str, to: &SessionKey) -> Result<(), SessionError> {
        HeldRoster::change(self, RosterName::Owner(owner), |held| {
            if let Some(place) = held.roster.place_of(to) {
                place.move_back(to);
            }
        })
        .await
    }

    /// Removes the place of a session that is dead or has another owner.
    pub(crate) async fn leave(&self, owner: &str, key: &SessionKey) -> Result<(), SessionError> {
        HeldRoster::change(self, RosterName::Owner(owner), |held| held.roster.remove(key)).await
    }

    /// Returns the owner and the present key of a session that its visit has not loaded, if there is a limit: the place
    /// of a session that has just begun would count until it is surely dead. Without a limit it is not worth the call.
    pub(crate) async fn find_limited(&self, key: &SessionKey) -> Option<(Box<str>, SessionKey)> {
        let _limit = self.limit?;
        let stored = self.storage.read(key).await.ok()?.found()?;
        Some((stored.record.meta.facts.owner()?.into(), stored.key))
    }

    /// Removes the place of a session that is not to come into being any more.
    async fn give_up(&self, owner: &str, key: &SessionKey) -> Result<(), SessionError> {
        let mut held = HeldRoster::take(self, RosterName::Owner(owner)).await?;
        if let Some(mut place) = held.roster.place_of(key).cloned() {
            // If that ends a session, no client knows of it.
            let _unknown = self.evict(&mut place, owner, held.now, EndReason::OverLimit).await?;
            held.roster.remove(key);
        }
        held.commit(self).await.map(drop)
    }

    /// Sees to it that there is room for one more place, within the limit.
    async fn make_room(
        &self,
        held: &mut HeldRoster,
        owner: &str,
        ends: &mut Vec<PendingEnd>,
    ) -> Result<(), SessionError> {
        let count = held.roster.places.len();
        let is_full = self.limit.is_some_and(|limit| count >= limit.count);
        if !is_full && (count == 0 || !count.is_multiple_of(CLEANING)) {
            return Ok(());
        }
        let sessions = self.clean(held, owner).await?;
        let Some(limit) = self.limit else { return Ok(()) };
        let count = held.roster.places.len();
        if count < limit.count {
            return Ok(());
        }
        let mut victims: Vec<usize> = (0..count).collect();
        match limit.excess {
            Excess::RefuseNewest => return Err(limit.exceeded()),
            // Places are in the order of the logins.
            Excess::EvictOldest => {}
            Excess::EvictLeastActive => victims.sort_by_key(|&index| match &sessions[index] {
                Some(stored) => stored.record.meta.last_active,
                None => held.roster.places[index].since,
            }),
        }
        victims.truncate(count + 1 - limit.count);
        // From the last to the first, so that the others keep their indices.
        victims.sort_unstable_by(|a, b| b.cmp(a));
        for index in victims {
            held.keep(self).await?;
            let mut place = held.roster.places.remove(index);
            ends.extend(self.evict(&mut place, owner, held.now, EndReason::OverLimit).await?);
        }
        Ok(())
    }

    /// Removes dead places. Returns the sessions of the others, as far as they can be seen.
    pub(super) async fn clean(&self, held: &mut HeldRoster, owner: &str) -> Result<Vec<Option<Stored>>, SessionError> {
        let mut sessions = Vec::new();
        while let Some(place) = held.roster.places.get_mut(sessions.len()) {
            match self.verify(place, owner, held.now).await? {
                Standing::Live(stored) => sessions.push(Some(stored)),
                Standing::Pending | Standing::Unreadable => sessions.push(None),
                Standing::Dead => drop(held.roster.places.remove(sessions.len())),
            }
            held.keep(self).await?;
        }
        Ok(sessions)
    }

    /// Ends the session of a place for ever, also one that is about to be created. The caller holds the lock of the
    /// roster.
    pub(super) async fn evict(
        &self,
        place: &mut Place,
        owner: &str,
        now: Timestamp,
        reason: EndReason,
    ) -> Result<Option<PendingEnd>, SessionError> {
        for _ in 0..ATTEMPTS {
            match self.end_place(place, owner, now, reason).await? {
                PlaceEnd::Dead(end) => return Ok(end),
                PlaceEnd::Pending if self.bar(&place.key).await? => return Ok(None),
                // It has just been created after all.
                PlaceEnd::Pending => place.settled = true,
            }
        }
        Err(SessionError::LockTimeout)
    }
}
