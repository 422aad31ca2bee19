//! [`FolderOptions`]: the settings that a folder is opened with.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use sessile_core::{Clock, DEFAULT_LEASE, Entropy, OsEntropy, StorageError, StorageErrorKind, SystemClock, TokioClock};

use crate::clocks::Uptime;
use crate::durability::Durability;
use crate::folder::disk::Disk;

/// The shortest lease that can be renewed in time.
const MIN_LEASE: Duration = Duration::from_millis(10);

/// Clamps a duration to a century, so that it can be added to any time.
pub(crate) fn at_most_a_century(duration: Duration) -> Duration {
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
    duration.min(CENTURY)
}

/// The settings that a folder is opened with.
#[derive(Clone)]
pub(crate) struct FolderOptions {
    pub(crate) disk: Disk,
    pub(crate) durability: Durability,
    /// Judges deadlines.
    pub(crate) clock: Arc<dyn Clock>,
    /// Judges leases.
    pub(crate) steady: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) lease: Duration,
    /// Set with a tokio clock, whose time may be paused. That takes effect on the blocking threads of the runtime
    /// alone.
    pub(crate) paused: bool,
}

impl Default for FolderOptions {
    fn default() -> Self {
        Self {
            disk: Disk::default(),
            durability: Durability::default(),
            clock: Arc::new(SystemClock),
            steady: Arc::new(Uptime),
            entropy: Arc::new(OsEntropy),
            lease: DEFAULT_LEASE,
            paused: false,
        }
    }
}

impl FolderOptions {
    /// Sets one clock for deadlines and leases.
    pub(crate) fn set_clock(&mut self, clock: impl Clock) {
        self.paused = (&clock as &dyn Any).is::<TokioClock>();
        self.clock = Arc::new(clock);
        self.steady = self.clock.clone();
    }

    /// Rejects a lease that is too short, and rounds the lease down to whole milliseconds.
    pub(crate) fn validated(mut self, storage: &'static str) -> Result<Self, StorageError> {
        if self.lease < MIN_LEASE {
            let reason = format!("a lease of {:?} is too short: {MIN_LEASE:?} at least", self.lease);
            return Err(StorageError::new(StorageErrorKind::Unsupported, "open", storage).with_source(reason));
        }
        let millis = at_most_a_century(self.lease).as_millis();
        self.lease = Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX));
        Ok(self)
    }
}
