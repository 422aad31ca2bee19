//! The state of a visit.

mod accessors;
mod cold;
mod data;
mod snapshot;

use std::time::Duration;

pub(in crate::visit) use self::cold::ColdState;
pub(in crate::visit) use self::data::SessionData;
use crate::clock::Timestamp;
use crate::error::SessionError;
use crate::id::{SessionId, SessionKey};
use crate::payload::{AsOf, Payload};
use crate::settings::Settings;
use crate::storage::Lock;
use crate::visit::Visit;
use crate::visit::request::Flags;
use crate::visit::sliding::Activity;
use crate::visit::value_locks::ValueLocks;

/// The lifecycle of a visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The session was not started.
    Unstarted,
    /// The session was started and can be read; it is not locked.
    Readable,
    /// The session was started and is locked, read by a transaction without the lock, or not stored yet.
    Writable,
    /// This visit has destroyed the session.
    Destroyed,
}

impl Phase {
    /// Returns the phase that a start leads to: the visit becomes writable if the start has the lock, or needs none.
    pub(in crate::visit) fn of_start(is_writable: bool) -> Self {
        if is_writable { Self::Writable } else { Self::Readable }
    }
}

/// The state of a visit: the loaded data and all changes.
pub(crate) struct State {
    pub(crate) phase: Phase,
    /// The id of the client as this visit knows it, and the key of its record.
    pub(crate) id: Option<SessionId>,
    pub(crate) key: Option<SessionKey>,
    /// The index of the visit's id that names the session.
    pub(in crate::visit) candidate: Option<usize>,
    pub(crate) strict: bool,
    /// `true` if an operation is running, see [`operation`](super::operation).
    pub(in crate::visit) is_operating: bool,
    /// The flags with which the visit was made.
    pub(in crate::visit) flags: Flags,
    /// `true` if transient data has to be removed, because the browser was restarted before this visit.
    pub(crate) restarted: bool,
    /// Whether the visit counts as activity, which moves sliding expirations.
    pub(in crate::visit) activity: Activity,
    /// `true` if this visit has found or created the record.
    pub(crate) seen: bool,
    /// The session as loaded; `None` if nothing was loaded or set.
    pub(in crate::visit) data: Option<Box<SessionData>>,
    /// `true` if a transaction without the lock has conflicted.
    pub(in crate::visit) conflicted: bool,
    /// The number of sessions destroyed by this visit, by which concurrent calls notice that theirs is gone.
    pub(crate) epoch: u32,
    /// The number of sessions that the visit has left, destroyed or not.
    pub(in crate::visit) session: u32,
    pub(crate) effects: Effects,
    /// `true` if the lock belongs to a transaction, which outlives the visit if it runs in another task.
    pub(in crate::visit) in_transaction: bool,
    /// `true` if the session was destroyed during the running transaction, but not by the transaction itself.
    pub(in crate::visit) destroyed_elsewhere: bool,
    /// `true` if other tasks have changed values under the lock of the running transaction.
    pub(in crate::visit) changed_by_others: bool,
    /// The progress of a running close.
    pub(in crate::visit) closing: Closing,
    /// `true` if a close has failed and its changes were undone, so that they must not be taken for stored.
    pub(in crate::visit) undone: bool,
    /// `true` if a refresh has found that the session is gone.
    pub(in crate::visit) lost: bool,
    /// The time by which the last close was planned.
    pub(in crate::visit) planned_at: Timestamp,
    /// The number of times that the visit became writable, so that a change that began under one lock is not made under
    /// another.
    pub(in crate::visit) term: u64,
    /// The values that are being changed in place.
    pub(in crate::visit) value_locks: ValueLocks,
    /// The part that few visits need.
    pub(in crate::visit) cold: Option<Box<ColdState>>,
}

/// The progress of a close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::visit) enum Closing {
    /// No close is running.
    No,
    /// A close is running; the session keeps its id.
    Plain,
    /// A close is running that gives the session an id, which the client has to be told.
    AssignsId,
}

/// The facts that determine the [`Outcome`](super::Outcome).
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Effects {
    pub(crate) read: bool,
    pub(crate) written: bool,
    /// This visit has ended the session that the client's id named.
    pub(crate) ended: bool,
    /// A parallel visit has moved the session and tells the client its new id.
    pub(crate) superseded: bool,
    /// A parallel visit has moved the session, but the client's id still leads to it for a while.
    pub(crate) aliased: bool,
    /// The session got an id that the client does not know yet.
    pub(crate) new_id: bool,
    /// The client has to be told a changed expiration of the session, or to be given its id again.
    pub(crate) reissue_id: bool,
    /// The visit is sealed: the outcome was given out.
    pub(crate) sealed: bool,
}

impl Effects {
    /// Notes that the session is gone, so that the client is told no id of it.
    pub(in crate::visit) fn gone(&mut self) {
        self.new_id = false;
        self.reissue_id = false;
    }
}

impl State {
    pub(in crate::visit) fn new(visit: Visit) -> Self {
        let cold = visit.extra.map(|extra| {
            Box::new(ColdState {
                candidates: extra.candidates,
                shown: extra.window,
                client: extra.client,
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
            activity: match visit.flags.is(Flags::PASSIVE) {
                true => Activity::IfLocked,
                false => Activity::Always,
            },
            seen: false,
            data: None,
            conflicted: false,
            epoch: 0,
            session: 0,
            effects: Effects::default(),
            in_transaction: false,
            destroyed_elsewhere: false,
            changed_by_others: false,
            closing: Closing::No,
            undone: false,
            lost: false,
            planned_at: Timestamp::MIN,
            term: 0,
            value_locks: ValueLocks::default(),
            cold,
        }
    }

    /// Returns the key for lookups; computes it when it is first needed.
    pub(in crate::visit) fn lookup_key(&mut self) -> Option<SessionKey> {
        if self.key.is_none() {
            self.key = self.id.as_ref().map(SessionId::key);
        }
        self.key
    }

    /// Returns whether the session was started and can be read.
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

    /// Returns the times by which the payload is judged.
    pub(in crate::visit) fn as_of(&self, now: Timestamp) -> AsOf {
        self.data().as_of(now)
    }

    /// Returns how long the visit has lasted since it loaded the record.
    fn lasted(&self, now: Timestamp) -> Duration {
        let until = self.cold().ended_at.map_or(now, |ended_at| ended_at.min(now));
        self.data().loaded_at.until(until)
    }

    /// Returns whether the loaded session has expired.
    ///
    /// A running visit is activity: its session does not idle out under it, also because other visits may have moved
    /// the deadline since. Fixed expirations are exact.
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

    /// Reverts the payload to what the storage holds, and discards a new id. Data that was decoded without error before
    /// is decoded without error again.
    pub(in crate::visit) fn revert(&mut self) {
        self.discard_next_id();
        if self.payload().changed {
            *self.payload_mut() = self.payload().reverted().unwrap_or(Payload::EMPTY);
            self.hide_transient();
        }
    }

    /// Hides transient data after a restart of the browser, even if it was not removed from the storage yet.
    pub(in crate::visit) fn hide_transient(&mut self) {
        let nothing_is_over = AsOf::new(Timestamp::MIN, Timestamp::MAX);
        if !self.restarted {
            return;
        }
        let payload = self.payload_mut();
        if payload.purge(nothing_is_over, true).is_ok() {
            payload.clear_unused_window(true);
            payload.changed = false;
        }
    }

    /// Leaves the writable phase without having written. Returns the lock, if there is one.
    pub(in crate::visit) fn abandon(&mut self) -> Option<Lock> {
        if self.phase == Phase::Writable {
            self.phase = Phase::Readable;
            self.revert();
        }
        self.take_stamp();
        self.take_lock()
    }

    /// Does the same when the application did not ask for it: its changes are reported as undone.
    pub(in crate::visit) fn abandon_uncommitted(&mut self) -> Option<Lock> {
        self.undone |= self.phase == Phase::Writable && self.is_changed();
        self.abandon()
    }

    /// Returns whether a close would have to write anything.
    pub(in crate::visit) fn is_changed(&self) -> bool {
        self.payload().changed || self.next_id().is_some()
    }

    /// Forgets the session, as if the visit had come without an id. Returns the old data, with its lock if there was
    /// one.
    #[must_use]
    pub(in crate::visit) fn forget(&mut self) -> Option<Box<SessionData>> {
        self.session += 1;
        self.id = None;
        self.key = None;
        if let Some(cold) = &mut self.cold {
            cold.next_id = None;
            cold.next_facts = None;
            cold.candidates = Vec::new();
        }
        self.seen = false;
        self.undone = false;
        self.lost = false;
        self.data.take()
    }

    /// Returns an error unless values can be changed now.
    pub(in crate::visit) fn check_writable(&self) -> Result<(), SessionError> {
        match self.phase {
            Phase::Writable => Ok(()),
            Phase::Readable => Err(SessionError::NotWritable),
            Phase::Unstarted | Phase::Destroyed => Err(SessionError::NotStarted),
        }
    }
}
