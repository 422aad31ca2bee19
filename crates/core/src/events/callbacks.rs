//! Callbacks that run when one session ends.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::PendingEnd;
use super::caught::run_caught;
use crate::clock::Timestamp;
use crate::id::SessionKey;
use crate::storage::Record;

pub(crate) type Callback = Box<dyn FnOnce(&PendingEnd) + Send>;

/// The callbacks of the sessions of this process.
#[derive(Default)]
pub(crate) struct Callbacks(Mutex<HashMap<SessionKey, Watched>>);

/// The callbacks of one session, and its record as this process saw it last.
#[derive(Default)]
struct Watched {
    callbacks: Vec<Callback>,
    last: Option<Record>,
    /// The key that this process is about to give the session.
    next: Option<SessionKey>,
}

impl Callbacks {
    fn sessions(&self) -> MutexGuard<'_, HashMap<SessionKey, Watched>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, key: SessionKey, callback: Callback) {
        self.sessions().entry(key).or_default().callbacks.push(callback);
    }

    pub(crate) fn keys(&self) -> Vec<SessionKey> {
        self.sessions().keys().copied().collect()
    }

    /// Notes that this process is about to give a session another key.
    pub(crate) fn is_moving(&self, from: &SessionKey, to: SessionKey) {
        if let Some(watched) = self.sessions().get_mut(from) {
            watched.next = Some(to);
        }
    }

    /// Returns the key that this process was about to give a session.
    pub(crate) fn next_of(&self, key: &SessionKey) -> Option<SessionKey> {
        self.sessions().get(key)?.next
    }

    /// Notes the present key of a session, and its record.
    pub(crate) fn saw(&self, before: &SessionKey, key: &SessionKey, record: Option<Record>) {
        let mut sessions = self.sessions();
        let Some(watched) = sessions.remove(before) else { return };
        // Another visit may have registered callbacks under the present key.
        let present = sessions.entry(*key).or_default();
        present.callbacks.extend(watched.callbacks);
        present.last = record.or(present.last.take()).or(watched.last);
        if before == key {
            present.next = watched.next;
        }
    }

    /// Returns whether a session was to have expired by now, as far as this process knows.
    pub(crate) fn has_expired(&self, key: &SessionKey, now: Timestamp) -> bool {
        let sessions = self.sessions();
        let last = sessions.get(key).and_then(|watched| watched.last.as_ref());
        last.is_some_and(|record| record.meta.has_expired(now))
    }

    /// Runs the callbacks of a session that has ended, once.
    pub(crate) fn run(&self, mut end: PendingEnd) {
        let Some(watched) = self.sessions().remove(&end.key) else {
            return;
        };
        end.complete(watched.last);
        for callback in watched.callbacks {
            run_caught(|| callback(&end));
        }
    }
}
