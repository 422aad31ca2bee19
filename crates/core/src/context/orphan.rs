//! [`Orphan`]: a record that may have been made without anybody learning of it.

use std::sync::Arc;

use crate::session::Engine;
use crate::session_key::SessionKey;
use crate::storage::{StorageError, StorageErrorKind};

/// A record that is being made. Unless its maker learns how that ended, it is removed again: its id is known to nobody.
///
/// This is done in the background and once, as well as can be: what is missed ends with its deadline.
pub(super) struct Orphan {
    engine: Option<Arc<Engine>>,
    key: SessionKey,
}

impl Orphan {
    pub(super) fn new(engine: &Arc<Engine>, key: SessionKey) -> Self {
        Self {
            engine: Some(Arc::clone(engine)),
            key,
        }
    }

    /// The storage has answered. After some answers nobody knows whether the record is there; if it is known to be, it
    /// stays an orphan until the visit has taken note of it.
    pub(super) fn settle(mut self, answer: Result<(), StorageError>) -> Result<Self, StorageError> {
        use StorageErrorKind::{Other, Timeout, Unavailable};
        match answer {
            Ok(()) => Ok(self),
            Err(error) => {
                if !matches!(error.kind(), Unavailable | Timeout | Other) {
                    self.engine = None;
                }
                Err(error)
            }
        }
    }

    /// The visit has taken note of the record, or has removed it.
    pub(super) fn adopt(mut self) {
        self.engine = None;
    }
}

impl Drop for Orphan {
    fn drop(&mut self) {
        let Some(engine) = self.engine.take() else { return };
        // Without a runtime there is nothing to run it in the background.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let key = self.key;
        runtime.spawn(async move {
            let _ = engine.storage.destroy(&key).await;
        });
    }
}
