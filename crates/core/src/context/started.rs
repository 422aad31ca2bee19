//! [`Started`]: a session as a visit has it once it has started.

use tokio::time::Instant;

use super::slide::Slide;
use super::state::State;
use crate::clock::Timestamp;
use crate::contents::{AsOf, Contents, RecordError};
use crate::session::Engine;
use crate::storage::{Lock, Meta, Record};

/// A session as a visit has it: metadata, contents and lock.
///
/// It is made when a record is taken in, or when there is something to be put into a session that is not stored yet. A
/// visit that leaves its session alone has none, and is small for it.
pub(super) struct Started {
    /// `None` if the session is nowhere stored.
    pub(super) meta: Option<Meta>,
    /// The moment for which `meta` says how long the session has been idle.
    pub(super) loaded_at: Timestamp,
    pub(super) contents: Contents,
    pub(super) lock: Option<Lock>,
    /// The [stamp](crate::storage::Stored::stamp) of the record, in an update that writes without the lock.
    pub(super) unlocked: Option<u64>,
    /// When the lock is to be renewed next.
    pub(super) renew_at: Option<Instant>,
}

impl Started {
    /// Nothing, of no session.
    const EMPTY: Self = Self {
        meta: None,
        loaded_at: Timestamp::MIN,
        contents: Contents::EMPTY,
        lock: None,
        unlocked: None,
        renew_at: None,
    };

    /// Reads a record that was loaded at this moment.
    #[inline]
    pub(super) fn read(record: Record, now: Timestamp) -> Result<Box<Self>, RecordError> {
        let contents = Contents::decode(record.payload)?;
        // Made where it stays: what `Box::new` is given is made elsewhere, and moved.
        Ok(Box::write(
            Box::new_uninit(),
            Self {
                meta: Some(record.meta),
                loaded_at: now,
                contents,
                ..Self::EMPTY
            },
        ))
    }

    /// Whether the session is over by what it is set up to allow.
    pub(super) fn is_over(&self, now: Timestamp, engine: &Engine) -> bool {
        let is_over = |meta| engine.is_over(&self.contents, meta, now);
        self.contents.is_over(now) || self.meta.as_ref().is_some_and(is_over)
    }

    /// Whether there is anything in it to be moved by a visit now.
    pub(super) fn is_due(&self, now: Timestamp, engine: &Engine) -> bool {
        let due = |meta| Slide::due(&self.contents, meta, now, engine).is_some();
        self.meta.as_ref().is_some_and(due)
    }

    /// By what moments the contents are judged. What is not stored yet has known no activity but being set.
    pub(super) fn as_of(&self, now: Timestamp) -> AsOf {
        let last_active = self.meta.as_ref().map_or(Timestamp::MIN, |meta| meta.last_active);
        AsOf { now, last_active }
    }
}

impl State {
    pub(super) fn started(&self) -> &Started {
        static EMPTY: Started = Started::EMPTY;
        self.started.as_deref().unwrap_or(&EMPTY)
    }

    pub(super) fn started_mut(&mut self) -> &mut Started {
        self.started.get_or_insert_with(|| Box::new(Started::EMPTY))
    }

    pub(crate) fn contents(&self) -> &Contents {
        &self.started().contents
    }

    pub(crate) fn contents_mut(&mut self) -> &mut Contents {
        &mut self.started_mut().contents
    }

    /// The metadata of the session, as far as the visit knows; `None` if the session is nowhere stored.
    pub(crate) fn meta(&self) -> Option<&Meta> {
        self.started().meta.as_ref()
    }

    pub(super) fn lock(&self) -> Option<&Lock> {
        self.started().lock.as_ref()
    }

    pub(super) fn take_lock(&mut self) -> Option<Lock> {
        self.started.as_mut().and_then(|started| started.lock.take())
    }

    /// Takes the stamp of the record, in an update that writes without the lock.
    pub(super) fn take_stamp(&mut self) -> Option<u64> {
        self.started.as_mut().and_then(|started| started.unlocked.take())
    }

    /// The moment for which the metadata says how long the session has been idle.
    pub(super) fn loaded_at(&self) -> Timestamp {
        self.started().loaded_at
    }

    /// Takes in what the storage holds at this moment.
    pub(super) fn learn(&mut self, meta: Meta, now: Timestamp) {
        let started = self.started_mut();
        started.meta = Some(meta);
        started.loaded_at = now;
    }
}
