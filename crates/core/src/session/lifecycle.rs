//! Methods that start, end and rename a visit's session.

use std::future::Future;
use std::sync::Arc;

use super::Session;
use crate::error::SessionError;
use crate::keys::{Namespaces, Values};
use crate::visit::{ActiveVisit, Visit};

impl<N: Namespaces, V: Values> Session<N, V> {
    /// Runs a future in a new context for this visit.
    ///
    /// Inside, the session is not started yet unless [`auto_start`](crate::SessionBuilder::auto_start) says so. When
    /// the future completes, is dropped or panics, a lock that is still held is released and nothing is written: to
    /// keep changes, [close](Session::close) the session inside.
    /// # Errors
    ///
    /// [`AlreadyInitialised`](SessionError::AlreadyInitialised) inside a context of the same session, and with
    /// `auto_start` the errors of [`start`](Session::start). The future does not run then.
    pub async fn init<F: Future>(&self, visit: Visit, future: F) -> Result<F::Output, SessionError> {
        if self.is_initialised() {
            return Err(SessionError::AlreadyInitialised);
        }
        let visit = self.open(visit);
        visit.auto_start().await?;
        let (visit, output) = visit.work(|| future).await;
        if visit.end_immediately(false).is_none() {
            // Return the output even if the release fails; the lease frees the lock.
            let _ = Box::pin(visit.release()).await;
        }
        Ok(output)
    }

    /// Starts the session for writing in a new context, runs a future in it, and closes the session if the future
    /// returns `Ok`. If the future returns `Err`, the session is left unchanged.
    ///
    /// [`try_enter`](Session::try_enter) does the same for futures with errors of their own.
    ///
    /// # Errors
    ///
    /// The errors of [`init`](Session::init), [`start`](Session::start), [`close`](Session::close) and of the future.
    pub async fn enter<T>(
        &self,
        visit: Visit,
        future: impl Future<Output = Result<T, SessionError>>,
    ) -> Result<T, SessionError> {
        self.try_enter(visit, future).await
    }

    /// Does the same as [`enter`](Session::enter) for a future that fails with an error of the application.
    ///
    /// # Errors
    ///
    /// The errors of [`init`](Session::init), [`start`](Session::start), [`close`](Session::close) and of the future.
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
    pub async fn try_enter<T, E>(&self, visit: Visit, future: impl Future<Output = Result<T, E>>) -> Result<T, E>
    where
        E: From<SessionError>,
    {
        let entered = self.init(visit, async {
            self.start().await?;
            let value = future.await?;
            self.close().await?;
            Ok(value)
        });
        entered.await?
    }

    /// Opens a visit without running anything in it: for frameworks, see [`ActiveVisit`].
    pub fn open(&self, visit: Visit) -> ActiveVisit {
        ActiveVisit::new(Arc::clone(&self.settings), visit)
    }

    /// Starts the session for writing: waits for the lock and loads the record.
    ///
    /// In a visit that is writable already it does nothing. In a visit that is readable it takes the lock and loads the
    /// record again. An id that the storage does not know is dropped, never adopted: the visit then has a virtual
    /// session, which is empty and gets a new id when it is closed with data in it.
    ///
    /// If the future is dropped, the visit is as it was before and no lock remains.
    ///
    /// # Errors
    ///
    /// [`LockTimeout`](SessionError::LockTimeout) and [`TooManyWaiters`](SessionError::TooManyWaiters) if the lock is
    /// held elsewhere, also by an update of the same visit; [`Unknown`](SessionError::Unknown) in a
    /// [strict](Visit::attach) visit; [`Gone`](SessionError::Gone) or [`Superseded`](SessionError::Superseded) if the
    /// session that this visit has loaded no longer exists; [`Unreadable`](SessionError::Unreadable);
    /// [`Storage`](SessionError::Storage).
    pub async fn start(&self) -> Result<(), SessionError> {
        self.context()?.start().await
    }

    /// Starts the session for reading: loads the record, takes no lock and waits for no writer.
    ///
    /// In a visit that was started already it does nothing.
    ///
    /// # Errors
    ///
    /// The errors of [`start`](Session::start), except the errors about locks.
    pub async fn start_readonly(&self) -> Result<(), SessionError> {
        self.context()?.start_readonly().await
    }

    /// Starts the session like [`start_readonly`](Session::start_readonly), but does not count as activity: for pages
    /// that poll, which do not show that the user is present. No sliding expiration moves, unless the visit writes
    /// later.
    ///
    /// # Errors
    ///
    /// The errors of [`start_readonly`](Session::start_readonly).
    ///
    /// ```
    /// use sessile_core::{Session, SessionError, Visit};
    /// use sessile_memory::MemoryStorage;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), SessionError> {
    /// let session: Session = Session::builder(MemoryStorage::new()).build();
    /// session.init(Visit::new(), async {
    ///     session.start_passive().await?;
    ///     assert_eq!(session.get("unread")?, None);
    ///     Ok(())
    /// }).await?
    /// # }
    /// ```
    pub async fn start_passive(&self) -> Result<(), SessionError> {
        self.context()?.start_passive().await
    }

    /// Loads the record again in a visit that only reads: for streams and tasks that outlive the loaded data. Takes no
    /// lock and waits for no writer.
    ///
    /// In a writable visit it does nothing, as no other visit can have changed the session. After it has found that the
    /// session no longer exists, reading fails with [`Gone`](SessionError::Gone), too.
    ///
    /// # Errors
    ///
    /// [`NotStarted`](SessionError::NotStarted); [`Gone`](SessionError::Gone) if the session was destroyed or has
    /// expired; [`Superseded`](SessionError::Superseded) if it has moved to another id;
    /// [`Unreadable`](SessionError::Unreadable); [`Storage`](SessionError::Storage).
    ///
    /// ```
    /// use sessile_core::{Session, SessionError, Visit};
    /// use sessile_memory::MemoryStorage;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), SessionError> {
    /// let session: Session = Session::builder(MemoryStorage::new()).build();
    /// let id = session.enter(Visit::new(), async {
    ///     session.set("user", "ada")?;
    ///     session.close().await?;
    ///     Ok::<_, SessionError>(session.id())
    /// }).await?;
    ///
    /// session.init(Visit::from(id.clone()), async {
    ///     session.start_readonly().await?;
    ///
    ///     // Meanwhile, in another tab, the user logs out:
    ///     let elsewhere = session.clone();
    ///     tokio::spawn(async move { elsewhere.init(Visit::from(id), elsewhere.destroy()).await }).await.unwrap()??;
    ///
    ///     assert!(matches!(session.refresh().await, Err(SessionError::Gone)));
    ///     assert!(matches!(session.get("user"), Err(SessionError::Gone)));
    ///     Ok(())
    /// }).await?
    /// # }
    /// ```
    pub async fn refresh(&self) -> Result<(), SessionError> {
        Box::pin(self.context()?.refresh()).await
    }

    /// Releases the lock without writing. Changes are undone; the loaded data can still be read.
    ///
    /// In a visit that is not writable it does nothing.
    ///
    /// # Errors
    ///
    /// [`Storage`](SessionError::Storage) if the lock could not be released; it then ends with its lease.
    /// [`LockTimeout`](SessionError::LockTimeout) as for [`close`](Session::close).
    pub async fn release(&self) -> Result<(), SessionError> {
        Box::pin(self.context()?.release()).await
    }

    /// Commits all changes and releases the lock in one step. The written data can still be read.
    ///
    /// A virtual session with data in it gets its id here. An unchanged session is not written. In a visit that is not
    /// writable it does nothing.
    ///
    /// If it fails or is dropped, the visit is readable and shows the data that the storage held before. A failure
    /// means that nothing was written, unless the storage [could not be reached or did not
    /// reply](crate::StorageErrorKind::Unavailable). In that case, and if the future is dropped, either everything was
    /// written or nothing.
    ///
    /// # Errors
    ///
    /// [`LockLost`](SessionError::LockLost) if the lease has ended; [`Gone`](SessionError::Gone) if the session was
    /// destroyed or has expired meanwhile; [`Superseded`](SessionError::Superseded) if another visit has replaced the
    /// id of this visit; [`Sealed`](SessionError::Sealed) for a virtual session if the client can no longer be told an
    /// id; [`Storage`](SessionError::Storage). [`LockTimeout`](SessionError::LockTimeout), which leaves the visit
    /// unchanged, if an update of this visit is running and does not end within the wait limit.
    pub async fn close(&self) -> Result<(), SessionError> {
        self.context()?.close().await
    }

    /// Ends the session immediately, whether or not it was started, and regardless of which visit holds its lock.
    ///
    /// After it has returned, nothing restores the session; a concurrent writer fails with
    /// [`Gone`](SessionError::Gone). The visit then has no session, and [`start`](Session::start) begins a new one.
    ///
    /// If the future is dropped, the session may or may not have been destroyed.
    ///
    /// # Errors
    ///
    /// [`Storage`](SessionError::Storage): the session may still exist.
    pub async fn destroy(&self) -> Result<(), SessionError> {
        Box::pin(self.context()?.destroy()).await
    }

    /// Gives the session a new id when it is closed: call it when the user gets more privileges (OWASP ASVS 5.0,
    /// 7.2.4). At login, [`mark_authenticated`](Session::mark_authenticated) does this and more.
    ///
    /// [`id`](Session::id) returns the new id from now on. The storage moves the record when the session is closed, in
    /// one step, so a failure leaves the old id valid. After the move the old id is invalid immediately, unless there
    /// is a [grace](crate::SessionBuilder::rotation_grace).
    ///
    /// # Errors
    ///
    /// [`NotStarted`](SessionError::NotStarted), [`NotWritable`](SessionError::NotWritable),
    /// [`Sealed`](SessionError::Sealed).
    pub fn regenerate_id(&self) -> Result<(), SessionError> {
        self.context()?.regenerate_id()
    }

    /// Records that the client has just authenticated: call it at login. The session gets a new id, as by
    /// [`regenerate_id`](Session::regenerate_id), and its limits begin again: its expiration becomes the default one,
    /// set now, and [`max_idle`](crate::SessionBuilder::max_idle) and
    /// [`max_lifetime`](crate::SessionBuilder::max_lifetime) count from here (NIST SP 800-63B-4, section 2.1.3).
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
    /// session.enter(Visit::new(), async {
    ///     session.mark_authenticated()?;
    ///     session.set("user", "ada")
    /// }).await
    /// # }
    /// ```
    pub fn mark_authenticated(&self) -> Result<(), SessionError> {
        self.context()?.mark_authenticated()
    }
}
