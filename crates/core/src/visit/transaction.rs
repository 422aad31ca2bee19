//! Transactions: writing briefly from a visit that otherwise only reads.
//!
//! A transaction first tries without the lock: it reads, runs the closure, and replaces the record if that is unchanged
//! since the read and its lock is free. After repeated conflicts it takes the lock like [`start`](Context::start), so
//! transactions of a contended session are as fair as locks.

use std::sync::Arc;

use crate::error::SessionError;
use crate::storage::{Lock, Lookup};
use crate::visit::operation::OperationGuard;
use crate::visit::state::{Phase, State};
use crate::visit::{Context, Scoped, stack};

/// The number of attempts without the lock.
const UNLOCKED_ATTEMPTS: usize = 2;

impl Context {
    /// Runs a transaction without the lock if there is no concurrent writer, otherwise with it. The closure runs again
    /// for each attempt that conflicted.
    pub(crate) async fn transaction<T, E, F>(self: &Arc<Self>, mut closure: impl FnMut() -> F) -> Result<T, E>
    where
        E: From<SessionError>,
        F: Future<Output = Result<T, E>>,
    {
        let Some(guard) = self.begin_transaction().await? else {
            return closure().await;
        };
        // The guard is held across all attempts, so that no other transaction of this visit comes in between.
        for _ in 0..UNLOCKED_ATTEMPTS {
            let transaction = Transaction::begin(self);
            let is_loaded = match self.load_unlocked_immediate() {
                Some(is_loaded) => is_loaded?,
                None => Box::pin(self.load_unlocked()).await?,
            };
            if !is_loaded {
                if transaction.was_destroyed_elsewhere() {
                    return Err(SessionError::Gone.into());
                }
                break;
            }
            let result = Scoped::in_transaction(Arc::clone(self), closure()).await;
            let result = transaction.end(result).await;
            if !transaction.is_conflicted()? {
                return result;
            }
        }
        Box::pin(self.transaction_under_lock(guard, closure)).await
    }

    /// Runs a transaction under the lock. The closure runs once.
    pub(crate) async fn transaction_exclusive<T, E>(
        self: &Arc<Self>,
        closure: impl AsyncFnOnce() -> Result<T, E>,
    ) -> Result<T, E>
    where
        E: From<SessionError>,
    {
        match self.begin_transaction().await? {
            Some(guard) => self.transaction_under_lock(guard, || closure()).await,
            None => closure().await,
        }
    }

    /// Returns the operation guard for a transaction. Returns `None` if the visit is writable already: its lock is then
    /// held for longer than this transaction, and the code that took it commits.
    async fn begin_transaction(&self) -> Result<Option<OperationGuard<'_>>, SessionError> {
        if stack::is_in_transaction(self) {
            return Ok(None);
        }
        let guard = self.begin_operation().await?;
        let is_writable = self.state().phase == Phase::Writable;
        Ok((!is_writable).then_some(guard))
    }

    async fn transaction_under_lock<T, E, F>(
        self: &Arc<Self>,
        guard: OperationGuard<'_>,
        closure: impl FnOnce() -> F,
    ) -> Result<T, E>
    where
        E: From<SessionError>,
        F: Future<Output = Result<T, E>>,
    {
        let transaction = Transaction::begin(self);
        Box::pin(self.start_in_operation(&guard)).await?;
        let result = Scoped::in_transaction(Arc::clone(self), closure()).await;
        transaction.end(result).await
    }

    /// Does the same as [`load_unlocked`](Context::load_unlocked); returns `None` if it would have to wait.
    fn load_unlocked_immediate(&self) -> Option<Result<bool, SessionError>> {
        let storage = self.settings.immediate()?;
        let (key, request) = {
            let mut state = self.state();
            (state.lookup_key(), state.begin_load())
        };
        let Some(key) = key else { return Some(Ok(false)) };
        Some(match storage.read(&key) {
            Ok((Lookup::Found(stored), at)) => self.on_loaded_unlocked(stored, at, request),
            Ok(_) => Ok(false),
            Err(error) => Err(error.into()),
        })
    }

    /// Makes the visit writable without the lock, with the record as it is stored now. Returns whether that is
    /// possible.
    async fn load_unlocked(&self) -> Result<bool, SessionError> {
        let (key, request) = {
            let mut state = self.state();
            (state.lookup_key(), state.begin_load())
        };
        let Some(key) = key else { return Ok(false) };
        match self.settings.read(&key).await? {
            (Lookup::Found(stored), at) => self.on_loaded_unlocked(stored, at, request),
            _ => Ok(false),
        }
    }
}

/// Marks the visit as in a transaction. Dropping it abandons a transaction that was not committed, and its lock.
struct Transaction<'a>(&'a Arc<Context>);

impl<'a> Transaction<'a> {
    fn begin(context: &'a Arc<Context>) -> Self {
        let mut state = context.state();
        state.in_transaction = true;
        state.destroyed_elsewhere = false;
        state.changed_by_others = false;
        state.conflicted = false;
        drop(state);
        Self(context)
    }

    /// Commits if the closure has succeeded, otherwise reverts its changes.
    async fn end<T, E: From<SessionError>>(&self, result: Result<T, E>) -> Result<T, E> {
        match result {
            Ok(value) => {
                let now = self.0.settings.storage.clock().now();
                match self.0.close_immediate_in_operation(now, |_| ()) {
                    Some(closed) => closed?,
                    None => {
                        Box::pin(self.0.close_now()).await?;
                    }
                }
                match self.was_destroyed_elsewhere() {
                    // The changes were destroyed with the session, which the caller of the transaction did not ask for.
                    true => Err(SessionError::Gone.into()),
                    false => Ok(value),
                }
            }
            Err(error) => {
                let lock = self.0.state().abandon_transaction();
                if let Some(lock) = lock {
                    Box::pin(self.0.release_or_log(lock)).await;
                }
                Err(error)
            }
        }
    }

    /// Returns whether the transaction has to run again, because it wrote without the lock and conflicted.
    ///
    /// # Errors
    ///
    /// [`Undone`](SessionError::Undone) if other tasks have changed something in the same attempt: running the closure
    /// again would not repeat that. [`Gone`](SessionError::Gone) if another user of the visit has destroyed the session
    /// meanwhile.
    fn is_conflicted(&self) -> Result<bool, SessionError> {
        let mut state = self.0.state();
        if !std::mem::take(&mut state.conflicted) {
            return Ok(false);
        }
        if state.destroyed_elsewhere {
            return Err(SessionError::Gone);
        }
        state.undone = state.changed_by_others;
        state.check_not_undone().map(|()| true)
    }

    /// Returns whether the session was destroyed during the transaction, but not by the transaction itself.
    fn was_destroyed_elsewhere(&self) -> bool {
        self.0.state().destroyed_elsewhere
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        let lock = {
            let mut state = self.0.state();
            state.in_transaction = false;
            state.abandon_transaction()
        };
        drop(lock);
    }
}

impl State {
    /// Notes a change of the session, if a transaction is running and the change is not part of it.
    pub(super) fn note_change_by_others(&mut self, context: &Context) {
        self.changed_by_others |= self.in_transaction && !stack::is_in_transaction(context);
    }

    /// Leaves a transaction without having written. Marks changes of other tasks under its lock as undone, so that
    /// their next close reports it.
    fn abandon_transaction(&mut self) -> Option<Lock> {
        self.undone |= self.phase == Phase::Writable && self.changed_by_others;
        self.abandon()
    }
}
