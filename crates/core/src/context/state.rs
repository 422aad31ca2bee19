//! The state of a visit.

use std::fmt;

use crate::clock::Timestamp;
use crate::contents::{AsOf, Contents};
use crate::id::SessionId;
use crate::session_key::SessionKey;
use crate::storage::{Lock, Meta};
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
    /// The id the session gets when it is closed.
    pub(crate) next_id: Option<SessionId>,
    pub(crate) strict: bool,
    /// Whether the browser was restarted before this visit and transient data is still to be removed for it.
    pub(crate) restarted: bool,
    /// Whether the record was found, or made, by this visit.
    pub(crate) seen: bool,
    pub(crate) meta: Option<Meta>,
    pub(crate) contents: Contents,
    pub(crate) lock: Option<Lock>,
    /// When the lock is to be renewed next.
    pub(super) renew_at: Option<tokio::time::Instant>,
    /// Counts destroyed sessions, so that a call that was under way notices.
    pub(crate) epoch: u32,
    pub(crate) told: Told,
    /// Whether the lock belongs to an update, which outlives the visit if it runs elsewhere.
    pub(super) updating: bool,
    /// Whether a close is under way.
    pub(super) closing: bool,
    /// By what moment the last close has decided what to write.
    pub(super) planned_at: Timestamp,
    /// Counts how often the visit became writable, so that a change that was begun under one lock is not made under
    /// another.
    pub(super) term: u64,
    /// The thread that is changing a value, and how many changes deep it is.
    pub(super) writer: Option<(std::thread::ThreadId, u32)>,
    /// How many threads wait for that one.
    pub(super) waiting_writers: u32,
    /// Whether the visit itself is over, and only handles are left.
    pub(super) ended: bool,
}

/// What the carrier of the id must be told; see [`Outcome`](super::Outcome).
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Told {
    pub(crate) read: bool,
    pub(crate) written: bool,
    /// The client's id is not, or no longer, the name of a session.
    pub(crate) dropped: bool,
    /// The session moved away under a parallel visit, which told the client.
    pub(crate) superseded: bool,
    /// The same, but for a while the client's old id still leads to it.
    pub(crate) aliased: bool,
    /// The session got an id that the client does not know yet.
    pub(crate) new_id: bool,
    /// The end of the session moved.
    pub(crate) moved: bool,
    /// The outcome was given out.
    pub(crate) sealed: bool,
}

impl Told {
    /// The session is gone: the client has no more use for its id, and none for one it was to be told.
    pub(super) fn gone(&mut self) {
        self.dropped = true;
        self.new_id = false;
        self.moved = false;
    }
}

impl State {
    pub(super) fn new(visit: Visit) -> Self {
        Self {
            phase: Phase::Unstarted,
            id: visit.id,
            key: None,
            next_id: None,
            strict: visit.manner.is(Manner::STRICT),
            restarted: visit.manner.is(Manner::RESTARTED),
            seen: false,
            meta: None,
            contents: Contents::default(),
            lock: None,
            renew_at: None,
            epoch: 0,
            told: Told::default(),
            updating: false,
            closing: false,
            planned_at: Timestamp::MIN,
            term: 0,
            writer: None,
            waiting_writers: 0,
            ended: false,
        }
    }

    /// The key under which the session is to be found, worked out when it is first needed.
    pub(super) fn lookup_key(&mut self) -> Option<SessionKey> {
        if self.key.is_none() {
            self.key = self.id.as_ref().map(SessionId::key);
        }
        self.key
    }

    pub(super) fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.term += u64::from(phase == Phase::Writable);
    }

    /// By what moments the contents are judged. What is not stored yet has known no activity but being set.
    pub(super) fn as_of(&self, now: Timestamp) -> AsOf {
        AsOf {
            now,
            last_active: self.meta.as_ref().map_or(Timestamp::MIN, |meta| meta.last_active),
        }
    }

    /// Puts the contents back to what the storage holds, and takes back a new id. What was read without error before
    /// is read without error again.
    pub(super) fn revert(&mut self) {
        self.next_id = None;
        if self.contents.changed {
            self.contents = self.contents.reverted().unwrap_or_default();
            self.hide_transient();
        }
    }

    /// After a restart of the browser, transient data is dead even if it was not removed from the storage yet.
    pub(super) fn hide_transient(&mut self) {
        let nothing_is_over = AsOf {
            now: Timestamp::MIN,
            last_active: Timestamp::MAX,
        };
        if self.restarted && self.contents.purge(nothing_is_over, true).is_ok() {
            self.contents.changed = false;
        }
    }

    /// Leaves the writable phase without having written. The lock, if there is one, is the caller's.
    pub(super) fn give_up(&mut self) -> Option<Lock> {
        if self.phase == Phase::Writable {
            self.phase = Phase::Readable;
            self.revert();
        }
        self.lock.take()
    }

    /// Forgets the session: the visit is as one that came without an id.
    pub(super) fn forget(&mut self) {
        self.id = None;
        self.key = None;
        self.next_id = None;
        self.seen = false;
        self.meta = None;
        self.contents = Contents::default();
    }
}

/// Shows no values and no id.
impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("phase", &self.phase)
            .field("id", &self.id)
            .field("locked", &self.lock.is_some())
            .field("changed", &self.contents.changed)
            .finish_non_exhaustive()
    }
}
