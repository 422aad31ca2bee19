//! What a carrier counts so that an operator learns of a mistake that no single request shows.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use crate::events;

/// After how many cookies of which none has come back somebody should be told.
const SUSPICIOUS: u32 = 20;

/// Counts of one carrier.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// How many values were not genuine.
    refused: AtomicU64,
    /// How many ids were given out to clients that had none; of interest until one comes back.
    given_out: AtomicU32,
    has_come_back: AtomicBool,
}

impl Tally {
    /// A value was neither signed nor encrypted with a key of the ring. Anybody can send such values, so the log grows
    /// with the logarithm of their number.
    pub(crate) fn refused(&self, cookie: &str) {
        let count = self.refused.fetch_add(1, Ordering::Relaxed) + 1;
        if count.is_power_of_two() {
            events::not_genuine(cookie, count);
        }
    }

    /// An id came back.
    pub(crate) fn came_back(&self) {
        // Written once, and then only read, so that processors need not pass it around.
        if !self.has_come_back.load(Ordering::Relaxed) {
            self.has_come_back.store(true, Ordering::Relaxed);
        }
    }

    /// An id is given to a client that had none.
    pub(crate) fn given_out(&self, cookie: &str) {
        if self.has_come_back.load(Ordering::Relaxed) {
            return;
        }
        if self.given_out.fetch_add(1, Ordering::Relaxed) + 1 == SUSPICIOUS {
            events::none_came_back(cookie, SUSPICIOUS);
        }
    }
}
