//! Which sessions a user is logged in with, so that all but one can be ended.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sessile::{Lookup, SessionError, SessionKey, Storage};

use super::UserName;

/// The logins of all users.
///
/// Sessions are listed by their keys, which open nothing; only ids do. A session whose key is destroyed in the storage
/// is gone for whoever comes with its id, on all machines, and for requests that are under way: they cannot commit.
///
/// This list itself is in the memory of one process, which is enough to show how it is done. A shop of several processes
/// keeps it where it keeps its users, in one transaction with the login.
#[derive(Clone)]
pub(crate) struct Logins(Arc<Inner>);

struct Inner {
    storage: Arc<dyn Storage>,
    /// No session lasts longer than this after a login, so no login need be listed for longer.
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
        Self(Arc::new(Inner { storage, longest, list }))
    }

    /// From now on, the session with this key is one of this user and of nobody else.
    pub(super) fn add(&self, user: UserName, key: SessionKey) {
        let at = Instant::now();
        let mut list = self.list();
        list.retain(|login| login.key != key && at.duration_since(login.at) < self.0.longest);
        list.push(Login { user, key, at });
    }

    /// The session with this key is nobody's any more.
    pub(super) fn remove(&self, key: SessionKey) {
        self.list().retain(|login| login.key != key);
    }

    /// Ends all sessions of this user but the one with this key, and returns how many there were.
    ///
    /// A login that comes meanwhile may stay: it is as if it had come afterwards.
    pub(super) async fn end_others(&self, user: &UserName, own: SessionKey) -> Result<usize, SessionError> {
        let is_other = |login: &&Login| login.user == *user && login.key != own;
        let others: Vec<_> = self.list().iter().filter(is_other).map(|login| login.key).collect();
        let mut ended = 0;
        for key in others {
            if let Lookup::Found(_) = self.0.storage.destroy(&key).await? {
                ended += 1;
            }
            // Only now: if the storage fails, this one is still listed the next time.
            self.remove(key);
        }
        Ok(ended)
    }

    fn list(&self) -> MutexGuard<'_, Vec<Login>> {
        // Nothing in here panics halfway.
        self.0.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Logins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logins").finish_non_exhaustive()
    }
}
