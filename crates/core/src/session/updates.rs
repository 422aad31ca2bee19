//! The calls that write from a visit that only reads.

use super::Session;
use crate::error::SessionError;
use crate::keys::{Namespaces, Values};

impl<N: Namespaces, V: Values> Session<N, V> {
    /// Loads anew, runs the closure and commits: the short way to write from a visit that only reads or was not started.
    ///
    /// It is tried without the lock first: what the closure has changed is stored if nobody has written to the session
    /// since it was loaded, and nobody holds its lock. Otherwise all of it is done again, and after two attempts with the
    /// lock, where it cannot come too late. So **the closure may run more than once**: it should do nothing that may not
    /// be repeated, but change values. [`update_exclusive`](Session::update_exclusive) runs it once, under the lock.
    ///
    /// If the closure returns `Err`, panics or is dropped, nothing is written. Afterwards the visit is readable. In a
    /// visit that is writable already, and inside another update, the closure simply runs; whoever made the visit writable
    /// commits. Updates of one visit that run side by side follow each other. [`try_update`](Session::try_update) is the
    /// same for closures with errors of their own.
    ///
    /// # Errors
    ///
    /// The errors of [`start`](Session::start), [`close`](Session::close) and of the closure.
    /// [`Undone`](SessionError::Undone) if the attempt came too late, and a task beside it had changed something in the
    /// visit meanwhile, which would not be done again.
    ///
    /// ```
    /// use sessile_core::{Key, Session, SessionError, Untyped, Visit};
    /// use sessile_memory::MemoryStorage;
    ///
    /// const COUNT: Key<Untyped, u64> = Key::new("count");
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), SessionError> {
    /// let session: Session = Session::builder(MemoryStorage::new()).build();
    /// session.init(Visit::new(), async {
    ///     session.start_readonly().await?;
    ///     // A long computation, during which nobody is kept waiting.
    ///     let count = session.update(async || {
    ///         let count = session.update_key(COUNT, |count| { *count += 1; *count })?;
    ///         Ok(count)
    ///     }).await?;
    ///     assert_eq!(count, 1);
    ///     Ok(())
    /// }).await?
    /// # }
    /// ```
    pub async fn update<T, F>(&self, closure: impl FnMut() -> F) -> Result<T, SessionError>
    where
        F: Future<Output = Result<T, SessionError>>,
    {
        self.try_update(closure).await
    }

    /// Does what [`update`](Session::update) does, for a closure that fails with an error of the application.
    ///
    /// # Errors
    ///
    /// The errors of [`update`](Session::update) and of the closure.
    pub async fn try_update<T, E, F>(&self, closure: impl FnMut() -> F) -> Result<T, E>
    where
        E: From<SessionError>,
        F: Future<Output = Result<T, E>>,
    {
        self.context()?.update(closure).await
    }

    /// Takes the lock, loads anew, runs the closure, commits and unlocks. It does what [`update`](Session::update) does, and
    /// the closure runs once: for work that may not be repeated, or takes so long that others would come first each time.
    ///
    /// # Errors
    ///
    /// The errors of [`start`](Session::start), [`close`](Session::close) and of the closure.
    ///
    /// ```
    /// use sessile_core::{Key, Session, SessionError, Untyped, Visit};
    /// use sessile_memory::MemoryStorage;
    ///
    /// const BALANCE: Key<Untyped, u64> = Key::new("balance");
    ///
    /// # async fn charge(_: u64) -> Result<(), SessionError> { Ok(()) }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), SessionError> {
    /// let session: Session = Session::builder(MemoryStorage::new()).build();
    /// session.init(Visit::new(), async {
    ///     session.update_exclusive(async || {
    ///         charge(5).await?;
    ///         session.update_key(BALANCE, |balance| *balance += 5)
    ///     }).await
    /// }).await?
    /// # }
    /// ```
    pub async fn update_exclusive<T>(
        &self,
        closure: impl AsyncFnOnce() -> Result<T, SessionError>,
    ) -> Result<T, SessionError> {
        self.try_update_exclusive(closure).await
    }

    /// Does what [`update_exclusive`](Session::update_exclusive) does, for a closure that fails with an error of the
    /// application.
    ///
    /// # Errors
    ///
    /// The errors of [`start`](Session::start), [`close`](Session::close) and of the closure.
    pub async fn try_update_exclusive<T, E>(&self, closure: impl AsyncFnOnce() -> Result<T, E>) -> Result<T, E>
    where
        E: From<SessionError>,
    {
        self.context()?.update_exclusive(closure).await
    }
}
