//! What all visits of one session value share.

use std::any::TypeId;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::entropy::Entropy;
use crate::error::SessionError;
use crate::expiration::{Expiration, Lifetime};
use crate::session::{AutoStart, Unreadable};
use crate::storage::Storage;

/// The storage and the settings of a session.
pub(crate) struct Engine {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) entropy: Box<dyn Entropy>,
    pub(crate) auto_start: AutoStart,
    pub(super) default_expiration: Default,
    /// After how long without activity every session ends, whatever its own expiration says.
    pub(crate) max_idle: Option<Duration>,
    /// How long after it began, or somebody last authenticated, every session ends.
    pub(crate) max_lifetime: Option<Duration>,
    pub(crate) max_record_bytes: usize,
    pub(crate) touch_resolution: Duration,
    pub(crate) lock_wait: Duration,
    pub(crate) rotation_grace: Duration,
    pub(crate) unreadable: Unreadable,
    /// The namespaces and values that the session was declared with.
    pub(crate) declared: TypeId,
}

/// Where the expiration of a session that has none comes from.
pub(super) enum Default {
    Always(Expiration),
    MadeBy(Box<dyn Fn() -> Expiration + Send + Sync>),
}

impl Engine {
    /// What a session gets that begins at this moment. This runs code of the application, so no state is to be locked.
    pub(crate) fn default_lifetime(&self, now: Timestamp) -> Lifetime {
        let expiration = match &self.default_expiration {
            Default::Always(expiration) => *expiration,
            Default::MadeBy(make) => make(),
        };
        Lifetime::begin(expiration, now)
    }

    /// Whether a session may take this much. One that takes more already, as the limit was higher when it was written,
    /// may be changed as long as it does not grow.
    pub(crate) fn check_size(&self, size: usize, before: usize) -> Result<(), SessionError> {
        let limit = self.max_record_bytes;
        match size > limit.max(before) {
            true => Err(SessionError::TooLarge { size, limit }),
            false => Ok(()),
        }
    }
}

impl fmt::Debug for Default {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Always(expiration) => expiration.fmt(f),
            Self::MadeBy(_) => f.write_str("made when it is needed"),
        }
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("storage", &self.storage.name())
            .field("auto_start", &self.auto_start)
            .field("default_expiration", &self.default_expiration)
            .field("max_idle", &self.max_idle)
            .field("max_lifetime", &self.max_lifetime)
            .field("max_record_bytes", &self.max_record_bytes)
            .field("touch_resolution", &self.touch_resolution)
            .field("lock_wait", &self.lock_wait)
            .field("rotation_grace", &self.rotation_grace)
            .field("unreadable", &self.unreadable)
            .finish_non_exhaustive()
    }
}
