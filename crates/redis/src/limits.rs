//! The durations that may be set. One that makes no sense is refused when connecting; one that is longer than anybody
//! lives is as good as a century, which can be added to a moment and told to a server.

use std::time::Duration;

use redis::ErrorKind;

use crate::engine::Options;
use crate::error::Failure;
use crate::servers::CENTURY;

impl Options {
    /// The options as they can be used, if they can.
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
        self.tombstone = self.tombstone.min(CENTURY);
        Ok(self)
    }
}
