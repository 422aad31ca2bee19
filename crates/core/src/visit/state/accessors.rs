//! Access to the parts of a [`State`] that are allocated when they are first needed.

use std::task::Waker;

use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::payload::Payload;
use crate::storage::{Lock, Meta};
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

    /// The metadata of the session, as far as the visit knows; `None` if the session is nowhere stored.
    pub(crate) fn meta(&self) -> Option<&Meta> {
        self.data().meta.as_ref()
    }

    pub(in crate::visit) fn lock(&self) -> Option<&Lock> {
        self.data().lock.as_ref()
    }

    pub(in crate::visit) fn take_lock(&mut self) -> Option<Lock> {
        self.data.as_mut().and_then(|started| started.lock.take())
    }

    /// Takes the stamp of the record, in an update that writes without the lock.
    pub(in crate::visit) fn take_stamp(&mut self) -> Option<u64> {
        self.data.as_mut().and_then(|started| started.unlocked.take())
    }

    /// The moment for which the metadata says how long the session has been idle.
    pub(in crate::visit) fn loaded_at(&self) -> Timestamp {
        self.data().loaded_at
    }

    /// Takes in what the storage holds at this moment.
    pub(in crate::visit) fn learn(&mut self, meta: Meta, now: Timestamp) {
        let started = self.data_mut();
        started.meta = Some(meta);
        started.loaded_at = now;
    }

    /// The cold part, to be looked at.
    pub(in crate::visit) fn cold(&self) -> &ColdState {
        static NOTHING: ColdState = ColdState::NOTHING;
        self.cold.as_deref().unwrap_or(&NOTHING)
    }

    /// The cold part, to be changed.
    pub(in crate::visit) fn cold_mut(&mut self) -> &mut ColdState {
        self.cold.get_or_insert_with(|| Box::new(ColdState::NOTHING))
    }

    /// The id the session gets when it is closed.
    pub(crate) fn next_id(&self) -> Option<&SessionId> {
        self.cold().next_id.as_ref()
    }

    /// The visit has nothing more to do with a session that it has not followed.
    pub(in crate::visit) fn leave_nothing_behind(&mut self) {
        if let Some(cold) = &mut self.cold {
            cold.previous_key = None;
        }
    }

    pub(in crate::visit) fn take_renewal_waker(&mut self) -> Option<Waker> {
        self.cold.as_mut().and_then(|cold| cold.renewal_waker.take())
    }

    /// Takes back the id that the session was to get.
    pub(in crate::visit) fn keep_id(&mut self) {
        if let Some(cold) = &mut self.cold {
            cold.next_id = None;
        }
    }
}
