//! [`Entry`]: a record as a shard keeps it.

use std::num::NonZeroU64;

use bytes::Bytes;
use sessile_core::{Meta, Record, SessionKey, Stored, Timestamp};

use crate::payload::{Buffer, Copied, Payload};
use crate::queue::Queue;

/// The number of a lock, or of a turn in the queue for it, which becomes the number of the lock when the turn comes.
///
/// Numbers ascend within a shard, and none is given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(pub(crate) NonZeroU64);

/// A record, where it stands in the order of deadlines, and its lock.
///
/// There is one for each session, so its size is what a session costs. It takes up whole lines of the cache. What every
/// verb looks at comes first: the first line tells which session it is and who has its lock.
#[repr(C, align(64))]
pub(crate) struct Entry {
    pub(crate) key: SessionKey,
    /// The place among the [`Deadlines`](crate::deadlines::Deadlines); theirs to change.
    pub(crate) position: u32,
    /// Who holds the lock, or held it last if the lease is over.
    pub(crate) holder: Option<Ticket>,
    pub(crate) lease_until: Timestamp,
    /// Those who wait for the lock. While there are any, the lock has a holder; mostly there is nobody.
    pub(crate) queue: Option<Box<Queue>>,
    pub(crate) meta: Meta,
    pub(crate) payload: Payload,
}

const _: () = assert!(size_of::<Entry>() == 192);

/// A reader's part of an entry, with a [`Buffer`] that has the payload if it is short. It is taken under the mutex; the
/// record is made of it afterwards, as that allocates.
pub(crate) struct Snapshot {
    pub(crate) key: SessionKey,
    meta: Meta,
    payload: Copied,
}

impl Entry {
    /// An entry for a record that is given away, except for what [`Payload::keep`] leaves of it.
    pub(crate) fn new(key: SessionKey, record: &mut Record) -> Self {
        Self {
            key,
            position: crate::deadlines::NOWHERE,
            holder: None,
            lease_until: Timestamp::MIN,
            queue: None,
            meta: record.meta.clone(),
            payload: Payload::keep(&mut record.payload),
        }
    }

    /// Takes another record, as [`new`](Self::new) does. Returns what is to be dropped of the payload that it had.
    pub(crate) fn replace(&mut self, record: &mut Record) -> Option<Bytes> {
        self.meta = record.meta.clone();
        self.payload.replace(&mut record.payload)
    }

    #[inline]
    pub(crate) fn snapshot(&self, buffer: &mut Buffer) -> Snapshot {
        Snapshot {
            key: self.key,
            meta: self.meta.clone(),
            payload: self.payload.copy(buffer),
        }
    }

    /// The payload that was stored here.
    pub(crate) fn into_stored(self) -> Stored {
        Stored::new(self.key, Record::new(self.meta, self.payload.into_bytes()))
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

impl Snapshot {
    #[inline]
    pub(crate) fn into_record(self, buffer: &Buffer) -> Record {
        Record::new(self.meta, self.payload.into_bytes(buffer))
    }

    #[inline]
    pub(crate) fn into_stored(self, buffer: &Buffer) -> Stored {
        Stored::new(self.key, self.into_record(buffer))
    }
}
