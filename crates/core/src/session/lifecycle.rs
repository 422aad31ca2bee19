//! The calls that begin, end and name a visit's session.

use std::future::Future;
use std::sync::Arc;

use super::Session;
use crate::error::SessionError;
use crate::keys::{Namespaces, Values};
use crate::visit::OpenVisit;
use crate::visit::Visit;

impl<N: Namespaces, V: Values> Session<N, V> {
    /// Runs a future in a new context for this visit.
    ///
    /// Inside, the session is not started yet, unless [`auto_start`](crate::SessionBuilder::auto_start) says so. When
    /// the future is done, or is dropped before, or panics, a lock that is still held is released and nothing is
    /// written: what is to be kept has to be [closed](Session::close) inside.
    ///
    /// # Errors
    ///
    /// [`AlreadyInitialised`](SessionError::AlreadyInitialised) inside a context of this very session, and with
    /// `auto_start` what [`start`](Session::start) fails with. The future is then not run.
    pub async fn init<F: Future>(&self, visit: Visit, future: F) -> Result<F::Output, SessionError> {
        if self.is_initialised() {
            return Err(SessionError::AlreadyInitialised);
        }
        let visit = self.open(visit);
        visit.auto_start().await?;
        let (visit, output) = visit.work(|| future).await;
        if visit.end_at_once(false).is_none() {
            // The output is worth more than that a lock takes its lease to end.
            let _ = Box::pin(visit.release()).await;
        }
        Ok(output)
    }

    /// Starts the session for writing in a new context, runs a future in it, and closes if the future returns `Ok`. If
    /// it returns `Err` the session is left as it was. [`try_enter`](Session::try_enter) is the same for futures with
    /// errors of their own.
    ///
    /// # Errors
    ///
    /// Those of [`init`](Session::init), [`start`](Session::start), [`close`](Session::close) and of the future.
    pub async fn enter<T>(
        &self,
        visit: Visit,
        future: impl Future<Output = Result<T, SessionError>>,
    ) -> Result<T, SessionError> {
        self.try_enter(visit, future).await
    }

    /// Does what [`enter`](Session::enter) does, for a future that fails with an error of the application.
    ///
    /// # Errors
    ///
    /// Those of [`init`](Session::init), [`start`](Session::start), [`close`](Session::close) and of the future.
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

    /// Opens a visit without running anything in it: for frameworks, see [`OpenVisit`].
    pub fn open(&self, visit: Visit) -> OpenVisit {
        OpenVisit::new(Arc::clone(&self.settings), visit)
    }

    /// Starts the session for writing: waits for the lock and loads what is stored.
    ///
    /// In a visit that is writable already it does nothing. In one that has read it takes the lock and loads anew. An
    /// id the storage does not know is dropped, never adopted: the visit then has a virtual session, which is empty and
    /// gets an id of its own when it is closed with something in it.
    ///
    /// If the future is dropped, the visit is as it was before and no lock stays behind.
    ///
    /// # Errors
    ///
    /// [`LockTimeout`](SessionError::LockTimeout) and [`TooManyWaiters`](SessionError::TooManyWaiters) when others hold
    /// the lock, an update of this very visit included; [`Unknown`](SessionError::Unknown) in a [strict](Visit::attach) visit;
    /// [`Gone`](SessionError::Gone) or [`Superseded`](SessionError::Superseded) when the session this visit has seen is
    /// no longer there; [`Unreadable`](SessionError::Unreadable); [`Storage`](SessionError::Storage).
    pub async fn start(&self) -> Result<(), SessionError> {
        self.context()?.start().await
    }

    /// Starts the session for reading: loads what is stored, takes no lock and waits for no writer.
    ///
    /// In a visit that was started it does nothing.
    ///
    /// # Errors
    ///
    /// As for [`start`](Session::start), without those about locks of others.
    pub async fn start_readonly(&self) -> Result<(), SessionError> {
        self.context()?.start_readonly().await
    }

    /// As [`start_readonly`](Session::start_readonly), without counting as activity: for pages that poll, which are no
    /// sign of anybody being there. No sliding expiration moves, unless the visit writes later on.
    ///
    /// # Errors
    ///
    /// As for [`start_readonly`](Session::start_readonly).
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

    /// Loads what is stored by now, in a visit that only reads: for streams and tasks that outlive what they have
    /// loaded. Takes no lock and waits for no writer.
    ///
    /// In a writable visit, which nobody else can change, it does nothing. Once it has found that the session is no
    /// longer there, reading fails with [`Gone`](SessionError::Gone) too.
    ///
    /// # Errors
    ///
    /// [`NotStarted`](SessionError::NotStarted); [`Gone`](SessionError::Gone) when the session was destroyed or has
    /// expired; [`Superseded`](SessionError::Superseded) when it has moved to another id;
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

    /// Gives up the lock without writing. What was changed is undone; what was loaded can still be read.
    ///
    /// In a visit that is not writable it does nothing.
    ///
    /// # Errors
    ///
    /// [`Storage`](SessionError::Storage) if the lock could not be given back; its lease will end it.
    /// [`LockTimeout`](SessionError::LockTimeout) as for [`close`](Session::close).
    pub async fn release(&self) -> Result<(), SessionError> {
        Box::pin(self.context()?.release()).await
    }

    /// Commits what was changed and gives up the lock, in one step. What was written can still be read.
    ///
    /// A virtual session with something in it gets its id here. Data that was not changed is not written. In a visit
    /// that is not writable it does nothing.
    ///
    /// When it fails, or is dropped, the visit is readable and shows what the storage held before. A failure means that
    /// nothing was written, unless the storage [could not be reached or did not
    /// answer](crate::StorageErrorKind::Unavailable); then, and when it is dropped, everything was written or nothing.
    ///
    /// # Errors
    ///
    /// [`LockLost`](SessionError::LockLost) when the lease was over; [`Gone`](SessionError::Gone) when the session was
    /// destroyed or has expired meanwhile; [`Superseded`](SessionError::Superseded) when the id that this visit came
    /// with was replaced by another visit; [`Sealed`](SessionError::Sealed) for a virtual session when the client can no
    /// longer be effects an id; [`Storage`](SessionError::Storage). [`LockTimeout`](SessionError::LockTimeout), which
    /// leaves the visit as it is, when an update of this visit is under way and does not end within the wait limit.
    pub async fn close(&self) -> Result<(), SessionError> {
        self.context()?.close().await
    }

    /// Ends the session now, whether it was started or not, and whoever holds its lock.
    ///
    /// Once this has returned, nothing brings the session back; a writer that is under way fails with
    /// [`Gone`](SessionError::Gone). The visit has no session any more, and [`start`](Session::start) begins a new one.
    ///
    /// If the future is dropped, the session was destroyed or it was not.
    ///
    /// # Errors
    ///
    /// [`Storage`](SessionError::Storage): the session may then still be there.
    pub async fn destroy(&self) -> Result<(), SessionError> {
        Box::pin(self.context()?.destroy()).await
    }

    /// Gives the session a new id: do this when somebody gets more rights (OWASP ASVS 5.0, 7.2.4). When somebody logs in,
    /// [`mark_authenticated`](Session::mark_authenticated) does this and more.
    ///
    /// [`id`](Session::id) returns the new id from now on. The storage moves the record when the session is closed, in
    /// one step, so a failure leaves the old id valid. After that the old id is dead at once, unless there is a
    /// [grace](crate::SessionBuilder::rotation_grace).
    ///
    /// # Errors
    ///
    /// [`NotStarted`](SessionError::NotStarted), [`NotWritable`](SessionError::NotWritable),
    /// [`Sealed`](SessionError::Sealed).
    pub fn regenerate_id(&self) -> Result<(), SessionError> {
        self.context()?.regenerate_id()
    }

    /// Notes that somebody has just authenticated: the session gets a new id, as by
    /// [`regenerate_id`](Session::regenerate_id), and its limits begin anew. Its expiration becomes the default one, set
    /// now, and [`max_idle`](crate::SessionBuilder::max_idle) and [`max_lifetime`](crate::SessionBuilder::max_lifetime)
    /// count from here (NIST SP 800-63B-4, section 2.1.3). Call this when somebody logs in.
    ///
    /// # Errors
    ///
    /// As for [`regenerate_id`](Session::regenerate_id).
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
