//! [`Counters`]: detect mistakes that show in no single request, and report them to operators.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use crate::events;

/// The number of issued cookies, none of which was returned, that is reported.
const SUSPICIOUS: u32 = 20;

/// The counts of one carrier.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Values that were not authentic.
    forged: AtomicU64,
    /// Ids issued to clients that had none, until one is returned.
    issued: AtomicU32,
    has_returned: AtomicBool,
}

impl Counters {
    /// Counts a value that was made with no key of the ring. Clients can send any number of these, so the log grows
    /// with the logarithm of their number.
    pub(super) fn count_forged(&self, cookie: &str) {
        let count = self.forged.fetch_add(1, Ordering::Relaxed) + 1;
        if count.is_power_of_two() {
            events::forged_cookies(cookie, count);
        }
    }

    /// Notes that a client has returned an id.
    pub(super) fn count_returned(&self) {
        // Written once and only read from then on, so that the cache line stays shared between processors.
        if !self.has_returned.load(Ordering::Relaxed) {
            self.has_returned.store(true, Ordering::Relaxed);
        }
    }

    /// Counts an id issued to a client that had none.
    pub(super) fn count_issued(&self, cookie: &str) {
        if self.has_returned.load(Ordering::Relaxed) {
            return;
        }
        if self.issued.fetch_add(1, Ordering::Relaxed) + 1 == SUSPICIOUS {
            events::no_cookie_returned(cookie, SUSPICIOUS);
        }
    }
}
