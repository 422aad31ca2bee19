//! [`Background`]: transactions, off the async threads.

use std::sync::Arc;

use redb::{Database, ReadTransaction, ReadableDatabase, WriteTransaction};
use sessile_core::StorageError;

use crate::failure::Failure;
use crate::turns::Turns;

/// Runs transactions on threads that may block.
#[derive(Clone)]
pub(crate) struct Background {
    database: Arc<Database>,
    turns: Arc<Turns>,
}

/// What becomes of a write transaction, and the answer to whoever asked for it.
pub(crate) enum Step<T> {
    /// It is to last.
    Commit(T),
    /// Nothing is to change.
    Abort(T),
}

impl Background {
    pub(crate) fn new(database: Database) -> Self {
        Self {
            database: Arc::new(database),
            turns: Arc::new(Turns::new()),
        }
    }

    /// Looks at one state of the database, whatever is written meanwhile.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        verb: &'static str,
        look: impl FnOnce(&ReadTransaction) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StorageError> {
        self.turns.settled().await;
        let database = Arc::clone(&self.database);
        run(verb, move || look(&database.begin_read()?)).await
    }

    /// Takes a step that is seen as a whole or not at all, and that is on the disk when this returns.
    ///
    /// If the future is dropped while it waits for its turn, nothing happens. If it is dropped later, the step goes on
    /// without it and is taken as a whole, and whoever reads after that sees it.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        verb: &'static str,
        step: impl FnOnce(&WriteTransaction) -> Result<Step<T>, Failure> + Send + 'static,
    ) -> Result<T, StorageError> {
        let turn = self.turns.take().await;
        let attended = self.turns.attend();
        let database = Arc::clone(&self.database);
        let answer = run(verb, move || {
            // The turn ends with the step, and not with whoever waits for it.
            let _turn = turn;
            let transaction = database.begin_write()?;
            match step(&transaction)? {
                // redb's default, `Durability::Immediate`: on the disk when `commit` returns.
                Step::Commit(answer) => match transaction.commit() {
                    Ok(()) => Ok(answer),
                    Err(error) => Err(Failure::InDoubt(error)),
                },
                Step::Abort(answer) => {
                    transaction.abort()?;
                    Ok(answer)
                }
            }
        })
        .await;
        attended.end();
        answer
    }
}

async fn run<T: Send + 'static>(
    verb: &'static str,
    step: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, StorageError> {
    let result = match tokio::task::spawn_blocking(step).await {
        Ok(result) => result,
        Err(error) => Err(Failure::Stopped(error)),
    };
    result.map_err(|failure| failure.into_error(verb))
}
