//! Methods that write from a visit that only reads.

use super::Session;
use crate::error::SessionError;
use crate::keys::{Namespaces, Values};

impl<N: Namespaces, V: Values> Session<N, V> {
    /// Loads the record again, runs the closure and commits: the short way to write from a visit that only reads or was
    /// not started.
    ///
    /// The first attempts take no lock: the changes are stored if the session was not written since it was loaded and
    /// its lock is free. Otherwise the whole transaction runs again; after two attempts it takes the lock, so that it
    /// cannot conflict. So **the closure may run more than once**: apart from changing values, it should do nothing
    /// that must not be repeated. [`transaction_exclusive`](Session::transaction_exclusive) runs it once, under the
    /// lock.
    ///
    /// If the closure returns `Err`, panics or is dropped, nothing is written. Afterwards the visit is readable. In a
    /// visit that is writable already, and inside another transaction, only the closure runs; the code that made the
    /// visit writable commits. Concurrent transactions of one visit run one after the other.
    ///
    /// It covers the session alone: what the closure writes elsewhere, such as to a database, is not undone with it.
    ///
    /// [`try_transaction`](Session::try_transaction) does the same for closures with errors of their own.
    ///
    /// # Errors
    ///
    /// The errors of [`start`](Session::start), [`close`](Session::close) and of the closure.
    /// [`Undone`](SessionError::Undone) if the attempt conflicted and another task had changed something in the visit
    /// meanwhile: repeating the closure would not repeat that change.
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
    ///     // A long computation, during which no other request waits.
    ///     let count = session.transaction(async || {
    ///         let count = session.update(COUNT, |count| { *count += 1; *count })?;
    ///         Ok(count)
    ///     }).await?;
    ///     assert_eq!(count, 1);
    ///     Ok(())
    /// }).await?
    /// # }
    /// ```
    pub async fn transaction<T, F>(&self, closure: impl FnMut() -> F) -> Result<T, SessionError>
    where
        F: Future<Output = Result<T, SessionError>>,
    {
        self.try_transaction(closure).await
    }

    /// Does the same as [`transaction`](Session::transaction) for a closure that fails with an error of the
    /// application.
    ///
    /// # Errors
    ///
    /// The errors of [`transaction`](Session::transaction) and of the closure.
    pub async fn try_transaction<T, E, F>(&self, closure: impl FnMut() -> F) -> Result<T, E>
    where
        E: From<SessionError>,
        F: Future<Output = Result<T, E>>,
    {
        self.context()?.transaction(closure).await
    }

    /// Takes the lock, loads the record again, runs the closure once, commits and unlocks.
    ///
    /// Use it in place of [`transaction`](Session::transaction) for work that must not be repeated, or that takes so
    /// long that each attempt without the lock would conflict.
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
    ///     session.transaction_exclusive(async || {
    ///         charge(5).await?;
    ///         session.update(BALANCE, |balance| *balance += 5)
    ///     }).await
    /// }).await?
    /// # }
    /// ```
    pub async fn transaction_exclusive<T>(
        &self,
        closure: impl AsyncFnOnce() -> Result<T, SessionError>,
    ) -> Result<T, SessionError> {
        self.try_transaction_exclusive(closure).await
    }

    /// Does the same as [`transaction_exclusive`](Session::transaction_exclusive) for a closure that fails with an
    /// error of the application.
    ///
    /// # Errors
    ///
    /// The errors of [`start`](Session::start), [`close`](Session::close) and of the closure.
    pub async fn try_transaction_exclusive<T, E>(&self, closure: impl AsyncFnOnce() -> Result<T, E>) -> Result<T, E>
    where
        E: From<SessionError>,
    {
        self.context()?.transaction_exclusive(closure).await
    }
}
