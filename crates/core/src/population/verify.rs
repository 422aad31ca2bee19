//! Finding out which sessions of a roster live.

use std::time::Duration;

use super::roster::{ATTEMPTS, Place};
use crate::clock::Timestamp;
use crate::error::SessionError;
use crate::events::{EndReason, PendingEnd};
use crate::id::SessionKey;
use crate::settings::Settings;
use crate::storage::{Facts, Lookup, Meta, Record, Role, StorageErrorKind, Stored};

/// The time within which a session is created after it has taken its place.
pub(super) const RESERVATION: Duration = Duration::from_secs(60);

/// The time for which a barrier stands: longer than any message is on its way.
pub(super) const BARRIER: Duration = Duration::from_secs(60 * 60);

/// The state of the session of a place.
pub(super) enum Standing {
    Live(Stored),
    /// The session is about to be created, or was ended soon after.
    Pending,
    /// There will never be a session in this place again.
    Dead,
    /// There is a record that cannot be read: perhaps a session, which can be ended, but not looked at.
    Unreadable,
}

/// The result of ending the session of a place.
pub(super) enum PlaceEnd {
    /// The session is dead for ever. Its end has to be reported if it was ended now.
    Dead(Option<PendingEnd>),
    /// The session is about to be created, or was ended soon after.
    Pending,
}

/// Returns whether an error is about one record alone, and not about the storage.
pub(super) fn is_corrupt(error: &SessionError) -> bool {
    matches!(error, SessionError::Storage(error) if error.kind() == StorageErrorKind::Corrupt)
}

impl Settings {
    /// Finds out what has become of the session of an owner's place. The caller holds the lock of the roster, so the
    /// session moves to no key that the place does not name.
    pub(super) async fn verify(
        &self,
        place: &mut Place,
        owner: &str,
        now: Timestamp,
    ) -> Result<Standing, SessionError> {
        loop {
            match self.find(place, owner).await {
                Ok(Some(stored)) => {
                    place.found_at(stored.key);
                    return Ok(Standing::Live(stored));
                }
                Ok(None) => {}
                Err(error) if is_corrupt(&error) => return Ok(Standing::Unreadable),
                Err(error) => return Err(error),
            }
            // A session that was seen, or was on the move, has existed.
            if place.settled || !place.next.is_empty() {
                return Ok(Standing::Dead);
            }
            // So has one that has left its key, or began in an earlier epoch; and one that is barred never will.
            if !matches!(self.storage.read(&place.key).await?, Lookup::Missing) {
                place.settled = true;
                continue;
            }
            let age = place.since.until(now);
            if age < RESERVATION {
                return Ok(Standing::Pending);
            }
            // A session that is created later than that is destroyed at once by the visit that creates it.
            if age > BARRIER + RESERVATION || self.bar(&place.key).await? {
                return Ok(Standing::Dead);
            }
            // It has just been created after all; or it has moved on, and has another owner by now.
            place.settled = true;
        }
    }

    /// Ends the session of an owner's place, wherever it has moved. The caller holds the lock of the roster.
    pub(super) async fn end_place(
        &self,
        place: &mut Place,
        owner: &str,
        now: Timestamp,
        reason: EndReason,
    ) -> Result<PlaceEnd, SessionError> {
        for _ in 0..ATTEMPTS {
            match self.verify(place, owner, now).await? {
                // One that has moved in between is found under its new key the next time.
                Standing::Live(stored) => {
                    if let Some(end) = self.end(stored, reason).await? {
                        return Ok(PlaceEnd::Dead(Some(end)));
                    }
                }
                Standing::Unreadable => return Ok(PlaceEnd::Dead(self.end_unseen(place.keys(), owner, reason).await?)),
                Standing::Dead => return Ok(PlaceEnd::Dead(None)),
                Standing::Pending => return Ok(PlaceEnd::Pending),
            }
        }
        Err(SessionError::LockTimeout)
    }

    /// Returns the session under a key. A barrier can stand there instead, also under the key of a session that has
    /// lived.
    pub(super) async fn find_session(&self, key: &SessionKey) -> Result<Option<Stored>, SessionError> {
        let found = match self.epochs {
            true => self.read_in_epoch(key).await?,
            false => self.storage.read(key).await?,
        };
        Ok(found.found().filter(|stored| stored.record.meta.facts.is_session()))
    }

    /// Returns the session of a place, if it lives and still has this owner.
    pub(super) async fn find(&self, place: &Place, owner: &str) -> Result<Option<Stored>, SessionError> {
        for key in place.keys() {
            if let Some(stored) = self.find_session(key).await?
                && stored.record.meta.facts.owner() == Some(owner)
            {
                return Ok(Some(stored));
            }
        }
        Ok(None)
    }

    /// Sees to it that no session is ever created under this key. Returns `false` if it exists already.
    pub(super) async fn bar(&self, key: &SessionKey) -> Result<bool, SessionError> {
        let now = self.storage.clock().now();
        let meta = Meta::new(now)
            .with_deadline(Some(now + BARRIER))
            .with_facts(Facts::of_role(Role::Barrier));
        match self.storage.create(key, Record::new(meta, "")).await {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == StorageErrorKind::Exists => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
