//! The sessions of each user, so that all but one can be ended.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sessile::storage::{Lookup, Storage};
use sessile::{SessionError, SessionKey};

use super::UserName;

/// The logins of all users.
///
/// Lists sessions by their keys, which unlike ids grant no access. Destroying a key in the storage ends the session for
/// all requests with its id, on all machines; requests in flight cannot commit.
///
/// The list is kept in the memory of one process, to keep the example small. An application of several processes keeps
/// it in the database of its users, and updates it in the transaction of the login.
#[derive(Clone)]
pub(crate) struct Logins(Arc<Shared>);

struct Shared {
    storage: Arc<dyn Storage>,
    /// The longest time that a session lasts after a login, after which the entry is dropped.
    longest: Duration,
    list: Mutex<Vec<Login>>,
}

#[derive(Debug, Clone)]
struct Login {
    user: UserName,
    key: SessionKey,
    at: Instant,
}

impl Logins {
    pub(crate) fn new(storage: Arc<dyn Storage>, longest: Duration) -> Self {
        let list = Mutex::default();
        Self(Arc::new(Shared { storage, longest, list }))
    }

    /// Assigns the session with this key to this user, and to no other.
    pub(super) fn add(&self, user: UserName, key: SessionKey) {
        let at = Instant::now();
        let mut list = self.list();
        list.retain(|login| login.key != key && at.duration_since(login.at) < self.0.longest);
        list.push(Login { user, key, at });
    }

    /// Removes the session with this key.
    pub(super) fn remove(&self, key: SessionKey) {
        self.list().retain(|login| login.key != key);
    }

    /// Ends all sessions of this user but the one with this key, and returns their number.
    ///
    /// A concurrent login may survive, as if it had come afterwards.
    pub(super) async fn end_others(&self, user: &UserName, own: SessionKey) -> Result<usize, SessionError> {
        let is_other = |login: &&Login| login.user == *user && login.key != own;
        let others: Vec<_> = self.list().iter().filter(is_other).map(|login| login.key).collect();
        let mut ended = 0;
        for key in others {
            if let Lookup::Found(_) = self.0.storage.destroy(&key).await? {
                ended += 1;
            }
            // Removed last, so that a session stays listed if the storage fails.
            self.remove(key);
        }
        Ok(ended)
    }

    fn list(&self) -> MutexGuard<'_, Vec<Login>> {
        // No code panics halfway through a change, so a poisoned list is consistent.
        self.0.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Logins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logins").finish_non_exhaustive()
    }
}
