//! The server's time, as well as this process can know it.

use std::sync::atomic::{AtomicI64, Ordering};

use sessile_core::{Clock, SystemClock, Timestamp};

/// The clock of this machine, corrected by how far the server's was from it when it last answered.
///
/// It lags behind the server by at most the way an answer takes.
#[derive(Debug, Default)]
pub(crate) struct ServerClock {
    /// How many milliseconds the server is ahead.
    offset: AtomicI64,
}

impl ServerClock {
    /// Takes note of an answer that has just arrived.
    pub(crate) fn learn(&self, server: Timestamp) {
        let ahead = signed(server) - signed(SystemClock.now());
        self.offset.store(ahead, Ordering::Relaxed);
    }
}

impl Clock for ServerClock {
    fn now(&self) -> Timestamp {
        let now = signed(SystemClock.now()) + self.offset.load(Ordering::Relaxed);
        Timestamp::from_millis(u64::try_from(now).unwrap_or(0))
    }
}

fn signed(time: Timestamp) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn it_follows_a_server_that_is_behind_or_ahead() {
        let clock = ServerClock::default();
        let hour = Duration::from_secs(3600);
        let now = SystemClock.now();
        clock.learn(now + hour);
        assert!(now + hour <= clock.now() && clock.now() < now + hour + hour);
        clock.learn(Timestamp::from_millis(now.as_millis() - 3_600_000));
        assert!(clock.now() < now);
    }
}
