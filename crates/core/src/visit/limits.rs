//! The limits that apply to every session, regardless of its own expiration.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::error::SessionError;
use crate::expiration::{Lifetime, earliest};
use crate::payload::Payload;
use crate::settings::Settings;
use crate::storage::Meta;

/// The interval at which an active client is given its id again. It is long because each response with the id that is
/// in flight during a login could overwrite the new id with the old one.
const REISSUE_INTERVAL: Duration = Duration::from_secs(100 * 24 * 60 * 60);

/// Returns whether the client has to be given its id again now that the session is active again: browsers delete a
/// cookie 400 days after it was set, however often they send it.
pub(super) fn reissues_id(before: &Meta, last_active: Timestamp) -> bool {
    let age = |moment| before.created_at.until(moment).as_secs() / REISSUE_INTERVAL.as_secs();
    age(before.last_active) < age(last_active)
}

/// Gives a session the default expiration, [computed](Settings::default_lifetime) before.
///
/// # Errors
///
/// [`ExpiredDefault`](SessionError::ExpiredDefault) if the session would have expired already.
pub(super) fn begin_lifetime(payload: &mut Payload, default: Lifetime, now: Timestamp) -> Result<(), SessionError> {
    if default.is_over(now, now) {
        return Err(SessionError::default_has_passed(None, None));
    }
    payload.begin_lifetime(default, now);
    Ok(())
}

impl Settings {
    /// Returns when a session expires if its last visit is at `last_active`.
    pub(super) fn deadline(
        &self,
        payload: &Payload,
        created_at: Timestamp,
        last_active: Timestamp,
    ) -> Option<Timestamp> {
        let by_limits = self.end_by_limits(payload, created_at, last_active);
        earliest(payload.deadline(last_active), by_limits)
    }

    /// Returns when a session expires by the limits of these settings if its last visit is at `last_active`.
    pub(super) fn end_by_limits(
        &self,
        payload: &Payload,
        created_at: Timestamp,
        last_active: Timestamp,
    ) -> Option<Timestamp> {
        let idle = self.max_idle.map(|idle| last_active + idle);
        earliest(idle, self.limit(payload, created_at))
    }

    /// Returns when a session expires at the latest by the overall limit.
    pub(super) fn limit(&self, payload: &Payload, created_at: Timestamp) -> Option<Timestamp> {
        let since = payload
            .authenticated_at()
            .map_or(created_at, |moment| moment.max(created_at));
        self.max_lifetime.map(|lifetime| since + lifetime)
    }

    /// Returns whether a stored session has expired by the limits of these settings. Its stored deadline may be later
    /// if other limits applied when it was written.
    pub(super) fn is_over(&self, payload: &Payload, meta: &Meta, now: Timestamp) -> bool {
        let end = self.end_by_limits(payload, meta.created_at, meta.last_active);
        end.is_some_and(|end| end <= now)
    }

    /// Returns by how many milliseconds the last activity has to move to justify a write.
    pub(super) fn resolution(&self, payload: &Payload) -> u64 {
        let own = payload
            .shortest_window()
            .map(|window| self.resolution.touch.min(window / 10));
        earliest(own, self.resolution.idle).unwrap_or(REISSUE_INTERVAL.as_millis() as u64)
    }
}
