//! The limits that hold for every session, whatever its own expiration says.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::error::SessionError;
use crate::expiration::{Lifetime, earliest};
use crate::payload::Payload;
use crate::settings::Settings;
use crate::storage::Meta;

/// How often the client's memory of an id is renewed. It is so seldom because each renewal that is under way while
/// somebody logs in could bring the old id back.
const RENEWAL: Duration = Duration::from_secs(100 * 24 * 60 * 60);

/// Whether the client's memory of the id is to be renewed, now that the session is active again: browsers forget a cookie
/// 400 days after it was set, however often it is sent.
pub(super) fn renews_memory(before: &Meta, last_active: Timestamp) -> bool {
    let age = |moment| before.created_at.until(moment).as_secs() / RENEWAL.as_secs();
    age(before.last_active) < age(last_active)
}

/// Gives a session the expiration that sessions have by default, [worked out](Settings::default_lifetime) before.
///
/// # Errors
///
/// [`ExpiredDefault`](SessionError::ExpiredDefault) if the session would be over as soon as it began.
pub(super) fn begin_lifetime(payload: &mut Payload, default: Lifetime, now: Timestamp) -> Result<(), SessionError> {
    if default.is_over(now, now) {
        return Err(SessionError::default_is_over(None, None));
    }
    payload.begin_lifetime(default, now);
    Ok(())
}

impl Settings {
    /// When a session ends if it is visited at `last_active` and not again.
    pub(super) fn deadline(
        &self,
        payload: &Payload,
        created_at: Timestamp,
        last_active: Timestamp,
    ) -> Option<Timestamp> {
        let idle = self.max_idle.map(|idle| last_active + idle);
        let limit = self.limit(payload, created_at);
        earliest(payload.deadline(last_active), earliest(idle, limit))
    }

    /// When a session ends at the latest.
    pub(super) fn limit(&self, payload: &Payload, created_at: Timestamp) -> Option<Timestamp> {
        let since = payload
            .authenticated_at()
            .map_or(created_at, |moment| moment.max(created_at));
        self.max_lifetime.map(|lifetime| since + lifetime)
    }

    /// Whether a stored session is over by these limits. Its deadline may say otherwise, if it was written when others
    /// were in force.
    pub(super) fn is_over(&self, payload: &Payload, meta: &Meta, now: Timestamp) -> bool {
        let idle = self.max_idle.map(|idle| meta.last_active + idle);
        earliest(idle, self.limit(payload, meta.created_at)).is_some_and(|end| end <= now)
    }

    /// By how many milliseconds the last activity has to move to be worth a write.
    pub(super) fn resolution(&self, payload: &Payload) -> u64 {
        let own = payload
            .shortest_window()
            .map(|window| self.resolution.touch.min(window / 10));
        earliest(own, self.resolution.idle).unwrap_or(RENEWAL.as_millis() as u64)
    }
}
