//! Decides which expirations of a session slide, and when a visit moves them.

use std::time::Duration;

use super::limits::reissues_id;
use crate::clock::Timestamp;
use crate::expiration::earliest;
use crate::payload::{AsOf, Payload};
use crate::settings::Settings;
use crate::storage::{Meta, Record};

/// Whether a visit counts as activity of its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Activity {
    /// It does.
    Always,
    /// It does while it holds the lock, because it writes then; otherwise it only looks.
    IfLocked,
    /// It does not, even if it writes.
    Never,
}

impl Activity {
    pub(super) fn counts(self, is_locked: bool) -> bool {
        match self {
            Self::Always => true,
            Self::IfLocked => is_locked,
            Self::Never => false,
        }
    }
}

/// The new deadline and last activity of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slide {
    pub(super) deadline: Option<Timestamp>,
    pub(super) last_active: Timestamp,
}

impl Slide {
    /// Returns what a visit at `now` moves; `None` if the change does not justify a write.
    pub(super) fn due(payload: &Payload, meta: &Meta, now: Timestamp, settings: &Settings) -> Option<Self> {
        if now.as_millis().saturating_sub(meta.last_active.as_millis()) <= settings.resolution(payload) {
            return None;
        }
        if payload.is_inactive {
            return None;
        }
        let slide = Self {
            deadline: settings.deadline(payload, meta.created_at, now),
            last_active: now,
        };
        // A session at its overall limit moves no further, unless an item in it slides, or the client has to be given
        // its id again.
        let moves = slide.deadline != meta.deadline || payload.items().window.is_some() || slide.reissues_id(meta);
        moves.then_some(slide)
    }

    /// Returns whether the client has to be given its id again.
    pub(super) fn reissues_id(&self, meta: &Meta) -> bool {
        reissues_id(meta, self.last_active)
    }

    /// Moves the deadline, but not the last activity, by which the items expire. Returns `None` if nothing is left to
    /// move.
    pub(super) fn deadline_only(self, meta: &Meta) -> Option<Self> {
        let last_active = meta.last_active;
        (self.deadline != meta.deadline).then_some(Self { last_active, ..self })
    }
}

/// Returns whether an item has expired by its sliding window or, after a restart of the browser, as transient data.
pub(super) fn has_expired_items(payload: &Payload, at: AsOf, restarted: bool) -> bool {
    let items = payload.items();
    let slid_out = |window| at.last_active + Duration::from_millis(window) <= at.now;
    items.window.is_some_and(slid_out) || (restarted && items.transient)
}

impl Payload {
    /// Clears the browser window if it was closed, or if nothing ends with it any more.
    pub(super) fn clear_unused_window(&mut self, closed: bool) {
        if closed || !self.holds_transient() {
            self.set_window(None);
        }
    }

    /// Returns the record that replaces the one with the metadata `old`.
    ///
    /// Sliding expirations move with it only if that justified a write of its own: a client whose cookie ends with the
    /// session would have to be told of every small step. A write that is no activity moves none of them, but the
    /// lifetime that it has set begins now.
    pub(super) fn next_record(&self, old: &Meta, at: AsOf, settings: &Settings) -> Record {
        let mut meta = old.clone();
        meta.version += 1;
        if self.is_inactive {
            if self.has_new_lifetime() {
                let by_limits = settings.end_by_limits(self, meta.created_at, meta.last_active);
                meta.deadline = earliest(self.deadline(at.now), by_limits);
            }
            return Record::new(meta, self.encode(at));
        }
        let slides = self.shortest_window().is_some();
        if !slides || self.has_new_lifetime() || Slide::due(self, old, at.now, settings).is_some() {
            meta.last_active = at.now.max(old.last_active);
            meta.deadline = settings.deadline(self, meta.created_at, meta.last_active);
        }
        Record::new(meta, self.encode(at))
    }
}
