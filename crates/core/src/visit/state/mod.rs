//! The state of a visit.

mod accessors;
mod cold;
mod data;

use std::fmt;
use std::time::Duration;

pub(in crate::visit) use self::cold::ColdState;
pub(in crate::visit) use self::data::SessionData;
use crate::clock::Timestamp;
use crate::error::SessionError;
use crate::id::SessionId;
use crate::id::SessionKey;
use crate::payload::AsOf;
use crate::settings::Settings;
use crate::storage::Lock;
use crate::visit::Visit;
use crate::visit::request::Flags;
use crate::visit::value_locks::ValueLocks;

/// How far a visit has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nothing has been asked of the storage.
    Unstarted,
    /// Started and readable; not locked.
    Readable,
    /// Started and locked, or started and not stored yet.
    Writable,
    /// Destroyed by this visit.
    Destroyed,
}

/// What a visit has learnt and changed.
pub(crate) struct State {
    pub(crate) phase: Phase,
    /// The id the client carries as far as this visit knows, and the key its record is stored under.
    pub(crate) id: Option<SessionId>,
    pub(crate) key: Option<SessionKey>,
    /// Which of the ids that the visit came with was found.
    pub(in crate::visit) candidate: Option<usize>,
    pub(crate) strict: bool,
    /// Whether a call has the [turn](super::turn).
    pub(in crate::visit) is_operating: bool,
    /// How the visit is made.
    pub(in crate::visit) flags: Flags,
    /// Whether all transient data is still to be removed, as the browser was restarted before this visit.
    pub(crate) restarted: bool,
    /// Whether the visit only looks: it then moves nothing that slides.
    pub(in crate::visit) passive: bool,
    /// Whether the record was found, or made, by this visit.
    pub(crate) seen: bool,
    /// The session as the visit has it, if it has anything of it.
    pub(in crate::visit) data: Option<Box<SessionData>>,
    /// Whether an update that writes without the lock has found that it takes it.
    pub(in crate::visit) conflicted: bool,
    /// Counts destroyed sessions, so that a call that was under way notices.
    pub(crate) epoch: u32,
    /// Counts the sessions that the visit has had, destroyed or not.
    pub(in crate::visit) session: u32,
    pub(crate) effects: Effects,
    /// Whether the lock belongs to an update, which outlives the visit if it runs elsewhere.
    pub(in crate::visit) updating: bool,
    /// Whether the session of the update that is under way was destroyed, and not by the update itself.
    pub(in crate::visit) cut_short: bool,
    /// Whether others have changed values under the lock of that update.
    pub(in crate::visit) shared: bool,
    /// What a close that is under way is doing.
    pub(in crate::visit) closing: Closing,
    /// Whether a close has failed and the changes it was to write were undone: nobody may take them for stored.
    pub(in crate::visit) undone: bool,
    /// Whether a refresh has found that the session is gone.
    pub(in crate::visit) lost: bool,
    /// By what moment the last close has decided what to write.
    pub(in crate::visit) planned_at: Timestamp,
    /// Counts how often the visit became writable, so that a change that was begun under one lock is not made under
    /// another.
    pub(in crate::visit) term: u64,
    /// The values that are being changed in place.
    pub(in crate::visit) value_locks: ValueLocks,
    /// The part that few visits need.
    pub(in crate::visit) cold: Option<Box<ColdState>>,
}

/// How far a close has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::visit) enum Closing {
    /// None is under way.
    No,
    /// One is, and the session keeps its id.
    Plain,
    /// One is, and gives the session an id that the client must be effects.
    Naming,
}

/// What the carrier of the id must be effects; see [`Outcome`](super::Outcome).
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Effects {
    pub(crate) read: bool,
    pub(crate) written: bool,
    /// This visit has ended the session that the client's id named.
    pub(crate) ended: bool,
    /// The session moved away under a parallel visit, which effects the client.
    pub(crate) superseded: bool,
    /// The same, but for a while the client's old id still leads to it.
    pub(crate) aliased: bool,
    /// The session got an id that the client does not know yet.
    pub(crate) new_id: bool,
    /// What the client is to know of the session's end has changed, or its memory of the id is to be renewed.
    pub(crate) renewed: bool,
    /// The outcome was given out.
    pub(crate) sealed: bool,
}

impl Effects {
    /// The session is gone: the client has no use for an id it was to be effects.
    pub(in crate::visit) fn gone(&mut self) {
        self.new_id = false;
        self.renewed = false;
    }
}

impl State {
    pub(in crate::visit) fn new(visit: Visit) -> Self {
        let cold = visit.extra.map(|extra| {
            Box::new(ColdState {
                candidates: extra.candidates,
                shown: extra.window,
                ..ColdState::NOTHING
            })
        });
        Self {
            phase: Phase::Unstarted,
            id: visit.id,
            key: None,
            candidate: None,
            strict: visit.flags.is(Flags::STRICT),
            is_operating: false,
            flags: visit.flags,
            restarted: visit.flags.is(Flags::RESTARTED),
            passive: visit.flags.is(Flags::PASSIVE),
            seen: false,
            data: None,
            conflicted: false,
            epoch: 0,
            session: 0,
            effects: Effects::default(),
            updating: false,
            cut_short: false,
            shared: false,
            closing: Closing::No,
            undone: false,
            lost: false,
            planned_at: Timestamp::MIN,
            term: 0,
            value_locks: ValueLocks::default(),
            cold,
        }
    }

    /// The key under which the session is to be found, worked out when it is first needed.
    pub(in crate::visit) fn lookup_key(&mut self) -> Option<SessionKey> {
        if self.key.is_none() {
            self.key = self.id.as_ref().map(SessionId::key);
        }
        self.key
    }

    /// Whether the session was started, and can be read.
    pub(in crate::visit) fn is_started(&self) -> bool {
        matches!(self.phase, Phase::Readable | Phase::Writable)
    }

    pub(crate) fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.take_stamp();
        if phase == Phase::Writable {
            self.conflicted = false;
            self.term += 1;
            self.undone = false;
        }
    }

    /// By what moments the payload are judged.
    pub(in crate::visit) fn as_of(&self, now: Timestamp) -> AsOf {
        self.data().as_of(now)
    }

    /// For how long the visit has gone on since it loaded the record.
    fn lasted(&self, now: Timestamp) -> Duration {
        let until = self.cold().ended_at.map_or(now, |ended_at| ended_at.min(now));
        self.loaded_at().until(until)
    }

    /// Whether the session that the visit has loaded is over by now.
    ///
    /// A visit that goes on is activity: its session does not idle out under it, all the less as others may have moved
    /// the end since. Fixed ends are exact.
    pub(in crate::visit) fn is_over(&self, settings: &Settings, now: Timestamp) -> bool {
        if self.lost || self.payload().is_over(now) {
            return true;
        }
        self.meta().is_some_and(|meta| {
            let slid = meta.deadline.map(|deadline| deadline + self.lasted(now));
            slid.is_some_and(|end| end <= now)
                || settings
                    .limit(self.payload(), meta.created_at)
                    .is_some_and(|end| end <= now)
        })
    }

    /// Puts the payload back to what the storage holds, and takes back a new id. What was read without error before
    /// is read without error again.
    pub(in crate::visit) fn revert(&mut self) {
        self.keep_id();
        if self.payload().changed {
            *self.payload_mut() = self.payload().reverted().unwrap_or_default();
            self.hide_transient();
        }
    }

    /// After a restart of the browser, transient data is dead even if it was not removed from the storage yet.
    pub(in crate::visit) fn hide_transient(&mut self) {
        let nothing_is_over = AsOf {
            now: Timestamp::MIN,
            last_active: Timestamp::MAX,
        };
        if !self.restarted {
            return;
        }
        let payload = self.payload_mut();
        if payload.purge(nothing_is_over, true).is_ok() {
            payload.leave_window(true);
            payload.changed = false;
        }
    }

    /// Leaves the writable phase without having written. The lock, if there is one, is the caller's.
    pub(in crate::visit) fn abandon(&mut self) -> Option<Lock> {
        if self.phase == Phase::Writable {
            self.phase = Phase::Readable;
            self.revert();
        }
        self.take_stamp();
        self.take_lock()
    }

    /// The same, without the word of those who have changed something: they are to learn that it was undone.
    pub(in crate::visit) fn abandon_uncommitted(&mut self) -> Option<Lock> {
        self.undone |= self.phase == Phase::Writable && self.is_changed();
        self.abandon()
    }

    /// Whether there is anything that a close would have to write.
    pub(in crate::visit) fn is_changed(&self) -> bool {
        self.payload().changed || self.next_id().is_some()
    }

    /// Forgets the session: the visit is as one that came without an id. Gives back what it had of the session, with the
    /// lock if it held one.
    #[must_use]
    pub(in crate::visit) fn forget(&mut self) -> Option<Box<SessionData>> {
        self.session += 1;
        self.id = None;
        self.key = None;
        if let Some(cold) = &mut self.cold {
            cold.next_id = None;
            cold.candidates = Vec::new();
        }
        self.seen = false;
        self.undone = false;
        self.lost = false;
        self.data.take()
    }

    /// Says why values cannot be changed now, if they cannot.
    pub(in crate::visit) fn must_be_writable(&self) -> Result<(), SessionError> {
        match self.phase {
            Phase::Writable => Ok(()),
            Phase::Readable => Err(SessionError::NotWritable),
            Phase::Unstarted | Phase::Destroyed => Err(SessionError::NotStarted),
        }
    }
}

/// What of a state is shown: no values and no id. It is taken out first, so that nothing is locked while it is written to
/// wherever.
pub(in crate::visit) struct Shown {
    phase: Phase,
    id: Option<SessionId>,
    locked: bool,
    changed: bool,
}

impl State {
    pub(in crate::visit) fn shown(&self) -> Shown {
        Shown {
            phase: self.phase,
            id: self.id.clone(),
            locked: self.lock().is_some(),
            changed: self.payload().changed,
        }
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("phase", &self.phase)
            .field("id", &self.id)
            .field("locked", &self.locked)
            .field("changed", &self.changed)
            .finish_non_exhaustive()
    }
}
