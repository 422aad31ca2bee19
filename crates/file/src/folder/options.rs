//! The settings that a folder is opened with.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use sessile_core::{Clock, DEFAULT_LEASE, Entropy, OsEntropy, StorageError, StorageErrorKind, SystemClock, TokioClock};

use crate::clocks::Uptime;
use crate::durability::Durability;
use crate::folder::disk::Disk;

/// A shorter lease could not be renewed in time.
const SHORTEST_LEASE: Duration = Duration::from_millis(10);

/// A duration as long as anybody needs, with which any clock can still reckon.
pub(crate) fn at_most_a_century(duration: Duration) -> Duration {
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
    duration.min(CENTURY)
}

/// The settings that a folder is opened with.
#[derive(Clone)]
pub(crate) struct Setting {
    pub(crate) disk: Disk,
    pub(crate) durability: Durability,
    /// Judges deadlines.
    pub(crate) clock: Arc<dyn Clock>,
    /// Judges leases.
    pub(crate) steady: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) lease: Duration,
    /// Whether time may be paused, which stands still for the blocking threads of the runtime alone.
    pub(crate) paused: bool,
}

impl Default for Setting {
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

impl Setting {
    /// One clock for everything.
    pub(crate) fn set_clock(&mut self, clock: impl Clock) {
        self.paused = (&clock as &dyn Any).is::<TokioClock>();
        self.clock = Arc::new(clock);
        self.steady = self.clock.clone();
    }

    /// Refuses what cannot work.
    pub(crate) fn checked(mut self, storage: &'static str) -> Result<Self, StorageError> {
        if self.lease < SHORTEST_LEASE {
            let why = format!("a lease of {:?} is too short: {SHORTEST_LEASE:?} at least", self.lease);
            return Err(StorageError::new(StorageErrorKind::Unsupported, "open", storage).with_source(why));
        }
        let millis = at_most_a_century(self.lease).as_millis();
        self.lease = Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX));
        Ok(self)
    }
}
