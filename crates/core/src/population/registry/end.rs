//! Ending sessions from outside.

use super::Registry;
use crate::error::SessionError;
use crate::events::{EndReason, PendingEnd};
use crate::id::SessionKey;
use crate::population::roster::{ATTEMPTS, Committed, HeldRoster, Place, RosterName};
use crate::population::verify::is_corrupt;
use crate::settings::Settings;
use crate::storage::Lookup;

impl Registry {
    /// Ends a session. Returns whether there was one under this key.
    ///
    /// If the session has moved to another key, it is ended there, for as long as its old key leads to it.
    ///
    /// # Errors
    ///
    /// [`Storage`](SessionError::Storage): the session may still exist.
    pub async fn end(&self, key: &SessionKey) -> Result<bool, SessionError> {
        let settings = &self.settings;
        let found = match self.find(key).await {
            // It cannot be looked at, but ended.
            Err(error) if is_corrupt(&error) => return self.end_moved(key).await,
            found => found?,
        };
        let Some(stored) = found else {
            // It may have moved, and only ending follows it there. A key that was not left is not touched: a list of
            // sessions may come into being under it at any time.
            return match settings.storage.read(key).await? {
                Lookup::Superseded => self.end_moved(key).await,
                Lookup::Found(_) | Lookup::Missing => Ok(false),
            };
        };
        let (key, facts) = (stored.key, stored.record.meta.facts.clone());
        let Some(end) = settings.end(stored, EndReason::Operator).await? else {
            return Ok(false);
        };
        if let Some(owner) = facts.owner() {
            // A place that stays is found to be dead later.
            let _ = settings.leave(owner, &key).await;
        }
        settings.deliver(vec![end]).await;
        Ok(true)
    }

    /// Ends a session of which nothing but a key is known, perhaps a former one.
    async fn end_moved(&self, key: &SessionKey) -> Result<bool, SessionError> {
        let (settings, reason) = (&self.settings, EndReason::Operator);
        let marked = settings.mark_moved(key, reason).await;
        let is_found = settings.storage.destroy(key).await?.is_found();
        if is_found {
            settings.report_moved(key, reason, marked).await;
        }
        Ok(is_found)
    }

    /// Ends all sessions of an owner. Returns how many.
    ///
    /// When it has returned, no visit ever loads a session again that this owner had when it was called, unless the
    /// session has left the owner meanwhile: by [`log_out`](crate::Session::log_out), or by the login of another. A login
    /// that is under way meanwhile is refused, or comes after.
    ///
    /// # Errors
    ///
    /// [`Storage`](SessionError::Storage): some of the sessions may still exist. [`LockTimeout`](SessionError::LockTimeout)
    /// and [`TooManyWaiters`](SessionError::TooManyWaiters) if others change the same list for too long.
    pub async fn end_all(&self, owner: &str) -> Result<usize, SessionError> {
        self.end_except(owner, None).await
    }

    /// Ends all sessions of an owner but one: "log out on all other devices". Returns how many. It is no error if there
    /// is no session to keep.
    ///
    /// # Errors
    ///
    /// The errors of [`end_all`](Registry::end_all).
    ///
    /// ```
    /// use sessile_core::{Session, SessionError};
    ///
    /// /// In a visit of a session that is logged in.
    /// async fn log_out_elsewhere(session: &Session) -> Result<usize, SessionError> {
    ///     match (session.owner(), session.key()) {
    ///         (Some(owner), Some(key)) => session.registry().end_others(&owner, &key).await,
    ///         _ => Ok(0),
    ///     }
    /// }
    /// # let _ = log_out_elsewhere;
    /// ```
    pub async fn end_others(&self, owner: &str, keep: &SessionKey) -> Result<usize, SessionError> {
        self.end_except(owner, Some(keep)).await
    }

    async fn end_except(&self, owner: &str, keep: Option<&SessionKey>) -> Result<usize, SessionError> {
        let mut ends = Vec::new();
        let result = self.end_places(owner, keep, &mut ends).await;
        let ended = ends.len();
        self.settings.deliver(ends).await;
        result.map(|()| ended)
    }

    async fn end_places(
        &self,
        owner: &str,
        keep: Option<&SessionKey>,
        ends: &mut Vec<PendingEnd>,
    ) -> Result<(), SessionError> {
        let settings = &self.settings;
        for _ in 0..ATTEMPTS {
            let mut held = HeldRoster::take(settings, RosterName::Owner(owner)).await?;
            // The list knows the last keys of a session. An earlier one, in its grace, leads to it.
            let keep = match keep {
                Some(keep) if !held.roster.places.iter().any(|place| place.is_of(keep)) => {
                    self.find(keep).await?.map(|stored| stored.key)
                }
                known => known.copied(),
            };
            let mut failure = None;
            for mut place in std::mem::take(&mut held.roster.places) {
                held.keep(settings).await?;
                if keep.is_some_and(|keep| place.is_of(&keep)) {
                    settings.verify(&mut place, owner, held.now).await?;
                    held.roster.places.push(place);
                    continue;
                }
                let ended = match settings.evict(&mut place, owner, held.now, EndReason::Operator).await {
                    Ok(None) => confirm_missing(settings, &place).await.map(|()| None),
                    ended => ended,
                };
                match ended {
                    Ok(end) => ends.extend(end),
                    // The others are ended all the same.
                    Err(error) => {
                        held.roster.places.push(place);
                        failure = failure.or(Some(error));
                    }
                }
            }
            // After a conflict the roster names dead sessions still; it may also name others by now.
            if held.commit(settings).await? == Committed::Yes {
                return failure.map_or(Ok(()), Err);
            }
        }
        Err(SessionError::LockTimeout)
    }

    /// Ends all sessions, in constant time, of all owners and of none, however many there are. Their records go when
    /// they expire, or with the next [`audit`](Registry::audit).
    ///
    /// # Errors
    ///
    /// [`EpochsOff`](SessionError::EpochsOff) unless the application [counts epochs](crate::SessionBuilder::epochs);
    /// [`Storage`](SessionError::Storage).
    ///
    /// ```
    /// use sessile_core::{Session, SessionError, Visit};
    /// use sessile_memory::MemoryStorage;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), SessionError> {
    /// let session: Session = Session::builder(MemoryStorage::new()).epochs(true).build();
    /// session.enter(Visit::new(), async { session.set("user", "ada") }).await?;
    /// session.registry().end_everything().await?;
    /// assert_eq!(session.registry().count().await?, 0);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn end_everything(&self) -> Result<(), SessionError> {
        match self.settings.epochs {
            true => self.settings.end_epoch().await,
            false => Err(SessionError::EpochsOff),
        }
    }
}

/// Ends a session once more that is not there. Another caller may have ended it and got no answer: a storage that is
/// replicated, and waits for its replicas, has them know now, or fails. A session that has left its key is left alone,
/// as it may belong to another owner.
async fn confirm_missing(settings: &Settings, place: &Place) -> Result<(), SessionError> {
    for key in place.keys() {
        if matches!(settings.storage.read(key).await, Ok(Lookup::Missing)) {
            settings.storage.destroy(key).await?;
        }
    }
    Ok(())
}
