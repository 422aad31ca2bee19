//! [`Settings`]: the storage and the options that all visits of one [`Session`](crate::Session) share.

use std::any::TypeId;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::entropy::Entropy;
use crate::error::SessionError;
use crate::events::Hub;
use crate::expiration::{Expiration, Lifetime};
use crate::limit::Limit;
use crate::storage::{ImmediateStorage, Storage};
use crate::wait_graph::WaitGraph;

/// Decides how a visit starts its session before the application asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum AutoStart {
    /// Starts the session when the application asks for it; a visit that never uses its session costs nothing.
    #[default]
    No,
    /// Starts it like [`start_readonly`](crate::Session::start_readonly).
    ReadOnly,
    /// Starts it like [`start`](crate::Session::start).
    Exclusive,
}

/// Decides what happens to a record that cannot be decoded.
///
/// Such a record is corrupt, or was written by a newer version of sessile in a format that this version does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum UnreadablePolicy {
    /// Starting fails with [`Unreadable`](crate::SessionError::Unreadable), and the record stays as it is.
    #[default]
    Fail,
    /// The record is destroyed, and the visit continues as if there had been none.
    Drop,
}

/// The storage and the options of a session.
pub(crate) struct Settings {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) entropy: Box<dyn Entropy>,
    pub(crate) auto_start: AutoStart,
    pub(crate) default_expiration: DefaultExpiration,
    /// Ends every session after this time without activity, regardless of its own expiration.
    pub(crate) max_idle: Option<Duration>,
    /// Ends every session this long after its creation or the last authentication, regardless of its own expiration.
    pub(crate) max_lifetime: Option<Duration>,
    pub(crate) max_record_bytes: usize,
    pub(crate) touch_resolution: Duration,
    pub(crate) resolution: Resolution,
    pub(crate) lock_wait: Duration,
    pub(crate) rotation_grace: Duration,
    pub(crate) unreadable: UnreadablePolicy,
    /// The maximum number of sessions of one owner.
    pub(crate) limit: Option<Limit>,
    /// `true` if all sessions can be ended at once.
    pub(crate) epochs: bool,
    /// Hands out events, if the application has asked for any.
    pub(crate) hub: Option<Hub>,
    /// `true` if ends are reported at least once.
    pub(crate) watches: bool,
    /// The time within which this process reports an end, if ends are reported at least once.
    pub(crate) report_within: Duration,
    /// The types of the namespaces and values with which the session was declared.
    pub(crate) declared: TypeId,
    /// The tasks that wait for a session while they hold another. Allocates nothing until there is one.
    pub(crate) wait_graph: WaitGraph,
}

/// The source of the expiration of a session that has none.
pub(crate) enum DefaultExpiration {
    Fixed(Expiration),
    Computed(Box<dyn Fn() -> Expiration + Send + Sync>),
}

/// The minimum change of the last activity, in milliseconds, that justifies a write. Computed once from
/// [`touch_resolution`](Settings::touch_resolution) and [`max_idle`](Settings::max_idle).
#[derive(Clone, Copy, Default)]
pub(crate) struct Resolution {
    /// The resolution of everything that has a sliding window, capped at a tenth of that window.
    pub(crate) touch: u64,
    /// The resolution of the idle limit of all sessions, if there is one.
    pub(crate) idle: Option<u64>,
}

impl Resolution {
    pub(crate) fn new(touch: Duration, max_idle: Option<Duration>) -> Self {
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self {
            touch: millis(touch),
            // The resolution grows with the limit: a limit of a year needs no precision of a minute.
            idle: max_idle.map(|idle| millis(touch.max(idle / 400).min(idle / 10))),
        }
    }
}

impl Settings {
    /// Returns the operations of the storage that never wait, unless a session has to be looked up together with the
    /// epoch.
    #[inline]
    pub(crate) fn immediate(&self) -> Option<&dyn ImmediateStorage> {
        if self.epochs { None } else { self.storage.immediate() }
    }

    /// Returns the lifetime of a session that begins at `now`. Runs code of the application, so no state may be locked.
    pub(crate) fn default_lifetime(&self, now: Timestamp) -> Lifetime {
        let expiration = match &self.default_expiration {
            DefaultExpiration::Fixed(expiration) => *expiration,
            DefaultExpiration::Computed(make) => make(),
        };
        Lifetime::begin(expiration, now)
    }

    /// Checks the size of a record against the limit. A record that exceeds the limit already, because the limit was
    /// higher when it was written, may be changed as long as it does not grow.
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
            Self::Fixed(expiration) => expiration.fmt(f),
            Self::Computed(_) => f.write_str("computed per session"),
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
            .field("limit", &self.limit)
            .field("epochs", &self.epochs)
            .finish_non_exhaustive()
    }
}
