//! Access to the lazily allocated parts of a [`State`].

use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::payload::Payload;
use crate::storage::{Facts, Lock, Meta};
use crate::visit::state::{ColdState, SessionData, State};

impl State {
    pub(in crate::visit) fn data(&self) -> &SessionData {
        static EMPTY: SessionData = SessionData::EMPTY;
        self.data.as_deref().unwrap_or(&EMPTY)
    }

    pub(in crate::visit) fn data_mut(&mut self) -> &mut SessionData {
        self.data.get_or_insert_with(|| Box::new(SessionData::EMPTY))
    }

    pub(crate) fn payload(&self) -> &Payload {
        &self.data().payload
    }

    pub(crate) fn payload_mut(&mut self) -> &mut Payload {
        &mut self.data_mut().payload
    }

    /// Returns the metadata of the session as this visit knows it; `None` if the session is not stored.
    pub(crate) fn meta(&self) -> Option<&Meta> {
        self.data().meta.as_ref()
    }

    pub(in crate::visit) fn lock(&self) -> Option<&Lock> {
        self.data().lock.as_ref()
    }

    pub(in crate::visit) fn take_lock(&mut self) -> Option<Lock> {
        self.data.as_mut().and_then(|data| data.lock.take())
    }

    /// Takes the stamp of the record, in a transaction that writes without the lock.
    pub(in crate::visit) fn take_stamp(&mut self) -> Option<u64> {
        self.data.as_mut().and_then(|data| data.unlocked.take())
    }

    /// Records the metadata that the storage holds at this time.
    pub(in crate::visit) fn update_meta(&mut self, meta: Meta, now: Timestamp) {
        let data = self.data_mut();
        data.meta = Some(meta);
        data.loaded_at = now;
    }

    /// Returns the cold part for reading.
    pub(in crate::visit) fn cold(&self) -> &ColdState {
        static NOTHING: ColdState = ColdState::NOTHING;
        self.cold.as_deref().unwrap_or(&NOTHING)
    }

    /// Returns the cold part for writing; allocates it first if necessary.
    pub(in crate::visit) fn cold_mut(&mut self) -> &mut ColdState {
        self.cold.get_or_insert_with(|| Box::new(ColdState::NOTHING))
    }

    /// Returns the id that the session gets when it is closed.
    pub(crate) fn next_id(&self) -> Option<&SessionId> {
        self.cold().next_id.as_ref()
    }

    /// Discards the id that the session was to get, with the facts that change with it.
    pub(in crate::visit) fn discard_next_id(&mut self) {
        if let Some(cold) = &mut self.cold {
            cold.next_id = None;
            cold.next_facts = None;
        }
    }

    /// Returns the facts about the session, as they are once it is closed.
    pub(crate) fn facts(&self) -> &Facts {
        static NONE: Facts = Facts::NONE;
        let stored = self.meta().map_or(&NONE, |meta| &meta.facts);
        self.cold().next_facts.as_ref().unwrap_or(stored)
    }
}
