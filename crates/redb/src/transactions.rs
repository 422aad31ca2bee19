//! [`Transactions`]: transactions on threads that may block.

use std::sync::Arc;

use redb::{Database, ReadTransaction, ReadableDatabase, WriteTransaction};
use sessile_core::StorageError;

use crate::failure::Failure;
use crate::write_queue::WriteQueue;

/// Runs transactions on the blocking threads of the runtime. Clones share the database and the queue of writes.
#[derive(Clone)]
pub(crate) struct Transactions {
    database: Arc<Database>,
    queue: Arc<WriteQueue>,
}

/// The end of a write transaction, with its output.
pub(crate) enum End<T> {
    /// The changes are stored.
    Commit(T),
    /// Nothing changes.
    Abort(T),
}

impl Transactions {
    pub(crate) fn new(database: Database) -> Self {
        Self {
            database: Arc::new(database),
            queue: Arc::new(WriteQueue::new()),
        }
    }

    /// Runs `look` on one state of the database, whatever is written meanwhile.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        operation: &'static str,
        look: impl FnOnce(&ReadTransaction) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StorageError> {
        self.queue.wait_for_abandoned().await;
        let database = Arc::clone(&self.database);
        run(operation, move || look(&database.begin_read()?)).await
    }

    /// Runs `change` in a transaction that is stored as a whole or not at all, and that is on the disk when this
    /// returns.
    ///
    /// If the future is dropped while it waits for its permit, nothing happens. If it is dropped later, the transaction
    /// goes on without it, and reads that begin afterwards wait for its end.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        operation: &'static str,
        change: impl FnOnce(&WriteTransaction) -> Result<End<T>, Failure> + Send + 'static,
    ) -> Result<T, StorageError> {
        let permit = self.queue.enter().await;
        let awaited = self.queue.await_write();
        let database = Arc::clone(&self.database);
        let result = run(operation, move || {
            // The thread keeps the permit: the transaction outlives the future if that is dropped.
            let _permit = permit;
            let transaction = database.begin_write()?;
            match change(&transaction)? {
                // With redb's default, `Durability::Immediate`, the data is on the disk when `commit` returns.
                End::Commit(output) => match transaction.commit() {
                    Ok(()) => Ok(output),
                    Err(error) => Err(Failure::CommitUnknown(error)),
                },
                End::Abort(output) => {
                    transaction.abort()?;
                    Ok(output)
                }
            }
        })
        .await;
        awaited.disarm();
        result
    }
}

async fn run<T: Send + 'static>(
    operation: &'static str,
    transaction: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, StorageError> {
    let result = match tokio::task::spawn_blocking(transaction).await {
        Ok(result) => result,
        Err(error) => Err(Failure::Interrupted(error)),
    };
    result.map_err(|failure| failure.into_error(operation))
}
