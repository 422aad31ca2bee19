//! Methods that start, end and rename a visit's session, or release the locks of all visits.

use std::time::Duration;

use super::Session;
use crate::error::SessionError;
use crate::keys::{Namespaces, Values};

impl<N: Namespaces, V: Values> Session<N, V> {
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
    /// held elsewhere, also by a transaction of the same visit; [`Unknown`](SessionError::Unknown) in a
    /// [strict](crate::Visit::attach) visit; [`Gone`](SessionError::Gone) or [`Superseded`](SessionError::Superseded)
    /// if the session that this visit has loaded no longer exists; [`Unreadable`](SessionError::Unreadable);
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
    /// let first = session.enter(Visit::new(), async { session.set("user", "ada") }).await?;
    /// let id = first.outcome.new_id();
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
    /// unchanged, if a transaction of this visit is running and does not end within the wait limit.
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
    /// 7.2.4). At login, [`log_in`](Session::log_in) does this and more.
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

    /// Records that the client has just authenticated, without saying as whom: where sessions have an owner,
    /// [`log_in`](Session::log_in) does the same and more. The session gets a new id, as by
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
    /// }).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn mark_authenticated(&self) -> Result<(), SessionError> {
        self.context()?.mark_authenticated()
    }

    /// Releases the locks that visits of this process hold, so that other processes need not wait for their leases to
    /// end. Call it when the server accepts no more requests.
    ///
    /// Waits until visits have released their locks themselves, at most for `patience`. A visit whose lock is taken
    /// away then fails with [`LockLost`](crate::SessionError::LockLost) when it is closed, and nothing is written.
    /// Nothing else changes: the session can be used during the call and afterwards.
    ///
    /// Sessions with the same storage share their locks. A storage whose locks end with the process has nothing to
    /// release and returns immediately. See [`Storage::drain`](crate::Storage::drain).
    ///
    /// ```
    /// use sessile_core::{SECOND, Session};
    /// use sessile_memory::MemoryStorage;
    ///
    /// # async fn serve() {}
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let session: Session = Session::builder(MemoryStorage::new()).build();
    /// serve().await; // returns after the server has shut down gracefully
    /// session.drain(SECOND).await;
    /// # }
    /// ```
    pub async fn drain(&self, patience: Duration) {
        self.settings.storage.drain(patience).await;
    }
}
