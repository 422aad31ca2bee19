//! [`Renewal`]: how a session has come by a new key.

use crate::events::EventKind;
use crate::id::SessionKey;
use crate::settings::Settings;
use crate::storage::Facts;

/// How a session has come by a new key: it was created or has moved, perhaps with another owner.
pub(crate) struct Renewal {
    /// The former key; `None` if the session was created.
    pub(crate) before: Option<SessionKey>,
    pub(crate) key: SessionKey,
    pub(crate) old: Facts,
    pub(crate) new: Facts,
}

impl Settings {
    /// Reports a new key, and a login or logout that has come with it.
    pub(crate) fn report_renewal(&self, renewal: &Renewal) {
        let Renewal { before, key, old, new } = renewal;
        let kind = match *before {
            Some(before) => {
                if let Some(hub) = &self.hub {
                    hub.callbacks.saw(&before, key, None);
                }
                EventKind::IdRenewed { before }
            }
            None => EventKind::Created,
        };
        self.emit(kind, key, new.owner());
        if old.owner() != new.owner()
            && let Some(owner) = old.owner()
        {
            self.emit(EventKind::LoggedOut, key, Some(owner));
        }
        let is_login = old.owner() != new.owner() || old.authenticated_at() != new.authenticated_at();
        if is_login && let Some(owner) = new.owner() {
            self.emit(EventKind::LoggedIn, key, Some(owner));
        }
    }
}
