//! Bugs of hints: a [`Broken`] storage that can be watched.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use sessile_core::{
    Intercept, Operation, OperationOutput, Record, SessionKey, StorageCall, StorageError, Watch, WatchSessions,
    Watchers,
};
use tokio::task::yield_now;

use super::{Broken, Bug};
use crate::locked;

/// The number of sessions that can be watched with [`Bug::WatchHasALimit`].
const LIMIT: usize = 1_000;

/// The watches of the handles of a [`Broken`] storage.
#[derive(Debug, Clone, Default)]
pub(super) struct Hints {
    watchers: Watchers,
    /// The last watch of each session.
    last: Arc<Mutex<BTreeMap<SessionKey, Watchers>>>,
}

impl WatchSessions for Broken {
    fn watch(&self, key: &SessionKey) -> Watch {
        let hints = &self.hints;
        match self.bug {
            Bug::WatchHasALimit if hints.watchers.len() >= LIMIT => Watchers::new().watch(key),
            Bug::WatchIsReplaced => {
                let watchers = Watchers::new();
                locked(&hints.last).insert(*key, watchers.clone());
                watchers.watch(key)
            }
            _ => hints.watchers.watch(key),
        }
    }
}

impl Hints {
    fn wake(&self, key: &SessionKey) {
        self.watchers.wake(key);
        let last = locked(&self.last).get(key).cloned();
        last.iter().for_each(|watchers| watchers.wake(key));
    }
}

/// A [`Broken`] storage that wakes its watches after the operations that change sessions.
#[derive(Debug)]
pub struct Watched(Broken);

impl Watched {
    /// Wakes the watches of this storage, with its bug.
    #[must_use]
    pub fn new(broken: Broken) -> Self {
        Self(broken)
    }

    fn records(&self) -> BTreeMap<SessionKey, Record> {
        self.0.model.step(|_, state, _| state.records.clone())
    }

    /// Returns whether the bug withholds the hint on a key from an operation that was given another or none.
    fn misses(&self, operation: Operation, is_given: bool) -> bool {
        match self.0.bug {
            Bug::WatchMissesCreates => operation == Operation::Create,
            Bug::WatchMissesReplaces => operation == Operation::Replace,
            Bug::WatchMissesArrivals => operation == Operation::Rotate && !is_given,
            Bug::WatchEndsTheKeyItIsGiven => operation == Operation::Destroy && !is_given,
            Bug::WatchMissesSweeps => operation == Operation::Sweep,
            Bug::WatchWakesEarly => true,
            _ => false,
        }
    }
}

impl Intercept for Watched {
    type Inner = Broken;

    fn inner(&self) -> &Broken {
        &self.0
    }

    async fn around<T: OperationOutput>(&self, call: StorageCall<'_, T>) -> Result<T, StorageError> {
        let (operation, given, before) = (call.operation(), call.key().copied(), self.records());
        let changes = !matches!(operation, Operation::Read | Operation::Lock | Operation::Touch);
        if self.0.bug == Bug::WatchWakesEarly
            && changes
            && let Some(key) = given
        {
            self.0.hints.wake(&key);
            yield_now().await;
        }
        let result = call.run().await;
        let after = self.records();
        for key in before.keys().chain(after.keys()) {
            if before.get(key) != after.get(key) && !self.misses(operation, given == Some(*key)) {
                self.0.hints.wake(key);
            }
        }
        result
    }
}
