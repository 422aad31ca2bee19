//! [`BrokenStore`]: the operations, and the bugs of writes in several steps.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use sessile_core::{
    Applied, Capabilities, Cursor, Entry, EntryHead, EntryList, EntryVersion, RecordStore, SessionKey, StorageError,
    Timestamp,
};
use sessile_testkit::ModelStore;
use sessile_testkit::model::Entries;
use tokio::task::yield_now;

use super::StoreBug;
use super::writing::{Past, Write};
use crate::locked;

/// A [`ModelStore`] with one [`StoreBug`].
///
/// ```
/// use sessile_core::{Applied, Entry, EntryHead, EntryVersion, OsEntropy, RecordStore, SessionId};
/// use sessile_lab::{BrokenStore, StoreBug};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), sessile_core::StorageError> {
/// let store = BrokenStore::new(StoreBug::ReplaceIgnoresVersion);
/// let key = SessionId::generate(&OsEntropy).key();
/// let entry = |version| Entry::new(EntryHead::new(EntryVersion::from_u64(version), None, ""), "");
/// let _ = store.insert(&key, entry(1)).await?;
/// let stale = store.replace(&key, EntryVersion::from_u64(0), entry(2)).await?;
/// assert_eq!(stale, Applied::Yes); // it ought not to be
/// # Ok(()) }
/// ```
pub struct BrokenStore {
    pub(super) bug: StoreBug,
    pub(super) model: ModelStore,
    pub(super) past: Arc<Mutex<Past>>,
    /// The number of this handle.
    pub(super) handle: usize,
    pub(super) cache: Mutex<BTreeMap<SessionKey, Option<Entry>>>,
}

impl BrokenStore {
    /// Creates an empty store with this bug.
    #[must_use]
    pub fn new(bug: StoreBug) -> Self {
        Self {
            bug,
            model: ModelStore::new(),
            past: Arc::default(),
            handle: 0,
            cache: Mutex::default(),
        }
    }

    /// Returns another handle on the same data.
    #[must_use]
    pub fn second(&self) -> Self {
        Self {
            bug: self.bug,
            model: self.model.clone(),
            past: Arc::clone(&self.past),
            handle: self.handle + 1,
            cache: Mutex::default(),
        }
    }

    async fn write(&self, write: Write) -> Applied {
        let (bug, past) = (self.bug, &self.past);
        if bug == StoreBug::ReplaceComesLater && matches!(write, Write::Replace(..)) {
            let (model, past) = (self.model.clone(), Arc::clone(past));
            let later = tokio::spawn(async move {
                yield_now().await;
                model.step(|entries| Self::take_step(bug, write, entries, &mut locked(&past)))
            });
            return later.await.expect("nothing in it panics");
        }
        if write.is_in_two_steps(bug) {
            let holds = self.model.step(|entries| write.holds(bug, entries, &locked(past)));
            yield_now().await;
            if holds {
                self.model.step(|entries| write.apply(bug, entries, &mut locked(past)));
            }
            return if holds { Applied::Yes } else { Applied::No };
        }
        let begun = self
            .model
            .step(|entries| write.holds(bug, entries, &locked(past)) && write.begin(bug, entries));
        if begun {
            yield_now().await;
            self.model.step(|entries| write.apply(bug, entries, &mut locked(past)));
            return Applied::Yes;
        }
        self.model
            .step(|entries| Self::take_step(bug, write, entries, &mut locked(past)))
    }

    /// Checks and writes in one step.
    fn take_step(bug: StoreBug, write: Write, entries: &mut Entries, past: &mut Past) -> Applied {
        if !write.holds(bug, entries, past) {
            return Applied::No;
        }
        write.apply(bug, entries, past);
        Applied::Yes
    }
}

impl fmt::Debug for BrokenStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BrokenStore")
            .field("bug", &self.bug)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl RecordStore for BrokenStore {
    fn name(&self) -> &'static str {
        "broken"
    }

    fn capabilities(&self) -> Capabilities<'_> {
        Capabilities::none()
    }

    async fn load(&self, key: &SessionKey) -> Result<Option<Entry>, StorageError> {
        Ok(self.look(key))
    }

    async fn head(&self, key: &SessionKey) -> Result<Option<EntryHead>, StorageError> {
        Ok(self.look_at_head(key))
    }

    async fn insert(&self, key: &SessionKey, entry: Entry) -> Result<Applied, StorageError> {
        Ok(self.write(Write::Insert(*key, entry)).await)
    }

    async fn replace(&self, key: &SessionKey, version: EntryVersion, entry: Entry) -> Result<Applied, StorageError> {
        Ok(self.write(Write::Replace(*key, version, entry)).await)
    }

    async fn touch(&self, key: &SessionKey, version: EntryVersion, head: EntryHead) -> Result<Applied, StorageError> {
        Ok(self.write(Write::Touch(*key, version, head)).await)
    }

    async fn rename(
        &self,
        from: &SessionKey,
        version: EntryVersion,
        left: Option<Entry>,
        to: &SessionKey,
        entry: Entry,
    ) -> Result<Applied, StorageError> {
        Ok(self.write(Write::Rename(*from, version, left, *to, entry)).await)
    }

    async fn remove(&self, key: &SessionKey, version: EntryVersion) -> Result<Applied, StorageError> {
        Ok(self.write(Write::Remove(*key, version)).await)
    }

    async fn scan(&self, cursor: Option<Cursor>, limit: usize) -> Result<EntryList, StorageError> {
        self.list(cursor, limit)
    }

    async fn take_expired(&self, now: Timestamp, limit: usize) -> Result<Vec<(SessionKey, Entry)>, StorageError> {
        Ok(self.take(now, limit).await)
    }
}
