//! [`Options`]: the settings of a client apart from those of the servers.

use std::time::Duration;

use redis::ErrorKind;
use sessile_core::{DEFAULT_LEASE, DEFAULT_MAX_WAITERS};

use crate::durability::Durability;
use crate::error::Failure;

/// The longest duration. Longer ones are shortened to it, so that they can be added to a moment and sent to a server.
pub(crate) const CENTURY: Duration = Duration::from_secs(100 * 365 * 86_400);

/// The settings of a client apart from those of the servers.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) lease: Duration,
    pub(crate) max_waiters: usize,
    pub(crate) tombstone_ttl: Duration,
    pub(crate) poll: Duration,
    pub(crate) durability: Option<Durability>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            lease: DEFAULT_LEASE,
            max_waiters: DEFAULT_MAX_WAITERS,
            tombstone_ttl: Duration::from_secs(60),
            poll: Duration::from_secs(1),
            durability: None,
        }
    }
}

impl Options {
    /// Refuses durations that cannot work, and limits the others to [`CENTURY`].
    pub(crate) fn checked(mut self) -> Result<Self, Failure> {
        let mut at_least_something = vec![
            (&mut self.lease, "a lease of zero is over before it begins"),
            (&mut self.poll, "a poll of zero would never pause"),
        ];
        if let Some(durability) = &mut self.durability {
            let what = "a time of zero for replicas lets every durable write fall short";
            at_least_something.push((&mut durability.timeout, what));
        }
        for (duration, what) in at_least_something {
            // Servers count in milliseconds.
            if *duration < Duration::from_millis(1) {
                return Err(Failure::Setup((ErrorKind::InvalidClientConfig, what).into()));
            }
            *duration = CENTURY.min(*duration);
        }
        self.tombstone_ttl = self.tombstone_ttl.min(CENTURY);
        Ok(self)
    }
}
