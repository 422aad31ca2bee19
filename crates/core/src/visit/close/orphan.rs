//! [`Orphan`]: a record that may have been made without anybody learning of it.

use std::sync::Arc;

use crate::id::SessionKey;
use crate::settings::Settings;
use crate::storage::{StorageError, StorageErrorKind};

/// A record that is being made. Unless its maker learns how that ended, it is removed again: its id is known to nobody.
///
/// This is done in the background and once, as well as can be: what is missed ends with its deadline.
pub(in crate::visit) struct Orphan {
    settings: Option<Arc<Settings>>,
    key: SessionKey,
}

impl Orphan {
    pub(in crate::visit) fn new(settings: &Arc<Settings>, key: SessionKey) -> Self {
        Self {
            settings: Some(Arc::clone(settings)),
            key,
        }
    }

    /// The storage has answered. After some answers nobody knows whether the record is there; if it is known to be, it
    /// stays an orphan until the visit has taken note of it.
    pub(in crate::visit) fn settle(mut self, answer: Result<(), StorageError>) -> Result<Self, StorageError> {
        use StorageErrorKind::{Other, Timeout, Unavailable};
        match answer {
            Ok(()) => Ok(self),
            Err(error) => {
                if !matches!(error.kind(), Unavailable | Timeout | Other) {
                    self.settings = None;
                }
                Err(error)
            }
        }
    }

    /// The visit has taken note of the record, or has removed it.
    pub(in crate::visit) fn adopt(mut self) {
        self.settings = None;
    }
}

impl Drop for Orphan {
    fn drop(&mut self) {
        let Some(settings) = self.settings.take() else { return };
        // Without a runtime there is nothing to run it in the background.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let key = self.key;
        runtime.spawn(async move {
            let _ = settings.storage.destroy(&key).await;
        });
    }
}
