//! [`Uptime`]: the clock that leases are judged by.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use sessile_core::{Clock, Timestamp};

/// How long the machine has been up. It is the same for all processes, and nobody can set it: when the clock of the
/// machine is set, no lock is lost and none is held for longer.
///
/// It begins anew when the machine does, but then no holder is left either.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Uptime;

impl Clock for Uptime {
    fn now(&self) -> Timestamp {
        Timestamp::MIN + Duration::try_from(clock_gettime(ClockId::Monotonic)).unwrap_or_default()
    }
}
