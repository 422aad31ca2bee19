//! [`SessionData`]: the session as loaded by a visit.

use tokio::time::Instant;

use crate::clock::Timestamp;
use crate::payload::{AsOf, Payload, RecordError};
use crate::settings::Settings;
use crate::storage::{Lock, Meta, Record};
use crate::visit::sliding::Slide;

/// A session as loaded by a visit: metadata, payload and lock.
///
/// Allocated when a record is loaded, or when a session that is not stored gets its first data. A visit that does not
/// use its session has none, which keeps it small.
pub(in crate::visit) struct SessionData {
    /// `None` if the session is not stored.
    pub(in crate::visit) meta: Option<Meta>,
    /// The time of the metadata: how long the session has been idle is known for this time.
    pub(in crate::visit) loaded_at: Timestamp,
    pub(in crate::visit) payload: Payload,
    pub(in crate::visit) lock: Option<Lock>,
    /// The [stamp](crate::storage::Stored::stamp) of the record, in a transaction that writes without the lock.
    pub(in crate::visit) unlocked: Option<u64>,
    /// When the lock is due for renewal.
    pub(in crate::visit) renew_at: Option<Instant>,
}

impl SessionData {
    /// The data of no session.
    pub(in crate::visit) const EMPTY: Self = Self {
        meta: None,
        loaded_at: Timestamp::MIN,
        payload: Payload::EMPTY,
        lock: None,
        unlocked: None,
        renew_at: None,
    };

    /// Decodes a record that was loaded at this time.
    #[inline]
    pub(in crate::visit) fn decode(record: Record, now: Timestamp) -> Result<Box<Self>, RecordError> {
        let payload = Payload::decode(record.payload)?;
        // Constructed in its allocation: `Box::new` would construct the value on the stack and copy it.
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

    /// Returns whether the session has expired by its own lifetime or the limits of the settings.
    pub(in crate::visit) fn is_over(&self, now: Timestamp, settings: &Settings) -> bool {
        let is_over = |meta| settings.is_over(&self.payload, meta, now);
        self.payload.is_over(now) || self.meta.as_ref().is_some_and(is_over)
    }

    /// Returns whether anything in the session would be moved by a visit now.
    pub(in crate::visit) fn is_due(&self, now: Timestamp, settings: &Settings) -> bool {
        let due = |meta| Slide::due(&self.payload, meta, now, settings).is_some();
        self.meta.as_ref().is_some_and(due)
    }

    /// Returns the times by which the payload is judged. A session that was never stored has no last activity.
    pub(in crate::visit) fn as_of(&self, now: Timestamp) -> AsOf {
        let last_active = self.meta.as_ref().map_or(Timestamp::MIN, |meta| meta.last_active);
        AsOf { now, last_active }
    }
}
