//! [`Clients`]: the ids that clients hold, shared by all workers.

use std::fs;
use std::path::PathBuf;

use sessile_core::SessionId;

/// The ids that clients hold, each in a file: requests of one client reach any process.
#[derive(Debug, Clone)]
pub(super) struct Clients(pub(super) PathBuf);

impl Clients {
    /// Returns the id that a client holds. A file that is being replaced has none for a moment.
    pub(super) fn id(&self, client: u64) -> Option<SessionId> {
        SessionId::parse(&fs::read_to_string(self.0.join(client.to_string())).ok()?)
    }

    /// Gives a client a new id.
    pub(super) fn tell(&self, client: u64, id: &SessionId) {
        fs::write(self.0.join(client.to_string()), id.expose()).expect("the folder of the clients is writable");
    }

    /// Takes an id away, unless the client has another by now.
    pub(super) fn forget(&self, client: u64, id: &SessionId) {
        if self.id(client).as_ref() == Some(id) {
            let _missing = fs::remove_file(self.0.join(client.to_string()));
        }
    }
}
