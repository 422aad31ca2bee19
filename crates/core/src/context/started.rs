//! [`Started`]: what a visit has of its session once it has started.

use tokio::time::Instant;

use super::state::State;
use crate::clock::Timestamp;
use crate::contents::Contents;
use crate::storage::{Lock, Meta};

/// What a visit has of its session once it has started.
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

    /// A record that was loaded at this moment.
    #[inline]
    pub(super) fn of(meta: Meta, contents: Contents, lock: Option<Lock>, at: Timestamp) -> Box<Self> {
        Box::new(Self {
            meta: Some(meta),
            loaded_at: at,
            contents,
            lock,
            unlocked: None,
            renew_at: None,
        })
    }
}

impl State {
    fn started(&self) -> &Started {
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
