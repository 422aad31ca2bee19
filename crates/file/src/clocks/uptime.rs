//! [`Uptime`]: the clock by which leases are judged.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use sessile_core::{Clock, Timestamp};

/// The monotonic clock of the machine.
///
/// It is the same for all processes and cannot be set. Setting the wall clock therefore neither ends a lock nor
/// lengthens one. It restarts with the machine, and no lock holder survives that.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Uptime;

impl Clock for Uptime {
    fn now(&self) -> Timestamp {
        Timestamp::MIN + Duration::try_from(clock_gettime(ClockId::Monotonic)).unwrap_or_default()
    }
}
