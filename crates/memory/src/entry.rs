//! [`Entry`]: a record as a shard keeps it.

use std::num::NonZeroU64;

use sessile_core::{Record, SessionKey, Timestamp};

use crate::queue::Queue;

/// The number of a lock, or of a turn in the queue for it, which becomes the number of the lock when the turn comes.
///
/// Numbers ascend within a shard, and none is given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(pub(crate) NonZeroU64);

/// A record, where it stands in the order of deadlines, and its lock.
///
/// There is one for each session, so its size is what a session costs.
pub(crate) struct Entry {
    pub(crate) key: SessionKey,
    /// The place among the [`Deadlines`](crate::deadlines::Deadlines); theirs to change.
    pub(crate) position: u32,
    pub(crate) record: Record,
    /// Who holds the lock, or held it last if the lease is over.
    pub(crate) holder: Option<Ticket>,
    pub(crate) lease_until: Timestamp,
    /// Those who wait for the lock. While there are any, the lock has a holder; mostly there is nobody.
    pub(crate) queue: Option<Box<Queue>>,
}

const _: () = assert!(size_of::<Entry>() <= 136);

impl Entry {
    pub(crate) fn new(key: SessionKey, record: Record) -> Self {
        Self {
            key,
            position: crate::deadlines::NOWHERE,
            record,
            holder: None,
            lease_until: Timestamp::MIN,
            queue: None,
        }
    }

    /// Whether the lock is held by this ticket, and its lease is not over.
    pub(crate) fn is_held_by(&self, ticket: Ticket, now: Timestamp) -> bool {
        self.holder == Some(ticket) && now < self.lease_until
    }

    /// Frees what is not needed any more.
    pub(crate) fn tidy(&mut self) {
        if self.queue.as_ref().is_some_and(|queue| queue.is_empty()) {
            self.queue = None;
        }
    }
}
