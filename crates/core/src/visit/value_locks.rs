//! [`ValueLocks`]: which values are being changed in place, and by which threads.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::thread::ThreadId;

/// Which values are being changed, and by which threads.
#[derive(Debug, Default)]
pub(super) struct ValueLocks {
    /// Mostly there is but one, which takes no allocation.
    first: Option<ValueLock>,
    others: Vec<ValueLock>,
    /// How many threads wait for one of these.
    pub(super) waiting: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ValueLock {
    pub(super) value: ValueHash,
    pub(super) by: ThreadId,
}

/// Stands for a value. That two values share one, which is next to impossible, would make one wait for the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ValueHash(u64);

impl ValueHash {
    pub(super) fn of(namespace: Option<&str>, name: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        (namespace, name).hash(&mut hasher);
        Self(hasher.finish())
    }
}

impl ValueLocks {
    pub(super) fn find(&self, value: ValueHash) -> Option<ValueLock> {
        let mut all = self.first.iter().chain(&self.others);
        all.find(|change| change.value == value).copied()
    }

    pub(super) fn add(&mut self, change: ValueLock) {
        match self.first {
            None => self.first = Some(change),
            Some(_) => self.others.push(change),
        }
    }

    pub(super) fn remove(&mut self, value: ValueHash) {
        match self.first {
            Some(first) if first.value == value => self.first = None,
            _ => self.others.retain(|change| change.value != value),
        }
    }
}
