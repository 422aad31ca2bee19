//! Methods that run tasks on sessions by their keys.

use std::future::Future;
use std::sync::Arc;

use futures_core::Stream;

use super::Session;
use crate::error::SessionError;
use crate::id::SessionKey;
use crate::keys::{Namespaces, Values};
use crate::tasks::{self, TaskResult, TaskStream};

impl<N: Namespaces, V: Values> Session<N, V> {
    /// Runs a task on the session under this key: waits for its lock, loads it, runs the task in its context, and
    /// commits if the task returns `Ok`.
    ///
    /// Inside, the session is used as in a request: each call on it refers to the session under the key, also within a
    /// visit to another one. The task knows [`key`](Session::key) and no id, and the client cannot be told anything:
    /// [`regenerate_id`](Session::regenerate_id) fails with [`Sealed`](SessionError::Sealed), while
    /// [`destroy`](Session::destroy) works. A session that does not exist is not created.
    ///
    /// A task is no activity of the client: even if it writes, it moves neither
    /// [`last_active_at`](Session::last_active_at) nor a sliding expiration, and a session that idles out while the
    /// task runs ends. An expiration that the task sets on the session begins at that moment; a sliding one that it
    /// sets on a value counts from the last activity, as usual, so use [`After`](crate::Expiration::After) for a value
    /// that the client has to see later.
    ///
    /// # Within the same session
    ///
    /// Called in a visit or task that is [writable](Session::is_writable) and has this key, also inside a transaction,
    /// it runs the task at once in that visit, instead of waiting for a lock that the caller holds. Then nothing is
    /// committed here: the code that made the visit writable commits, also the changes of a task that has failed. The
    /// visit is searched from the innermost outwards.
    ///
    /// A [bound](Session::bind) session means its own visit wherever it is used, also in a task. So only a task on the
    /// session of that visit can be run by it, while the visit is writable.
    ///
    /// # Deadlocks
    ///
    /// A task, or a visit that has started its session for writing, can wait for another session. If the holder of that
    /// one waits in turn, directly or by way of others, for a session that the caller holds, the call fails with
    /// [`WouldDeadlock`](SessionError::WouldDeadlock) at once. That covers calls on the clones of one session value.
    /// Holders in other processes, or under another session value, are not seen: there, the
    /// [lock wait limit](crate::SessionBuilder::lock_wait) ends the wait with
    /// [`LockTimeout`](SessionError::LockTimeout). Both errors are [retryable](SessionError::is_retryable), once the
    /// caller has let go of its own session.
    ///
    /// # Cancellation
    ///
    /// If the future is dropped or the task panics, nothing is written and the lock is released; a future that is
    /// dropped while it commits has written everything or nothing.
    ///
    /// # Errors
    ///
    /// The error of the task. [`Gone`](SessionError::Gone) if the session does not exist any more;
    /// [`Superseded`](SessionError::Superseded) if it has moved to another id; [`LockTimeout`](SessionError::LockTimeout)
    /// and [`TooManyWaiters`](SessionError::TooManyWaiters) if it is busy; [`WouldDeadlock`](SessionError::WouldDeadlock);
    /// the errors of [`start`](Session::start) and [`close`](Session::close).
    /// [`AlreadyInitialised`](SessionError::AlreadyInitialised) for a bound session, if the task would have to run
    /// elsewhere.
    ///
    /// ```
    /// use sessile_core::{Key, Session, SessionError, SessionKey, Untyped, Visit};
    /// use sessile_memory::MemoryStorage;
    ///
    /// const CREDIT: Key<Untyped, u64> = Key::new("credit");
    ///
    /// /// Called when a payment arrives, not in a request of the client.
    /// async fn add_credit(session: &Session, key: &SessionKey, amount: u64) -> Result<u64, SessionError> {
    ///     session.run_in(key, async || session.update(CREDIT, |credit| { *credit += amount; *credit })).await
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), SessionError> {
    /// let session: Session = Session::builder(MemoryStorage::new()).build();
    /// let client = session.enter(Visit::new(), async { session.set(CREDIT, 5) }).await?;
    /// let key = client.outcome.new_id().expect("the session has begun").key();
    ///
    /// assert_eq!(add_credit(&session, &key, 20).await?, 25);
    ///
    /// session.run_in(&key, async || session.destroy().await).await?;
    /// assert!(matches!(add_credit(&session, &key, 20).await, Err(SessionError::Gone)));
    /// # Ok(())
    /// # }
    /// ```
    pub fn run_in<'a, T, R, F>(
        &'a self,
        key: &SessionKey,
        task: R,
    ) -> impl Future<Output = Result<T, SessionError>> + use<'a, N, V, T, R, F>
    where
        R: FnOnce() -> F,
        F: Future<Output = Result<T, SessionError>>,
    {
        self.try_run_in(key, task)
    }

    /// Does the same as [`run_in`](Session::run_in) for a task that fails with an error of the application.
    ///
    /// # Errors
    ///
    /// The errors of [`run_in`](Session::run_in) and of the task.
    pub fn try_run_in<'a, T, E, R, F>(
        &'a self,
        key: &SessionKey,
        task: R,
    ) -> impl Future<Output = Result<T, E>> + use<'a, N, V, T, E, R, F>
    where
        E: From<SessionError>,
        R: FnOnce() -> F,
        F: Future<Output = Result<T, E>>,
    {
        tasks::run(&self.settings, self.bound.as_ref(), *key, task)
    }

    /// Runs a task on each of these sessions, as [`run_in`](Session::run_in) does, and returns a stream of the keys and
    /// results in the order in which the tasks end. The task learns its session from [`key`](Session::key).
    ///
    /// Up to 16 tasks run at a time, or as many as [`concurrency`](TaskStream::concurrency) says. A failure stops no
    /// other task; a session that has ended is a result, [`Gone`](SessionError::Gone). A panic is one, too:
    /// [`TaskPanicked`](SessionError::TaskPanicked).
    ///
    /// The tasks run while the stream is polled, in the caller's task. Between two calls to
    /// [`next`](TaskStream::next), tasks that have begun stand still and keep their locks, until the lease ends and
    /// their commits fail with [`LockLost`](SessionError::LockLost). So do nothing there that takes long or waits for a
    /// session: [collect](TaskStream::collect) the results, or send them elsewhere. Dropping the stream cancels the
    /// tasks that run, without writing, and starts no others.
    ///
    /// ```
    /// use sessile_core::{Session, SessionError, Visit};
    /// use sessile_memory::MemoryStorage;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), SessionError> {
    /// let session: Session = Session::builder(MemoryStorage::new()).build();
    /// let mut keys = Vec::new();
    /// for user in ["ada", "bob"] {
    ///     let client = session.enter(Visit::new(), async { session.set("user", user) }).await?;
    ///     keys.extend(client.outcome.new_id().map(|id| id.key()));
    /// }
    ///
    /// let mut tasks = session.run_in_each(keys, async || session.set("role", "editor")).concurrency(4);
    /// let progress = tasks.progress();
    /// while let Some((key, result)) = tasks.next().await {
    ///     match result {
    ///         Ok(()) => println!("{} of {:?}: {key} done", progress.done(), progress.total()),
    ///         Err(SessionError::Gone) => println!("{key} has ended"),
    ///         Err(error) => println!("{key}: {}", error.report()),
    ///     }
    /// }
    /// assert_eq!((progress.done(), progress.failed(), progress.total()), (2, 0, Some(2)));
    /// # Ok(())
    /// # }
    /// ```
    pub fn run_in_each<K, T, R, F>(
        &self,
        keys: K,
        task: R,
    ) -> TaskStream<impl Stream<Item = TaskResult<T>> + use<N, V, K, T, R, F>>
    where
        K: IntoIterator<Item = SessionKey>,
        R: Fn() -> F,
        F: Future<Output = Result<T, SessionError>>,
    {
        tasks::run_in_each(Arc::clone(&self.settings), self.bound.clone(), keys, task)
    }

    /// Runs a task on every session in the storage, as [`run_in_each`](Session::run_in_each) does.
    ///
    /// It pages through the storage, 512 records at a time, while the tasks run. A session that lives throughout is
    /// reached, and no key is run twice; remembering the keys takes some 20 to 40 bytes for each session. Sessions that
    /// begin meanwhile may be left out. One that gets a new id meanwhile is [`Superseded`](SessionError::Superseded) or
    /// reached under its new key, perhaps both or, if the task has run already, a second time.
    ///
    /// An item is a key and the result of its task, or the error of a page that the storage could not list. The latter
    /// comes last, after the results of all tasks that were started.
    ///
    /// ```
    /// use sessile_core::{Session, SessionError, Visit};
    /// use sessile_memory::MemoryStorage;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), SessionError> {
    /// let session: Session = Session::builder(MemoryStorage::new()).build();
    /// for user in ["ada", "bob"] {
    ///     session.enter(Visit::new(), async { session.set("user", user) }).await?;
    /// }
    ///
    /// // A broadcast.
    /// let notices = session.namespace("notices");
    /// let mut tasks = session.run_in_all(async || notices.set("maintenance", "tonight at ten"));
    /// while let Some(item) = tasks.next().await {
    ///     let (key, result) = item?;
    ///     if let Err(error) = result {
    ///         println!("{key}: {}", error.report());
    ///     }
    /// }
    /// assert_eq!(tasks.progress().done(), 2);
    /// # Ok(())
    /// # }
    /// ```
    pub fn run_in_all<T, R, F>(
        &self,
        task: R,
    ) -> TaskStream<impl Stream<Item = Result<TaskResult<T>, SessionError>> + use<N, V, T, R, F>>
    where
        R: Fn() -> F,
        F: Future<Output = Result<T, SessionError>>,
    {
        tasks::run_in_all(Arc::clone(&self.settings), self.bound.clone(), task)
    }
}
