//! A storage whose hints are not offered, are lost, or come twice.

use std::sync::Arc;

use sessile_core::{
    Capabilities, Intercept, Operation, OperationOutput, Session, SessionKey, StorageCall, StorageError, Watch,
    WatchSessions, Watchers,
};

use crate::common::*;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum How {
    Missing,
    Lost,
    Doubled,
}

#[derive(Debug)]
pub(crate) struct Hinted {
    inner: Arc<Plain>,
    how: How,
    watchers: Watchers,
}

impl Fixture {
    /// Returns a session on the same storage with these hints, and the watchers of the storage.
    pub(crate) fn hinted(&self, how: How) -> (Session, Watchers) {
        let watchers = Watchers::new();
        let storage = Hinted {
            inner: Arc::clone(&self.storage),
            how,
            watchers: watchers.clone(),
        };
        let builder = Session::builder(storage).default_expiration(sessile_core::Expiration::Never);
        (builder.epochs(true).build(), watchers)
    }
}

impl Hinted {
    async fn wake(&self, key: &SessionKey) {
        if self.how == How::Doubled {
            self.watchers.wake(key);
            tokio::task::yield_now().await;
            self.watchers.wake(key);
        }
    }
}

impl WatchSessions for Hinted {
    fn watch(&self, key: &SessionKey) -> Watch {
        self.watchers.watch(key)
    }
}

impl Intercept for Hinted {
    type Inner = Plain;

    fn inner(&self) -> &Plain {
        &self.inner
    }

    fn around_capabilities(&self) -> Capabilities<'_> {
        Capabilities::none().with_watch((self.how != How::Missing).then_some(self))
    }

    async fn around<T: OperationOutput>(&self, call: StorageCall<'_, T>) -> Result<T, StorageError> {
        let writes = matches!(call.operation(), Operation::Commit | Operation::Replace);
        let key = call.key().copied().filter(|_| writes);
        let result = call.run().await?;
        if let Some(key) = key {
            self.wake(&key).await;
        }
        Ok(result)
    }
}
