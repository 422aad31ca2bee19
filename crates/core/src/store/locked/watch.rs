//! [`Watches`]: those who wait for a lock, and what else they have to hear of.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::id::SessionKey;

/// Who waits for the lock of a session is served by the locks. That the session has gone meanwhile, they do not know:
/// whoever ends it in this process says so here.
#[derive(Default)]
pub(super) struct Watches(Mutex<HashMap<SessionKey, Watched>>);

struct Watched {
    by: usize,
    notify: Arc<Notify>,
}

impl Watches {
    pub(super) fn watch(&self, key: SessionKey) -> Watch<'_> {
        let mut watched = self.watched();
        let entry = watched.entry(key).or_insert_with(|| Watched {
            by: 0,
            notify: Arc::default(),
        });
        entry.by += 1;
        Watch {
            watches: self,
            key,
            notify: Arc::clone(&entry.notify),
        }
    }

    /// Tells all who wait at this key to look.
    pub(super) fn wake(&self, key: &SessionKey) {
        let notify = self.watched().get(key).map(|watched| Arc::clone(&watched.notify));
        if let Some(notify) = notify {
            notify.notify_waiters();
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.watched().len()
    }

    fn watched(&self) -> MutexGuard<'_, HashMap<SessionKey, Watched>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Someone who waits at a key.
pub(super) struct Watch<'a> {
    watches: &'a Watches,
    key: SessionKey,
    notify: Arc<Notify>,
}

impl Watch<'_> {
    /// Ready when there was a wake-up after this was called.
    pub(super) fn woken(&self) -> Notified<'_> {
        self.notify.notified()
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        let mut watched = self.watches.watched();
        if let Some(entry) = watched.get_mut(&self.key) {
            entry.by -= 1;
            if entry.by == 0 {
                watched.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::OsEntropy;
    use crate::id::SessionId;

    #[tokio::test]
    async fn a_wake_up_between_asking_and_waiting_is_not_missed() {
        let watches = Watches::default();
        let key = SessionId::generate(&OsEntropy).key();
        watches.wake(&key);
        let [one, two] = [watches.watch(key), watches.watch(key)];
        let woken = [one.woken(), two.woken()];
        watches.wake(&key);
        for woken in woken {
            woken.await;
        }
        drop(one);
        assert_eq!(watches.len(), 1);
        drop(two);
        assert_eq!(watches.len(), 0);
    }
}
