//! Methods about the owner of a session, and about all sessions.

use std::sync::Arc;
use std::time::Duration;

use super::Session;
use crate::error::SessionError;
use crate::keys::{Namespaces, Values};
use crate::population::Registry;

impl<N: Namespaces, V: Values> Session<N, V> {
    /// Makes a user the owner of the session: call it when the client has authenticated.
    ///
    /// When the session is closed it gets a new id, its owner and the moment of authentication, all in one step; a
    /// failure leaves it as it was. Its limits begin again, as after
    /// [`mark_authenticated`](Session::mark_authenticated). The values stay.
    ///
    /// This and [`log_out`](Session::log_out) are the only ways to change the owner, so no owner is ever changed
    /// without changing the id. An owner is 1 to 255 bytes of text that identify the user for ever, such as the primary
    /// key of an account. It is stored as it is.
    ///
    /// # Errors
    ///
    /// The errors of [`regenerate_id`](Session::regenerate_id); [`InvalidOwner`](SessionError::InvalidOwner). If the
    /// owner has too many sessions by a [limit](crate::SessionBuilder::limit) that refuses further ones, closing the
    /// session fails with [`TooManySessions`](SessionError::TooManySessions): [`close`](Session::close) it in the
    /// handler to say so in words of your own. If all sessions of the owner [are ended](crate::Registry::end_all)
    /// meanwhile, closing can fail likewise, or with [`LockTimeout`](SessionError::LockTimeout) if there is no limit: the
    /// client tries again.
    ///
    /// ```
    /// use sessile_core::{Session, SessionError, Visit};
    /// use sessile_memory::MemoryStorage;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), SessionError> {
    /// let session: Session = Session::builder(MemoryStorage::new()).build();
    /// session.enter(Visit::new(), async {
    ///     session.log_in("ada")?;
    ///     assert_eq!(session.owner().as_deref(), Some("ada"));
    ///     Ok(())
    /// }).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn log_in(&self, owner: &str) -> Result<(), SessionError> {
        self.context()?.change_owner(Some(owner))
    }

    /// Takes the owner away from the session, which gets a new id when it is closed and keeps its values, such as a
    /// cart. [`destroy`](Session::destroy) ends it with everything in it.
    ///
    /// # Errors
    ///
    /// The errors of [`regenerate_id`](Session::regenerate_id).
    ///
    /// ```
    /// use sessile_core::{Session, SessionError, Visit};
    /// use sessile_memory::MemoryStorage;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), SessionError> {
    /// let session: Session = Session::builder(MemoryStorage::new()).build();
    /// let first = session.enter(Visit::new(), async { session.log_in("ada") }).await?;
    /// session.enter(Visit::from(first.outcome.new_id()), async { session.log_out() }).await?;
    /// assert!(session.registry().by_owner("ada").await?.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    pub fn log_out(&self) -> Result<(), SessionError> {
        self.context()?.change_owner(None)
    }

    /// Returns the owner of the visit's session: the user who has [logged in](Session::log_in), also in this visit.
    /// `None` if there is none, and unless the session can be read.
    #[must_use]
    pub fn owner(&self) -> Option<String> {
        self.context().ok()?.owner()
    }

    /// Returns an error unless the client has [authenticated](Session::authenticated_at) within this time: before
    /// something that a stolen session must not be able to do, such as changing a password.
    ///
    /// # Errors
    ///
    /// [`NotFresh`](SessionError::NotFresh), also if the client has not authenticated at all;
    /// [`NotStarted`](SessionError::NotStarted), [`Gone`](SessionError::Gone).
    ///
    /// ```
    /// use sessile_core::{MINUTE, Session, SessionError, Visit};
    /// use sessile_memory::MemoryStorage;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), SessionError> {
    /// let session: Session = Session::builder(MemoryStorage::new()).build();
    /// session.enter(Visit::new(), async {
    ///     assert!(matches!(session.require_fresh(5 * MINUTE), Err(SessionError::NotFresh)));
    ///     session.log_in("ada")?;
    ///     session.require_fresh(5 * MINUTE)
    /// }).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn require_fresh(&self, age: Duration) -> Result<(), SessionError> {
        self.context()?.require_fresh(age)
    }

    /// Returns the registry of all sessions of the storage: who is logged in, and how to end that.
    #[must_use]
    pub fn registry(&self) -> Registry {
        Registry::new(Arc::clone(&self.settings))
    }
}
