//! Events of sessions.

use crate::error::SessionError;
use crate::id::SessionKey;
use crate::settings::Settings;
use crate::storage::Facts;

/// Why a session has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EndReason {
    /// The application has [destroyed](crate::Session::destroy) it in a visit.
    Asked,
    /// Its time was over.
    Expired,
    /// It was ended by its key or its owner, through the [registry](crate::Registry).
    Operator,
    /// The storage has dropped it before its time, such as for want of memory.
    Evicted,
    /// Its owner has logged in [once too often](crate::Limit).
    OverLimit,
}

impl Settings {
    /// Ends a session, whoever holds its lock. Returns whether it lived.
    pub(crate) async fn end(&self, key: &SessionKey, _facts: &Facts, _reason: EndReason) -> Result<bool, SessionError> {
        Ok(self.storage.destroy(key).await?.is_found())
    }
}
