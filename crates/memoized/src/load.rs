//! [`Load`]: an in-flight load that concurrent callers share.

use std::fmt;
use std::sync::Arc;

use sessile_core::{Lookup, StorageError, Stored};
use tokio::sync::Mutex;

/// A load from the inner storage, and its result once there is one.
///
/// The caller that holds the mutex does the load, and the others wait for the mutex. If that caller is cancelled, the
/// next one gets the mutex and does the load.
#[derive(Default)]
pub(crate) struct Load(pub(crate) Mutex<Option<Loaded>>);

/// The result of a load. Errors are shared as well: concurrent callers ask a storage that is down once.
#[derive(Clone)]
pub(crate) enum Loaded {
    Found(Lookup<Stored>),
    Failed(Arc<StorageError>),
}

impl Loaded {
    pub(crate) fn new(result: Result<Lookup<Stored>, StorageError>) -> Self {
        match result {
            Ok(found) => Self::Found(found),
            Err(error) => Self::Failed(Arc::new(error)),
        }
    }

    pub(crate) fn result(&self) -> Result<Lookup<Stored>, StorageError> {
        match self {
            Self::Found(found) => Ok(found.clone()),
            Self::Failed(error) => {
                let shared = StorageError::new(error.kind(), error.operation(), error.storage());
                Err(shared.with_source(SharedError(Arc::clone(error))))
            }
        }
    }
}

/// The error of a shared load.
#[derive(Debug)]
struct SharedError(Arc<StorageError>);

impl fmt::Display for SharedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a load that was shared: {}", self.0)
    }
}

impl std::error::Error for SharedError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}
