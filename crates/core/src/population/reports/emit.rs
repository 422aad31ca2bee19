//! Handing events to the hub, if there is one.

use crate::clock::Timestamp;
use crate::error::SessionError;
use crate::events::{Callback, Event, EventKind, EventStream};
use crate::id::SessionKey;
use crate::settings::Settings;
use crate::telemetry;

impl Settings {
    /// Reports an event. The caller holds no lock.
    pub(crate) fn emit(&self, kind: EventKind, key: &SessionKey, owner: Option<&str>) {
        telemetry::happened(kind.name(), kind.reason_name());
        let Some(hub) = &self.hub else { return };
        let now: Timestamp = self.storage.clock().now();
        hub.emit(&Event {
            kind,
            key: *key,
            owner: owner.map(Into::into),
            at: now.into(),
        });
    }

    pub(crate) fn add_callback(&self, key: SessionKey, callback: Callback) -> Result<(), SessionError> {
        let hub = self.hub.as_ref().ok_or(SessionError::EventsOff)?;
        hub.callbacks.add(key, callback);
        Ok(())
    }

    pub(crate) fn subscribe(&self) -> Result<EventStream, SessionError> {
        match &self.hub {
            Some(hub) => Ok(hub.subscribe()),
            None => Err(SessionError::EventsOff),
        }
    }
}
