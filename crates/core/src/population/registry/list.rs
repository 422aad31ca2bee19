//! Listing and counting sessions.

use super::{Registry, SessionInfo, SessionList};
use crate::error::SessionError;
use crate::id::{SeenKeys, SessionKey};
use crate::population::roster::{ATTEMPTS, Committed, HeldRoster, RosterName};
use crate::population::verify::is_corrupt;
use crate::storage::{Cursor, Stored};

/// The number of sessions that are looked up at a time by calls that go through all of them.
pub(super) const PAGE: usize = 1_000;

/// The number of pages that a call with a filter looks at to fill one.
const PAGES: usize = 8;

impl Registry {
    /// Returns what is known of a session; `None` if there is none under this key.
    ///
    /// # Errors
    ///
    /// [`Storage`](SessionError::Storage).
    pub async fn get(&self, key: &SessionKey) -> Result<Option<SessionInfo>, SessionError> {
        let stored = self.find(key).await?;
        Ok(stored.as_ref().map(SessionInfo::from))
    }

    pub(super) async fn find(&self, key: &SessionKey) -> Result<Option<Stored>, SessionError> {
        self.settings.find_session(key).await
    }

    /// Lists up to `limit` sessions, from the beginning or from the [position](SessionList::next) of the page before.
    ///
    /// A session that lives throughout a listing is in it at least once. A page can have fewer sessions than asked for.
    ///
    /// # Errors
    ///
    /// [`Storage`](SessionError::Storage); also for a position of another storage.
    ///
    /// ```
    /// use sessile_core::{Session, SessionError};
    /// use sessile_memory::MemoryStorage;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), SessionError> {
    /// let session: Session = Session::builder(MemoryStorage::new()).build();
    /// let mut position = None;
    /// loop {
    ///     let page = session.registry().list(position, 100).await?;
    ///     for info in page.sessions {
    ///         println!("{} {:?} {}", info.key, info.owner, info.last_active_at);
    ///     }
    ///     position = page.next;
    ///     if position.is_none() {
    ///         break;
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn list(&self, position: Option<Cursor>, limit: usize) -> Result<SessionList, SessionError> {
        let page = self.settings.list_sessions(position, limit).await?;
        Ok(SessionList {
            sessions: page.sessions.iter().map(SessionInfo::from).collect(),
            next: page.next,
        })
    }

    /// Lists sessions like [`list`](Registry::list), and leaves out those for which `filter` returns `false`.
    ///
    /// A call looks at several pages if few sessions match, but at a bounded number: the list is complete when
    /// [`next`](SessionList::next) is `None`.
    ///
    /// # Errors
    ///
    /// The errors of [`list`](Registry::list).
    ///
    /// ```
    /// # use sessile_core::{Session, SessionError};
    /// # use sessile_memory::MemoryStorage;
    /// use time::{Duration, OffsetDateTime};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), SessionError> {
    /// # let session: Session = Session::builder(MemoryStorage::new()).build();
    /// let an_hour_ago = OffsetDateTime::now_utc() - Duration::HOUR;
    /// let idle = session.registry().list_matching(None, 100, |info| info.last_active_at < an_hour_ago).await?;
    /// # assert!(idle.sessions.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn list_matching(
        &self,
        position: Option<Cursor>,
        limit: usize,
        filter: impl Fn(&SessionInfo) -> bool,
    ) -> Result<SessionList, SessionError> {
        let mut list = SessionList {
            sessions: Vec::new(),
            next: position,
        };
        for _ in 0..PAGES {
            // The rest of the page, so that none is looked at and then left out for want of room.
            let room = limit.saturating_sub(list.sessions.len());
            let page = self.list(list.next.take(), room).await?;
            list.sessions.extend(page.sessions.into_iter().filter(&filter));
            list.next = page.next;
            if list.next.is_none() || list.sessions.len() >= limit {
                break;
            }
        }
        Ok(list)
    }

    /// Counts the sessions. It goes through all of them.
    ///
    /// # Errors
    ///
    /// [`Storage`](SessionError::Storage).
    pub async fn count(&self) -> Result<u64, SessionError> {
        let mut seen = SeenKeys::default();
        let mut position = None;
        loop {
            let page = self.settings.list_sessions(position, PAGE).await?;
            for head in &page.sessions {
                seen.insert(&head.key);
            }
            position = page.next;
            if position.is_none() {
                return Ok(seen.len() as u64);
            }
        }
    }

    /// Lists the sessions of one owner, in the order of their logins.
    ///
    /// # Errors
    ///
    /// [`Storage`](SessionError::Storage).
    pub async fn by_owner(&self, owner: &str) -> Result<Vec<SessionInfo>, SessionError> {
        let stored = self.find_all(owner).await?;
        Ok(stored.iter().map(SessionInfo::from).collect())
    }

    async fn find_all(&self, owner: &str) -> Result<Vec<Stored>, SessionError> {
        let settings = &self.settings;
        let name = RosterName::Owner(owner);
        let roster = HeldRoster::peek(settings, name).await?;
        let mut sessions = Vec::new();
        for place in &roster.places {
            sessions.extend(readable(settings.find(place, owner).await)?);
        }
        if sessions.len() == roster.places.len() {
            return Ok(sessions);
        }
        // Some have ended, or have moved meanwhile: find out under the lock, and remove the dead places.
        for _ in 0..ATTEMPTS {
            let mut held = HeldRoster::take(settings, name).await?;
            let found = settings.clean(&mut held, owner).await?;
            if held.commit(settings).await? == Committed::Yes {
                return Ok(found.into_iter().flatten().collect());
            }
        }
        Err(SessionError::LockTimeout)
    }
}

/// Leaves out a record that cannot be read, as it says nothing of the others.
fn readable(found: Result<Option<Stored>, SessionError>) -> Result<Option<Stored>, SessionError> {
    match found {
        Err(error) if is_corrupt(&error) => Ok(None),
        found => found,
    }
}
