//! [`Clocks`]: the clock for deadlines, the clock for leases, and the check of the one against the other.

mod uptime;
mod watch;

use std::sync::{Arc, Mutex, PoisonError};

use sessile_core::{Clock, Timestamp};

pub(crate) use self::uptime::Uptime;
use self::watch::ClockWatch;

/// The clocks of an open folder.
pub(crate) struct Clocks {
    /// Judges deadlines.
    pub(crate) wall: Arc<dyn Clock>,
    /// Judges leases.
    steady: Arc<dyn Clock>,
    watch: Mutex<ClockWatch>,
}

impl Clocks {
    pub(crate) fn new(wall: Arc<dyn Clock>, steady: Arc<dyn Clock>) -> Self {
        let watch = Mutex::new(ClockWatch::new(wall.now(), steady.now()));
        Self { wall, steady, watch }
    }

    /// Returns the present time by which deadlines are judged.
    pub(crate) fn now(&self) -> Timestamp {
        self.wall.now()
    }

    /// Returns the present time by which leases are judged.
    pub(crate) fn steady_now(&self) -> Timestamp {
        self.steady.now()
    }

    /// Returns the time by which a session must have expired to be swept.
    ///
    /// It lags behind [`now`](Self::now) after the wall clock has been set forward.
    pub(crate) fn sweep_cutoff(&self) -> Timestamp {
        let mut watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        watch.cutoff(self.now(), self.steady_now())
    }
}
