//! [`Verdict`]: whether a visit can use the record that it has requested.

use crate::clock::Timestamp;
use crate::visit::Context;
use crate::visit::sliding::{Activity, has_expired_items};
use crate::visit::state::{SessionData, State};
use crate::window::ShownWindow;

/// The relevant state of a visit at the time of a lookup.
#[derive(Debug, Clone, Copy)]
pub(in crate::visit) struct LoadRequest {
    pub(in crate::visit) epoch: u32,
    restarted: bool,
    pub(in crate::visit) activity: Activity,
    shown: ShownWindow,
}

impl State {
    /// Marks the session as read: the reply depends on the id even if the lookup fails.
    pub(in crate::visit) fn begin_load(&mut self) -> LoadRequest {
        self.effects.read = true;
        LoadRequest {
            epoch: self.epoch,
            restarted: self.restarted,
            activity: self.activity,
            shown: self.cold().shown,
        }
    }
}

/// The usability of a record for a visit.
pub(in crate::visit) enum Verdict {
    /// The session has expired by its lifetime or the limits of the settings.
    Expired,
    /// The session ended with the browser window.
    WindowClosed,
    Usable {
        /// `true` if transient data has to be removed.
        restarted: bool,
        /// `true` if anything in it has expired or has to be removed.
        has_expired: bool,
    },
}

impl Context {
    /// Judges the usability of a record for a visit at this time.
    #[inline]
    pub(in crate::visit) fn judge(&self, data: &SessionData, now: Timestamp, request: LoadRequest) -> Verdict {
        if data.is_over(now, &self.settings) {
            return Verdict::Expired;
        }
        let payload = &data.payload;
        // Transient data that belongs to another window than the closed one is newer than that.
        let mut restarted = request.restarted
            || matches!((request.shown, payload.window()), (ShownWindow::Closed(shown), Some(own)) if shown == own);
        if restarted && payload.lifetime.is_some_and(|lifetime| lifetime.transient) {
            return Verdict::WindowClosed;
        }
        // Transient data that other visits set from now on belongs to the new window.
        restarted &= payload.items().transient;
        Verdict::Usable {
            has_expired: has_expired_items(payload, data.as_of(now), restarted),
            restarted,
        }
    }
}
