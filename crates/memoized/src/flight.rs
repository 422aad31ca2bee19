//! [`Flight`]: a load that several visits share.

use std::fmt;
use std::sync::Arc;

use sessile_core::{Lookup, StorageError, Stored};
use tokio::sync::{Mutex, MutexGuard};

/// What a load has brought. A failure is shared as well: a storage that is down is not asked once by each of a crowd.
#[derive(Clone)]
pub(crate) enum Answer {
    Found(Lookup<Stored>),
    Failed(Arc<StorageError>),
}

/// A load under way. Whoever has the mutex does it; the others wait for the mutex. If he is dropped, the next does it.
#[derive(Default)]
pub(crate) struct Flight(Mutex<Option<Answer>>);

impl Flight {
    pub(crate) async fn turn(&self) -> MutexGuard<'_, Option<Answer>> {
        self.0.lock().await
    }
}

impl Answer {
    pub(crate) fn of(answer: Result<Lookup<Stored>, StorageError>) -> Self {
        match answer {
            Ok(found) => Self::Found(found),
            Err(error) => Self::Failed(Arc::new(error)),
        }
    }

    pub(crate) fn result(&self) -> Result<Lookup<Stored>, StorageError> {
        match self {
            Self::Found(found) => Ok(found.clone()),
            Self::Failed(error) => {
                let shared = StorageError::new(error.kind(), error.operation(), error.storage());
                Err(shared.with_source(Shared(Arc::clone(error))))
            }
        }
    }
}

/// The error of a load that was shared.
#[derive(Debug)]
struct Shared(Arc<StorageError>);

impl fmt::Display for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a load that was shared: {}", self.0)
    }
}

impl std::error::Error for Shared {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}
