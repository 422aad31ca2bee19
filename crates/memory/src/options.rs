//! [`Options`]: the settings of a storage.

use std::sync::Arc;
use std::time::Duration;

use sessile_core::{Clock, Watchers};

use crate::alarm::Alarm;
use crate::capacity::Capacity;

/// The settings that all shards of a storage share, with the counters of its limits and the alarm of its sweeper.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) lease: Duration,
    pub(crate) max_waiters: usize,
    pub(crate) tombstone_ttl: Duration,
    pub(crate) capacity: Capacity,
    pub(crate) alarm: Alarm,
    pub(crate) watchers: Watchers,
}
