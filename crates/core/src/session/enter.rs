//! Methods that run a future in a visit.

use std::future::Future;
use std::sync::Arc;

use super::Session;
use crate::error::SessionError;
use crate::keys::{Namespaces, Values};
use crate::visit::{ActiveVisit, Finished, Outcome, Visit};

impl<N: Namespaces, V: Values> Session<N, V> {
    /// Runs a future in a new context for this visit.
    ///
    /// Inside, the session is not started yet unless [`auto_start`](crate::SessionBuilder::auto_start) says so. When
    /// the future completes, is dropped or panics, a lock that is still held is released and nothing is written: to
    /// keep changes, [close](Session::close) the session inside. [`enter`](Session::enter) starts and closes it.
    ///
    /// # Errors
    ///
    /// [`AlreadyInitialised`](SessionError::AlreadyInitialised) inside a context of the same session, and with
    /// `auto_start` the errors of [`start`](Session::start). The future does not run then.
    pub async fn init<F: Future>(&self, visit: Visit, future: F) -> Result<F::Output, SessionError> {
        let visit = self.open_outermost(visit)?;
        visit.auto_start().await?;
        let (visit, output) = visit.work(|| future).await;
        let _ = give_up(&visit).await;
        Ok(output)
    }

    /// Starts the session for writing in a new context, runs a future in it, and closes the session if the future
    /// returns `Ok`. Returns the output of the future with the changes that the client has to be told, such as a new
    /// id.
    ///
    /// If the future returns `Err`, the session is left unchanged. A server that has to tell the client something even
    /// then [opens](Session::open) the visit itself.
    ///
    /// [`try_enter`](Session::try_enter) does the same for futures with errors of their own.
    ///
    /// # Errors
    ///
    /// [`AlreadyInitialised`](SessionError::AlreadyInitialised) inside a context of the same session, and the errors of
    /// [`start`](Session::start), [`close`](Session::close) and of the future.
    ///
    /// ```
    /// use sessile_core::{Session, SessionError, Visit};
    /// use sessile_memory::MemoryStorage;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), SessionError> {
    /// let session: Session = Session::builder(MemoryStorage::new()).build();
    /// let finished = session.enter(Visit::new(), async { session.set("user", "ada") }).await?;
    /// let id = finished.outcome.new_id().expect("the session has begun");
    ///
    /// let user = session.enter(Visit::from(id), async { session.get("user") }).await?.output;
    /// assert_eq!(user, Some("ada".into()));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn enter<T>(
        &self,
        visit: Visit,
        future: impl Future<Output = Result<T, SessionError>>,
    ) -> Result<Finished<T>, SessionError> {
        self.try_enter(visit, future).await
    }

    /// Does the same as [`enter`](Session::enter) for a future that fails with an error of the application.
    ///
    /// # Errors
    ///
    /// The errors of [`enter`](Session::enter) and of the future.
    ///
    /// ```
    /// use sessile_core::{Session, SessionError, Visit};
    /// use sessile_memory::MemoryStorage;
    ///
    /// #[derive(Debug)]
    /// enum Failure {
    ///     Refused,
    ///     Session(SessionError),
    /// }
    ///
    /// impl From<SessionError> for Failure {
    ///     fn from(error: SessionError) -> Self {
    ///         Self::Session(error)
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let session: Session = Session::builder(MemoryStorage::new()).build();
    /// let refused = session.try_enter(Visit::new(), async {
    ///     session.set("user", "ada")?;
    ///     Err::<(), _>(Failure::Refused)
    /// });
    /// assert!(matches!(refused.await, Err(Failure::Refused)));
    /// # }
    /// ```
    pub async fn try_enter<T, E>(
        &self,
        visit: Visit,
        future: impl Future<Output = Result<T, E>>,
    ) -> Result<Finished<T>, E>
    where
        E: From<SessionError>,
    {
        let visit = self.open_outermost(visit)?;
        let work = async {
            self.start().await?;
            let output = future.await?;
            self.close().await?;
            Ok(output)
        };
        let (visit, result) = visit.work(|| work).await;
        let outcome = give_up(&visit).await;
        result.map(|output| Finished { output, outcome })
    }

    /// Opens a visit without running anything in it: for frameworks, see [`ActiveVisit`].
    pub fn open(&self, visit: Visit) -> ActiveVisit {
        ActiveVisit::new(Arc::clone(&self.settings), visit)
    }

    /// Opens a visit, unless the current code runs in one of this session.
    fn open_outermost(&self, visit: Visit) -> Result<ActiveVisit, SessionError> {
        if self.is_initialised() {
            return Err(SessionError::AlreadyInitialised);
        }
        Ok(self.open(visit))
    }
}

/// Ends a visit without writing. The output of its work counts even if the release fails; the lease frees the lock.
async fn give_up(visit: &ActiveVisit) -> Outcome {
    match visit.end_immediately(false) {
        Some(ended) => ended.outcome,
        None => Box::pin(visit.end(false)).await.outcome,
    }
}
