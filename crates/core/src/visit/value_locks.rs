//! [`ValueLocks`]: the values that are being changed in place, and by which threads.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::thread::ThreadId;

/// The values that are being changed in place, and by which threads.
#[derive(Debug, Default)]
pub(super) struct ValueLocks {
    /// Usually there is only one, which needs no allocation.
    first: Option<ValueLock>,
    others: Vec<ValueLock>,
    /// The number of threads that wait for one of these.
    pub(super) waiting: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ValueLock {
    pub(super) value: ValueHash,
    pub(super) holder: ThreadId,
}

/// Identifies a value. In the unlikely case of a collision, changes of one value wait for the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ValueHash(u64);

impl ValueHash {
    pub(super) fn new(namespace: Option<&str>, name: &str) -> Self {
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
