//! [`Settings`]: the storage and the settings that all visits of one session value share.

use std::any::TypeId;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::entropy::Entropy;
use crate::error::SessionError;
use crate::expiration::{Expiration, Lifetime};
use crate::storage::Storage;

/// Whether a visit starts its session by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum AutoStart {
    /// Not before it is asked to: what never uses its session then costs nothing.
    #[default]
    No,
    /// As by [`start_readonly`](crate::Session::start_readonly).
    ReadOnly,
    /// As by [`start`](crate::Session::start).
    Exclusive,
}

/// What to do about a record that cannot be read.
///
/// It may be damaged, or written by a later version of the application that this one knows nothing of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Unreadable {
    /// Starting fails with [`Unreadable`](crate::SessionError::Unreadable), and the record stays as it is.
    #[default]
    Fail,
    /// The record is destroyed, and the visit goes on as if there had been none.
    Drop,
}

/// The storage and the settings of a session.
pub(crate) struct Settings {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) entropy: Box<dyn Entropy>,
    pub(crate) auto_start: AutoStart,
    pub(crate) default_expiration: DefaultExpiration,
    /// After how long without activity every session ends, whatever its own expiration says.
    pub(crate) max_idle: Option<Duration>,
    /// How long after it began, or somebody last authenticated, every session ends.
    pub(crate) max_lifetime: Option<Duration>,
    pub(crate) max_record_bytes: usize,
    pub(crate) touch_resolution: Duration,
    pub(crate) resolution: Resolution,
    pub(crate) lock_wait: Duration,
    pub(crate) rotation_grace: Duration,
    pub(crate) unreadable: Unreadable,
    /// The namespaces and values that the session was declared with.
    pub(crate) declared: TypeId,
}

/// Where the expiration of a session that has none comes from.
pub(crate) enum DefaultExpiration {
    Always(Expiration),
    MadeBy(Box<dyn Fn() -> Expiration + Send + Sync>),
}

/// By how much the last activity has to move to be worth a write, in milliseconds, as that of sessions is: worked out once
/// from [`touch_resolution`](Settings::touch_resolution) and [`max_idle`](Settings::max_idle).
#[derive(Clone, Copy, Default)]
pub(crate) struct Resolution {
    /// The resolution of everything with a window of its own, unless a tenth of that is less.
    pub(crate) touch: u64,
    /// The resolution of the idle limit of all sessions, if there is one.
    pub(crate) idle: Option<u64>,
}

impl Resolution {
    pub(crate) fn of(touch: Duration, max_idle: Option<Duration>) -> Self {
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self {
            touch: millis(touch),
            // Nobody counts the minutes of a limit of a year.
            idle: max_idle.map(|idle| millis(touch.max(idle / 400).min(idle / 10))),
        }
    }
}

impl Settings {
    /// What a session gets that begins at this moment. This runs code of the application, so no state is to be locked.
    pub(crate) fn default_lifetime(&self, now: Timestamp) -> Lifetime {
        let expiration = match &self.default_expiration {
            DefaultExpiration::Always(expiration) => *expiration,
            DefaultExpiration::MadeBy(make) => make(),
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

impl fmt::Debug for DefaultExpiration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Always(expiration) => expiration.fmt(f),
            Self::MadeBy(_) => f.write_str("made when it is needed"),
        }
    }
}

impl fmt::Debug for Settings {
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
