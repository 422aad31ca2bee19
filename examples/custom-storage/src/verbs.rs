//! The contract, verb by verb: each is one transaction.

use async_trait::async_trait;
use redb::WriteTransaction;
use sessile_core::{
    Applied, Capabilities, Cursor, Entry, EntryHead, EntryList, EntryVersion, RecordStore, SessionKey, StorageError,
    Timestamp,
};

use crate::RedbStore;
use crate::background::Step;
use crate::failure::{Failure, NAME};
use crate::tables::{self, Tables};

#[async_trait]
impl RecordStore for RedbStore {
    fn name(&self) -> &'static str {
        NAME
    }

    fn capabilities(&self) -> Capabilities<'_> {
        Capabilities::none().with_usage(Some(self))
    }

    async fn load(&self, key: &SessionKey) -> Result<Option<Entry>, StorageError> {
        let key = *key;
        let look = move |transaction: &_| tables::entry(transaction, &key);
        self.background.read("load", look).await
    }

    async fn head(&self, key: &SessionKey) -> Result<Option<EntryHead>, StorageError> {
        let key = *key;
        let look = move |transaction: &_| tables::head(transaction, &key);
        self.background.read("head", look).await
    }

    async fn insert(&self, key: &SessionKey, entry: Entry) -> Result<Applied, StorageError> {
        let key = *key;
        let condition = move |tables: &Tables<'_>| Ok(!tables.has(&key)?);
        let change = move |tables: &mut Tables<'_>| tables.put(&key, &entry);
        self.write_if("insert", condition, change).await
    }

    async fn replace(&self, key: &SessionKey, version: EntryVersion, entry: Entry) -> Result<Applied, StorageError> {
        let key = *key;
        let condition = move |tables: &Tables<'_>| tables.is(&key, version);
        let change = move |tables: &mut Tables<'_>| tables.put(&key, &entry);
        self.write_if("replace", condition, change).await
    }

    async fn touch(&self, key: &SessionKey, version: EntryVersion, head: EntryHead) -> Result<Applied, StorageError> {
        let key = *key;
        let condition = move |tables: &Tables<'_>| tables.is(&key, version);
        let change = move |tables: &mut Tables<'_>| tables.put_head(&key, &head);
        self.write_if("touch", condition, change).await
    }

    async fn rename(
        &self,
        from: &SessionKey,
        version: EntryVersion,
        left: Option<Entry>,
        to: &SessionKey,
        entry: Entry,
    ) -> Result<Applied, StorageError> {
        let (from, to) = (*from, *to);
        let condition = move |tables: &Tables<'_>| Ok(tables.is(&from, version)? && !tables.has(&to)?);
        let change = move |tables: &mut Tables<'_>| {
            match left {
                Some(left) => tables.put(&from, &left)?,
                None => drop(tables.take(&from)?),
            }
            tables.put(&to, &entry)
        };
        self.write_if("rename", condition, change).await
    }

    async fn remove(&self, key: &SessionKey, version: EntryVersion) -> Result<Applied, StorageError> {
        let key = *key;
        let condition = move |tables: &Tables<'_>| tables.is(&key, version);
        let change = move |tables: &mut Tables<'_>| tables.take(&key).map(drop);
        self.write_if("remove", condition, change).await
    }

    async fn scan(&self, cursor: Option<Cursor>, limit: usize) -> Result<EntryList, StorageError> {
        let look = move |transaction: &_| {
            let entries = tables::heads_after(transaction, cursor.as_ref().map(Cursor::as_bytes), limit)?;
            // Keys have an order that no write changes, so the last one says where to go on.
            let last = entries.last().filter(|_| entries.len() == limit);
            let next = last.map(|(key, _)| Cursor::from_bytes(tables::name(key)));
            Ok(EntryList::new(entries, next))
        };
        self.background.read("scan", look).await
    }

    async fn take_expired(&self, now: Timestamp, limit: usize) -> Result<Vec<(SessionKey, Entry)>, StorageError> {
        let write = move |transaction: &_| {
            let taken = Tables::open(transaction)?.take_expired(now, limit)?;
            if taken.is_empty() {
                return Ok(Step::Abort(taken));
            }
            Ok(Step::Commit(taken))
        };
        self.background.write("take_expired", write).await
    }
}

impl RedbStore {
    /// Makes a change if the condition holds, both in one transaction: nobody writes in between.
    async fn write_if(
        &self,
        verb: &'static str,
        condition: impl FnOnce(&Tables<'_>) -> Result<bool, Failure> + Send + 'static,
        change: impl FnOnce(&mut Tables<'_>) -> Result<(), Failure> + Send + 'static,
    ) -> Result<Applied, StorageError> {
        let write = move |transaction: &WriteTransaction| {
            let mut tables = Tables::open(transaction)?;
            if !condition(&tables)? {
                return Ok(Step::Abort(Applied::No));
            }
            change(&mut tables)?;
            Ok(Step::Commit(Applied::Yes))
        };
        self.background.write(verb, write).await
    }
}
