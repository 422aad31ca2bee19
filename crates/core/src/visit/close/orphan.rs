//! [`OrphanGuard`]: removes a record whose creation the visit has not recorded.

use std::sync::Arc;

use crate::id::SessionKey;
use crate::settings::Settings;
use crate::storage::StorageError;

/// Removes a record that is being created, unless the visit learns of it: its id would be known to no client.
///
/// The removal is a single best-effort attempt in the background; a record that remains ends with its deadline.
pub(in crate::visit) struct OrphanGuard {
    settings: Option<Arc<Settings>>,
    key: SessionKey,
}

impl OrphanGuard {
    pub(in crate::visit) fn new(settings: &Arc<Settings>, key: SessionKey) -> Self {
        Self {
            settings: Some(Arc::clone(settings)),
            key,
        }
    }

    /// Handles the reply to the creation. After an ambiguous error the record may exist and is removed; after success
    /// the guard stays armed until the visit has recorded the result. After a definite error there is no record.
    pub(in crate::visit) fn handle_reply(mut self, reply: Result<(), StorageError>) -> Result<Self, StorageError> {
        match reply {
            Ok(()) => Ok(self),
            Err(error) => {
                if !error.is_ambiguous() {
                    self.settings = None;
                }
                Err(error)
            }
        }
    }

    /// Disarms the guard: the visit has recorded the result, or has removed the record.
    pub(in crate::visit) fn disarm(mut self) {
        self.settings = None;
    }
}

impl Drop for OrphanGuard {
    fn drop(&mut self) {
        let Some(settings) = self.settings.take() else { return };
        // A background task needs a runtime.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let key = self.key;
        runtime.spawn(async move {
            let _ = settings.storage.destroy(&key).await;
        });
    }
}
