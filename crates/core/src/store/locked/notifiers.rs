//! [`Notifiers`]: notify the waiters of a lock when its session may have ended.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::id::SessionKey;

/// Notifies the waiters of a lock, by key.
///
/// The locks serve the waiters but do not know that a session has ended meanwhile. An operation of this process that
/// ends, moves or shortens a session notifies its waiters here.
#[derive(Default)]
pub(super) struct Notifiers(Mutex<HashMap<SessionKey, Notifier>>);

struct Notifier {
    subscriptions: usize,
    notify: Arc<Notify>,
}

impl Notifiers {
    pub(super) fn subscribe(&self, key: SessionKey) -> Subscription<'_> {
        let mut by_key = self.by_key();
        let notifier = by_key.entry(key).or_insert_with(|| Notifier {
            subscriptions: 0,
            notify: Arc::default(),
        });
        notifier.subscriptions += 1;
        Subscription {
            notifiers: self,
            key,
            notify: Arc::clone(&notifier.notify),
        }
    }

    /// Notifies all subscriptions to this key.
    pub(super) fn notify(&self, key: &SessionKey) {
        let notify = self.by_key().get(key).map(|notifier| Arc::clone(&notifier.notify));
        if let Some(notify) = notify {
            notify.notify_waiters();
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.by_key().len()
    }

    fn by_key(&self) -> MutexGuard<'_, HashMap<SessionKey, Notifier>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A subscription of a waiter to the notifications of a key.
pub(super) struct Subscription<'a> {
    notifiers: &'a Notifiers,
    key: SessionKey,
    /// Its `notified` completes after a notification that is sent after that call, even if it is polled later.
    pub(super) notify: Arc<Notify>,
}

impl Drop for Subscription<'_> {
    fn drop(&mut self) {
        let mut by_key = self.notifiers.by_key();
        if let Some(notifier) = by_key.get_mut(&self.key) {
            notifier.subscriptions -= 1;
            if notifier.subscriptions == 0 {
                by_key.remove(&self.key);
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
    async fn a_notification_before_the_first_poll_is_not_missed() {
        let notifiers = Notifiers::default();
        let key = SessionId::generate(&OsEntropy).key();
        notifiers.notify(&key);
        let [one, two] = [notifiers.subscribe(key), notifiers.subscribe(key)];
        let notified = [one.notify.notified(), two.notify.notified()];
        notifiers.notify(&key);
        for notified in notified {
            notified.await;
        }
        drop(one);
        assert_eq!(notifiers.len(), 1);
        drop(two);
        assert_eq!(notifiers.len(), 0);
    }
}
