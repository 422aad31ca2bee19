//! What all visits of one session value share.

use std::any::TypeId;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::entropy::Entropy;
use crate::expiration::Expiration;
use crate::session::{AutoStart, Unreadable};
use crate::storage::Storage;

/// The storage and the settings of a session.
pub(crate) struct Engine {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) entropy: Box<dyn Entropy>,
    pub(crate) auto_start: AutoStart,
    pub(crate) default_expiration: Expiration,
    /// After how long without activity every session ends, whatever its own expiration says.
    pub(crate) max_idle: Option<Duration>,
    /// How long after it began, or somebody last authenticated, every session ends.
    pub(crate) max_lifetime: Option<Duration>,
    pub(crate) touch_resolution: Duration,
    pub(crate) lock_wait: Duration,
    pub(crate) rotation_grace: Duration,
    pub(crate) unreadable: Unreadable,
    /// The namespaces and values that the session was declared with.
    pub(crate) declared: TypeId,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("storage", &self.storage.name())
            .field("auto_start", &self.auto_start)
            .field("default_expiration", &self.default_expiration)
            .field("max_idle", &self.max_idle)
            .field("max_lifetime", &self.max_lifetime)
            .field("touch_resolution", &self.touch_resolution)
            .field("lock_wait", &self.lock_wait)
            .field("rotation_grace", &self.rotation_grace)
            .field("unreadable", &self.unreadable)
            .finish_non_exhaustive()
    }
}
