//! [`Entry`]: a record and its lock, as a shard holds them.

use bytes::Bytes;
use sessile_core::{Meta, Record, SessionKey, Stored, Timestamp};

use crate::capacity::contents;
use crate::payload::{Buffer, Copied, Payload};
use crate::queue::{Queue, Ticket};

/// The `position` of an entry that has no deadline.
pub(crate) const NO_POSITION: u32 = u32::MAX;

/// A record, its position in the order of deadlines, and its lock.
///
/// There is one for each session, so its size decides what a session costs. It takes whole cache lines. The first line
/// holds what every operation reads: the key and the holder of the lock.
#[repr(C, align(64))]
pub(crate) struct Entry {
    pub(crate) key: SessionKey,
    /// The position of its node in the heap of deadlines, which alone changes it.
    pub(crate) position: u32,
    /// The holder of the lock, or its last holder if the lease is over.
    pub(crate) holder: Option<Ticket>,
    pub(crate) lease_until: Timestamp,
    /// The wait queue, mostly `None`. While it has waiters, the lock has a holder.
    pub(crate) queue: Option<Box<Queue>>,
    pub(crate) meta: Meta,
    pub(crate) payload: Payload,
}

const _: () = assert!(size_of::<Entry>() == 192);

/// A copy of an entry's record for a reader, together with a [`Buffer`] that holds the payload if it is short. It is
/// taken under the mutex; the record is made of it after the mutex is unlocked, as that allocates.
pub(crate) struct Snapshot {
    pub(crate) key: SessionKey,
    meta: Meta,
    payload: Copied,
}

impl Entry {
    /// Makes an entry of a record, and leaves in the record what [`Payload::store`] does not take.
    pub(crate) fn new(key: SessionKey, record: &mut Record) -> Self {
        Self {
            key,
            position: NO_POSITION,
            holder: None,
            lease_until: Timestamp::MIN,
            queue: None,
            meta: record.meta.clone(),
            payload: Payload::store(&mut record.payload),
        }
    }

    /// Returns the bytes of the payload and the facts, as they count towards a limit.
    #[inline]
    pub(crate) fn contents(&self) -> usize {
        contents(&self.meta.facts, self.payload.len())
    }

    /// Stores another record, as [`new`](Self::new) does. Returns the part of the old payload that the caller has to
    /// drop.
    ///
    /// Old facts are dropped here, under the mutex. They are bytes of their own, so that runs no foreign code.
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

    pub(crate) fn into_stored(self) -> Stored {
        Stored::new(self.key, Record::new(self.meta, self.payload.into_bytes()))
    }

    /// Returns whether this ticket holds the lock, and its lease is not over.
    pub(crate) fn is_held_by(&self, ticket: Ticket, now: Timestamp) -> bool {
        self.holder == Some(ticket) && now < self.lease_until
    }

    /// Frees the wait queue if it is empty.
    pub(crate) fn drop_empty_queue(&mut self) {
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
