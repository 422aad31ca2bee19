//! Which ends of a session slide, and when a visit moves them.

use std::time::Duration;

use super::limits::renews_memory;
use crate::clock::Timestamp;
use crate::payload::{AsOf, Payload};
use crate::settings::Settings;
use crate::storage::{Meta, Record};

/// Where the ends of a session are to be moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slide {
    pub(super) deadline: Option<Timestamp>,
    pub(super) last_active: Timestamp,
}

impl Slide {
    /// What a visit at `now` moves; `None` if that is too little to be worth a write.
    pub(super) fn due(payload: &Payload, meta: &Meta, now: Timestamp, settings: &Settings) -> Option<Self> {
        if now.as_millis().saturating_sub(meta.last_active.as_millis()) <= settings.resolution(payload) {
            return None;
        }
        let slide = Self {
            deadline: settings.deadline(payload, meta.created_at, now),
            last_active: now,
        };
        // A session that has reached its limit moves no further, unless something inside it does, or its client is to be
        // reminded of it.
        let moves = slide.deadline != meta.deadline || payload.items().window.is_some() || slide.renews(meta);
        moves.then_some(slide)
    }

    /// Whether the client's memory of the id is to be renewed with it.
    pub(super) fn renews(&self, meta: &Meta) -> bool {
        renews_memory(meta, self.last_active)
    }

    /// The same, but what stands in the session stays where it is; `None` if nothing is left to be moved.
    pub(super) fn of_the_session_alone(self, meta: &Meta) -> Option<Self> {
        let last_active = meta.last_active;
        (self.deadline != meta.deadline).then_some(Self { last_active, ..self })
    }
}

/// Whether something in the session has slid out or, after a restart of the browser, died.
pub(super) fn has_dead_items(payload: &Payload, at: AsOf, restarted: bool) -> bool {
    let items = payload.items();
    let slid_out = |window| at.last_active + Duration::from_millis(window) <= at.now;
    items.window.is_some_and(slid_out) || (restarted && items.transient)
}

impl Payload {
    /// Forgets the browser window if it was closed, or nothing ends with it any more.
    pub(super) fn leave_window(&mut self, closed: bool) {
        if closed || !self.holds_transient() {
            self.set_window(None);
        }
    }

    /// The record that replaces one with the metadata `old` now.
    ///
    /// What slides moves with it by as much as would be worth a write of its own, and otherwise stays: a client whose
    /// cookie ends with the session would have to be effects of every small step.
    pub(super) fn record(&self, old: &Meta, at: AsOf, settings: &Settings) -> Record {
        let mut meta = old.clone();
        meta.version += 1;
        let slides = self.shortest_window().is_some();
        if !slides || self.has_new_lifetime() || Slide::due(self, old, at.now, settings).is_some() {
            meta.last_active = at.now.max(old.last_active);
            meta.deadline = settings.deadline(self, meta.created_at, meta.last_active);
        }
        Record::new(meta, self.encode(at))
    }
}
