//! [`SessionData`]: a session as a visit has it once it has started.

use tokio::time::Instant;

use crate::clock::Timestamp;
use crate::payload::{AsOf, Payload, RecordError};
use crate::settings::Settings;
use crate::storage::{Lock, Meta, Record};
use crate::visit::sliding::Slide;

/// A session as a visit has it: metadata, payload and lock.
///
/// It is made when a record is taken in, or when there is something to be put into a session that is not stored yet. A
/// visit that leaves its session alone has none, and is small for it.
pub(in crate::visit) struct SessionData {
    /// `None` if the session is nowhere stored.
    pub(in crate::visit) meta: Option<Meta>,
    /// The moment for which `meta` says how long the session has been idle.
    pub(in crate::visit) loaded_at: Timestamp,
    pub(in crate::visit) payload: Payload,
    pub(in crate::visit) lock: Option<Lock>,
    /// The [stamp](crate::storage::Stored::stamp) of the record, in an update that writes without the lock.
    pub(in crate::visit) unlocked: Option<u64>,
    /// When the lock is to be renewed next.
    pub(in crate::visit) renew_at: Option<Instant>,
}

impl SessionData {
    /// Nothing, of no session.
    pub(in crate::visit) const EMPTY: Self = Self {
        meta: None,
        loaded_at: Timestamp::MIN,
        payload: Payload::EMPTY,
        lock: None,
        unlocked: None,
        renew_at: None,
    };

    /// Reads a record that was loaded at this moment.
    #[inline]
    pub(in crate::visit) fn read(record: Record, now: Timestamp) -> Result<Box<Self>, RecordError> {
        let payload = Payload::decode(record.payload)?;
        // NewRecord where it stays: what `Box::new` is given is made elsewhere, and moved.
        Ok(Box::write(
            Box::new_uninit(),
            Self {
                meta: Some(record.meta),
                loaded_at: now,
                payload,
                ..Self::EMPTY
            },
        ))
    }

    /// Whether the session is over by what it is set up to allow.
    pub(in crate::visit) fn is_over(&self, now: Timestamp, settings: &Settings) -> bool {
        let is_over = |meta| settings.is_over(&self.payload, meta, now);
        self.payload.is_over(now) || self.meta.as_ref().is_some_and(is_over)
    }

    /// Whether there is anything in it to be moved by a visit now.
    pub(in crate::visit) fn is_due(&self, now: Timestamp, settings: &Settings) -> bool {
        let due = |meta| Slide::due(&self.payload, meta, now, settings).is_some();
        self.meta.as_ref().is_some_and(due)
    }

    /// By what moments the payload are judged. What is not stored yet has known no activity but being set.
    pub(in crate::visit) fn as_of(&self, now: Timestamp) -> AsOf {
        let last_active = self.meta.as_ref().map_or(Timestamp::MIN, |meta| meta.last_active);
        AsOf { now, last_active }
    }
}
