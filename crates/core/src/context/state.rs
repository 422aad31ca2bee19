//! The state of a visit.

use std::fmt;
use std::time::Duration;

use super::changing::Changes;
use super::rare::Rare;
use super::started::Started;
use crate::clock::Timestamp;
use crate::contents::AsOf;
use crate::error::SessionError;
use crate::id::SessionId;
use crate::session::Engine;
use crate::session_key::SessionKey;
use crate::storage::Lock;
use crate::visit::{Manner, Visit};

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
    pub(super) candidate: Option<usize>,
    pub(crate) strict: bool,
    /// Whether a call has the [turn](super::turn).
    pub(super) turn_is_taken: bool,
    /// How the visit is made.
    pub(super) manner: Manner,
    /// Whether all transient data is still to be removed, as the browser was restarted before this visit.
    pub(crate) restarted: bool,
    /// Whether the visit only looks: it then moves nothing that slides.
    pub(super) passive: bool,
    /// Whether the record was found, or made, by this visit.
    pub(crate) seen: bool,
    /// The session as the visit has it, if it has anything of it.
    pub(super) started: Option<Box<Started>>,
    /// Whether an update that writes without the lock has found that it takes it.
    pub(super) contested: bool,
    /// Counts destroyed sessions, so that a call that was under way notices.
    pub(crate) epoch: u32,
    /// Counts the sessions that the visit has had, destroyed or not.
    pub(super) session: u32,
    pub(crate) told: Told,
    /// Whether the lock belongs to an update, which outlives the visit if it runs elsewhere.
    pub(super) updating: bool,
    /// Whether the session of the update that is under way was destroyed, and not by the update itself.
    pub(super) cut_short: bool,
    /// Whether others have changed values under the lock of that update.
    pub(super) shared: bool,
    /// What a close that is under way is doing.
    pub(super) closing: Closing,
    /// Whether a close has failed and the changes it was to write were undone: nobody may take them for stored.
    pub(super) undone: bool,
    /// Whether a refresh has found that the session is gone.
    pub(super) lost: bool,
    /// By what moment the last close has decided what to write.
    pub(super) planned_at: Timestamp,
    /// Counts how often the visit became writable, so that a change that was begun under one lock is not made under
    /// another.
    pub(super) term: u64,
    /// The values that are being changed in place.
    pub(super) changes: Changes,
    /// The part that few visits need.
    pub(super) rare: Option<Box<Rare>>,
}

/// How far a close has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closing {
    /// None is under way.
    No,
    /// One is, and the session keeps its id.
    Plain,
    /// One is, and gives the session an id that the client must be told.
    Naming,
}

/// What the carrier of the id must be told; see [`Outcome`](super::Outcome).
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Told {
    pub(crate) read: bool,
    pub(crate) written: bool,
    /// This visit has ended the session that the client's id named.
    pub(crate) ended: bool,
    /// The session moved away under a parallel visit, which told the client.
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

impl Told {
    /// The session is gone: the client has no use for an id it was to be told.
    pub(super) fn gone(&mut self) {
        self.new_id = false;
        self.renewed = false;
    }
}

impl State {
    pub(super) fn new(visit: Visit) -> Self {
        let rare = visit.more.map(|more| {
            Box::new(Rare {
                candidates: more.candidates,
                shown: more.window,
                ..Rare::NOTHING
            })
        });
        Self {
            phase: Phase::Unstarted,
            id: visit.id,
            key: None,
            candidate: None,
            strict: visit.manner.is(Manner::STRICT),
            turn_is_taken: false,
            manner: visit.manner,
            restarted: visit.manner.is(Manner::RESTARTED),
            passive: visit.manner.is(Manner::PASSIVE),
            seen: false,
            started: None,
            contested: false,
            epoch: 0,
            session: 0,
            told: Told::default(),
            updating: false,
            cut_short: false,
            shared: false,
            closing: Closing::No,
            undone: false,
            lost: false,
            planned_at: Timestamp::MIN,
            term: 0,
            changes: Changes::default(),
            rare,
        }
    }

    /// The key under which the session is to be found, worked out when it is first needed.
    pub(super) fn lookup_key(&mut self) -> Option<SessionKey> {
        if self.key.is_none() {
            self.key = self.id.as_ref().map(SessionId::key);
        }
        self.key
    }

    /// Whether the session was started, and can be read.
    pub(super) fn is_started(&self) -> bool {
        matches!(self.phase, Phase::Readable | Phase::Writable)
    }

    pub(crate) fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.take_stamp();
        if phase == Phase::Writable {
            self.contested = false;
            self.term += 1;
            self.undone = false;
        }
    }

    /// By what moments the contents are judged.
    pub(super) fn as_of(&self, now: Timestamp) -> AsOf {
        self.started().as_of(now)
    }

    /// For how long the visit has gone on since it loaded the record.
    fn lasted(&self, now: Timestamp) -> Duration {
        let until = self.rare().ended_at.map_or(now, |ended_at| ended_at.min(now));
        self.loaded_at().until(until)
    }

    /// Whether the session that the visit has loaded is over by now.
    ///
    /// A visit that goes on is activity: its session does not idle out under it, all the less as others may have moved
    /// the end since. Fixed ends are exact.
    pub(super) fn is_over(&self, engine: &Engine, now: Timestamp) -> bool {
        if self.lost || self.contents().is_over(now) {
            return true;
        }
        self.meta().is_some_and(|meta| {
            let slid = meta.deadline.map(|deadline| deadline + self.lasted(now));
            slid.is_some_and(|end| end <= now)
                || engine
                    .limit(self.contents(), meta.created_at)
                    .is_some_and(|end| end <= now)
        })
    }

    /// Puts the contents back to what the storage holds, and takes back a new id. What was read without error before
    /// is read without error again.
    pub(super) fn revert(&mut self) {
        self.keep_id();
        if self.contents().changed {
            *self.contents_mut() = self.contents().reverted().unwrap_or_default();
            self.hide_transient();
        }
    }

    /// After a restart of the browser, transient data is dead even if it was not removed from the storage yet.
    pub(super) fn hide_transient(&mut self) {
        let nothing_is_over = AsOf {
            now: Timestamp::MIN,
            last_active: Timestamp::MAX,
        };
        if !self.restarted {
            return;
        }
        let contents = self.contents_mut();
        if contents.purge(nothing_is_over, true).is_ok() {
            contents.leave_window(true);
            contents.changed = false;
        }
    }

    /// Leaves the writable phase without having written. The lock, if there is one, is the caller's.
    pub(super) fn give_up(&mut self) -> Option<Lock> {
        if self.phase == Phase::Writable {
            self.phase = Phase::Readable;
            self.revert();
        }
        self.take_stamp();
        self.take_lock()
    }

    /// The same, without the word of those who have changed something: they are to learn that it was undone.
    pub(super) fn give_up_unasked(&mut self) -> Option<Lock> {
        self.undone |= self.phase == Phase::Writable && self.is_changed();
        self.give_up()
    }

    /// Whether there is anything that a close would have to write.
    pub(super) fn is_changed(&self) -> bool {
        self.contents().changed || self.next_id().is_some()
    }

    /// Forgets the session: the visit is as one that came without an id. Gives back what it had of the session, with the
    /// lock if it held one.
    #[must_use]
    pub(super) fn forget(&mut self) -> Option<Box<Started>> {
        self.session += 1;
        self.id = None;
        self.key = None;
        if let Some(rare) = &mut self.rare {
            rare.next_id = None;
            rare.candidates = Vec::new();
        }
        self.seen = false;
        self.undone = false;
        self.lost = false;
        self.started.take()
    }

    /// Says why values cannot be changed now, if they cannot.
    pub(super) fn must_be_writable(&self) -> Result<(), SessionError> {
        match self.phase {
            Phase::Writable => Ok(()),
            Phase::Readable => Err(SessionError::NotWritable),
            Phase::Unstarted | Phase::Destroyed => Err(SessionError::NotStarted),
        }
    }
}

/// What of a state is shown: no values and no id. It is taken out first, so that nothing is locked while it is written to
/// wherever.
pub(super) struct Shown {
    phase: Phase,
    id: Option<SessionId>,
    locked: bool,
    changed: bool,
}

impl State {
    pub(super) fn shown(&self) -> Shown {
        Shown {
            phase: self.phase,
            id: self.id.clone(),
            locked: self.lock().is_some(),
            changed: self.contents().changed,
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
