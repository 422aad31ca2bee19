//! Observers: read the known sessions again and again.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sessile_core::{Lookup, SessionKey, Storage};

use super::call::{Call, Outcome, What};
use super::clock::monotonic;
use super::inventory::Inventory;
use super::rng::Rng;
use crate::locked;

/// The sessions and calls that the observers of a driver share.
#[derive(Default)]
pub(super) struct Observed {
    live: Mutex<Vec<SessionKey>>,
    dead: Mutex<Vec<SessionKey>>,
    calls: Mutex<Vec<Call>>,
    stopped: AtomicBool,
}

impl Observed {
    /// Adds a key that a session has got.
    pub(super) fn add(&self, key: SessionKey) {
        locked(&self.live).push(key);
    }

    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
    }

    pub(super) fn take_calls(&self) -> Vec<Call> {
        std::mem::take(&mut locked(&self.calls))
    }

    /// Reads all sessions that were not found dead yet, and one that was, until it is stopped. With `scans`, looks for
    /// sessions of owners that no process has told of.
    pub(super) async fn observe(self: Arc<Self>, storage: Arc<dyn Storage>, seed: u64, scans: bool) {
        let mut rng = Rng::new(seed);
        let mut known = BTreeSet::new();
        while !self.stopped.load(Ordering::SeqCst) {
            if scans && let Ok(inventory) = Inventory::scan(&*storage).await {
                let owned = inventory
                    .sessions
                    .into_iter()
                    .filter_map(|(key, owner)| Some((key, owner?)));
                for (key, owner) in owned.filter(|(key, _)| known.insert(*key)) {
                    locked(&self.calls).push(Call {
                        process: 0,
                        begin: monotonic(),
                        end: None,
                        what: What::LogIn { owner, from: None },
                        outcome: Outcome::Found(Some(key)),
                    });
                    self.add(key);
                }
            }
            let live = locked(&self.live).clone();
            for key in live {
                if self.read(&*storage, &key).await == Some(false) {
                    locked(&self.live).retain(|other| *other != key);
                    locked(&self.dead).push(key);
                }
            }
            let dead = {
                let dead = locked(&self.dead);
                let index = rng.next() as usize;
                dead.get(index.checked_rem(dead.len()).unwrap_or_default()).copied()
            };
            if let Some(key) = dead {
                self.read(&*storage, &key).await;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Reads one session. Returns `None` if that fails.
    pub(super) async fn read(&self, storage: &dyn Storage, key: &SessionKey) -> Option<bool> {
        let begin = monotonic();
        let found = match storage.read(key).await.ok()? {
            Lookup::Found(stored) => stored.record.meta.facts.is_session(),
            Lookup::Superseded | Lookup::Missing => false,
        };
        let outcome = if found { Outcome::Found(None) } else { Outcome::Missing };
        locked(&self.calls).push(Call {
            process: 0,
            begin,
            end: Some(monotonic()),
            what: What::Read { key: *key },
            outcome,
        });
        Some(found)
    }
}
